"""Dream the frames of a film: a whole dream where the film begins, and single steps from there on."""

from collections.abc import Callable

import numpy as np

from dreamscripts.dreams.dream import dream
from dreamscripts.dreams.films.evenness import even, unit
from dreamscripts.dreams.prepare import build_evaluator, choose, open_network, plan_octaves
from dreamscripts.images.resizing import resampled
from dreamscripts.networks.tuning import Choices
from dreamscripts.objective.protocol import OnPass
from dreamscripts.optimizers.optimize import begin
from dreamscripts.settings.schema import Settings

SHIFT = 16  # pixels: without random shifts, many steps make a grid of lines


class Dreamer:
    """The loss of some settings, for frames of one size: float32 (H, W, 3), RGB in 0..255.

    All frames use the same compiled pass. `choices`, `on_choices` and `on_pass` are as in `dream`. Raises DreamError.
    """

    def __init__(
        self,
        settings: Settings,
        height: int,
        width: int,
        *,
        choices: Choices | None = None,
        on_choices: Callable[[Choices], None] = lambda choices: None,
        on_pass: OnPass | None = None,
    ):
        self._settings = settings.model_copy(update={"size": None, "start": "photograph"})
        network = open_network(self._settings)
        schedule, _ = plan_octaves(network, self._settings, np.zeros((height, width, 3), np.float32))
        octaves = settings.octaves.model_copy(update={"count": len(schedule.sizes)})
        self._settings = self._settings.model_copy(update={"octaves": octaves})  # `dream` need not skip them again
        self._sizes = schedule.sizes
        largest, choices = schedule.sizes[-1], choices or choose(network, self._settings, *schedule.sizes[-1])
        on_choices(choices)
        self._evaluator = build_evaluator(network, self._settings, *largest, choices=choices, on_pass=on_pass)

    def dream(self, frame: np.ndarray) -> np.ndarray:
        """Dream of a frame, as of a photograph, by the optimizer and the octaves of the settings.

        The result has the size of the frame, even if the last octave is larger.
        """
        *_, last = dream(frame, self._settings, evaluator=self._evaluator)
        return np.clip(resampled(last.picture, *frame.shape[:2]), 0, 255)

    def direction(self, frame: np.ndarray, number: int) -> np.ndarray:
        """Return the change of a frame that raises the score, float32 (H, W, 3), with a mean absolute value of 1.

        It is the sum of the gradients in all octaves, each with the same weight. `number` is that of the random draw of
        the transforms. If the settings have no random shift, the frame is shifted by up to SHIFT pixels. Where the
        gradient is zero everywhere, so is the result.
        """
        height, width, _ = frame.shape
        gradients = [resampled(self._gradient(resampled(frame, *size), number), height, width) for size in self._sizes]
        return unit(even(np.sum([unit(gradient) for gradient in gradients], axis=0)))

    def _gradient(self, frame: np.ndarray, number: int) -> np.ndarray:
        """Return the gradient of the score with respect to the pixel values."""
        preprocessing = self._evaluator.network.preprocessing
        shift = (0, 0)
        if not self._settings.jitter.shift:
            shift = tuple(np.random.default_rng([self._settings.seed, number]).integers(-SHIFT, SHIFT + 1, 2))
        x = preprocessing.normalise(np.roll(frame, shift, (0, 1))).astype(np.float32)
        self._evaluator.draw(number)
        begin(self._evaluator, x, self._settings.optimizer)
        gradient = np.roll(np.asarray(self._evaluator.gradient(x)), (-shift[0], -shift[1]), (0, 1))
        return -preprocessing.pull(gradient).astype(np.float32)
