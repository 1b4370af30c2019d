"""The trainer: it makes single steps of a training, and holds all that a step changes."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from dreamscripts.backends.training import Step, compile_step
from dreamscripts.errors import Diverged, NetworkError
from dreamscripts.networks.network import Network
from dreamscripts.networks.plain_keras import plain_keras
from dreamscripts.settings.recipe import Recipe
from dreamscripts.training import schedule
from dreamscripts.training.lesson import Answers, Lesson
from dreamscripts.training.pair import Pair
from dreamscripts.training.projections import channel_sizes, make_projections, solve
from dreamscripts.training.taught_layers import shares
from dreamscripts.training.unfinished import UnfinishedDreams, pixel_gradient

BATCHES = 8  # of crops, for the teacher's channel sizes and for the first projections
REPEATS = 3  # of these batches, for the first statistics
WEIGHT_DECAY = 1e-3
CLIPPED = 20.0  # largest norm of all gradients of a step together
DREAMS = "dreams"
VARIABLE = "variable{}"


class Trainer:
    """The lesson of a pair, its optimizer, and the unfinished dreams.

    `teacher` is that of the pair, or an equal one that is faster. `crops(count, *seed)` draws pictures, float32
    (count, H, W, 3), RGB in 0..255.
    """

    def __init__(self, pair: Pair, teacher: Network, recipe: Recipe, crops: Callable[..., np.ndarray]):
        self._recipe, self._is_new, self._preprocessing = recipe, pair.is_new, teacher.preprocessing
        batches = [self.normalised(crops(recipe.batch, i)) for i in range(BATCHES)]
        sizes = channel_sizes(teacher, batches)
        projections = make_projections(teacher, pair.student)
        for x in REPEATS * batches if pair.is_new else []:
            pair.student.features(x, training=True)  # the first statistics of its batch normalisation
        solve(projections, teacher, pair.student, sizes, batches)
        self._lesson = Lesson(teacher, pair.student, projections, sizes)
        self._shares = shares(teacher.model, pair.layers)
        with plain_keras():
            self._optimizer = keras.optimizers.AdamW(
                recipe.highest_rate, weight_decay=WEIGHT_DECAY, global_clipnorm=CLIPPED
            )
            self._steps: dict[bool, Step] = {training: self._compile(training) for training in (True, False)}
        self._dreams = UnfinishedDreams(crops(recipe.dreams, BATCHES))

    def step(self, number: int, position: float, crops: np.ndarray) -> tuple[float, ...]:
        """Make a step at a position (0 to 1) in the training, and return the parts of its loss.

        All random numbers are drawn from the seed and the number of the step. Raises Diverged.
        """
        rng = np.random.default_rng((self._recipe.seed, number, 1))
        chosen = self._dreams.choose(self._recipe.batch - len(crops), rng)
        pictures = np.concatenate([crops, self._dreams.pixels[chosen]])
        self._optimizer.learning_rate = schedule.learning_rate(self._recipe.highest_rate, position)
        normalises = self._is_new and position < schedule.FROZEN_FROM
        loss, answers = self._steps[normalises](pictures, self._layer_weights(len(pictures), rng))
        if not np.isfinite(float(loss)):
            raise Diverged(
                f"step {number}: the loss became infinite or NaN; use a smaller rate, such as --set rate=1e-4"
            )
        answer = (answers.teachers, answers.students)[rng.integers(2)]
        gradients = pixel_gradient(ops.convert_to_numpy(answer[len(crops) :]), self._preprocessing)
        self._dreams.grow(chosen, crops, gradients, rng)
        return tuple(map(float, ops.convert_to_numpy(answers.parts)))

    def normalised(self, pictures: np.ndarray) -> np.ndarray:
        """Normalise pictures for the networks, to float32."""
        return self._preprocessing.normalise(pictures).astype(np.float32)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return everything that the next step depends on, by name."""
        variables = {VARIABLE.format(i): ops.convert_to_numpy(v.value) for i, v in enumerate(self._variables)}
        return {**variables, DREAMS: self._dreams.pixels.copy()}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Restore what `arrays` returned. Raises NetworkError if it was returned for other networks."""
        expected = {name: value.shape for name, value in self.arrays().items()}
        if {name: value.shape for name, value in arrays.items()} != expected:
            raise NetworkError("the checkpoint is of other networks; remove it, or remove --resume")
        for i, variable in enumerate(self._variables):
            variable.assign(arrays[VARIABLE.format(i)])
        self._dreams = UnfinishedDreams(arrays[DREAMS])

    @property
    def _variables(self) -> list:
        return [*self._lesson.trained, *self._optimizer.variables]

    def _compile(self, training: bool) -> Step:
        mean, scale = np.array([self._preprocessing.mean, self._preprocessing.scale], np.float32)

        def loss(pictures: Any, weights: Any) -> tuple[Any, Answers]:
            ordered = ops.flip(pictures, -1) if self._preprocessing.channels == "BGR" else pictures
            return self._lesson.loss(ops.divide(ops.subtract(ordered, mean), scale), weights, training=training)

        return compile_step(loss, self._lesson.variables, self._optimizer)

    def _layer_weights(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw the weights of the layers in the gradient, float32 (count, layers): of one or two for each picture."""
        weights = np.zeros((count, len(self._shares)), np.float32)
        for row in weights:
            drawn = rng.choice(len(row), min(len(row), int(rng.integers(1, 3))), replace=False, p=self._shares)
            row[drawn] = rng.dirichlet(np.ones(len(drawn)))
        return weights
