"""A journey: the losses at some moments of a zoom, and their mixtures between these moments."""

from collections.abc import Callable

import numpy as np
from pydantic import ValidationError

from dreamscripts.dreams.films.dreamer import Dreamer
from dreamscripts.dreams.films.evenness import unit
from dreamscripts.dreams.films.speed import mixture
from dreamscripts.dreams.prepare import open_network
from dreamscripts.errors import SettingsError
from dreamscripts.networks.tuning import Choices
from dreamscripts.objective.protocol import OnPass
from dreamscripts.settings.explaining import explain
from dreamscripts.settings.film_tables import Keyframe
from dreamscripts.settings.schema import Settings


class Journey:
    """The loss of a zoom at each moment, for frames of one size.

    Between two keyframes, the directions of both losses are added. They have the same length before they get their
    shares, so the first loss fades out as evenly as the second one fades in, whatever their numbers are. Arguments are
    as in `Dreamer`. All keyframes use the same choices. Raises DreamError.
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
        self._size = height, width
        self._keyframes = (settings.zoom.keyframes if settings.zoom else None) or []
        self._losses = [_with_loss(settings, keyframe) for keyframe in self._keyframes] or [settings]
        self._check_layers(settings)
        self._choices = choices
        self._on_choices, self._on_pass = on_choices, on_pass
        self._dreamers: dict[int, Dreamer] = {}

    def dream(self, picture: np.ndarray) -> np.ndarray:
        """Dream of the first picture by the optimizer of the settings: float32 (H, W, 3), RGB in 0..255."""
        return self._dreamer(0).dream(picture)

    def direction(self, frame: np.ndarray, number: int, seconds: float) -> np.ndarray:
        """Return the direction in which the dream grows at this moment. See `Dreamer.direction`."""
        shares: dict[int, float] = {}
        for index, share in (mixture(self._keyframes, seconds) or {0: 1.0}).items():
            same = self._losses.index(self._losses[index])  # keyframes may differ in their speed only
            shares[same] = shares.get(same, 0.0) + share
        for index in self._dreamers.keys() - shares.keys():
            del self._dreamers[index]  # it takes memory, and most losses are needed only once
        directions = [share * self._dreamer(index).direction(frame, number) for index, share in shares.items()]
        return unit(np.sum(directions, axis=0))

    def _check_layers(self, settings: Settings) -> None:
        """Raise DreamError now, not after minutes, if a layer of a keyframe is missing or needs larger frames."""
        features = {layer: feature for loss in self._losses for layer, feature in loss.features.items()}
        if len(self._losses) > 1:
            open_network(settings.model_copy(update={"features": features})).check_size(*self._size)

    def _dreamer(self, index: int) -> Dreamer:
        if index not in self._dreamers:
            self._dreamers[index] = Dreamer(
                self._losses[index],
                *self._size,
                choices=self._choices,
                on_choices=self._chosen,
                on_pass=self._on_pass,
            )
        return self._dreamers[index]

    def _chosen(self, choices: Choices) -> None:
        self._choices = choices
        self._on_choices(choices)


def _with_loss(settings: Settings, keyframe: Keyframe) -> Settings:
    """Return the settings with the loss of a keyframe. Raises SettingsError if they do not fit together."""
    changed = {key: keyframe.model_dump()[key] for key in ("features", "measure", "penalties")}
    try:
        return Settings.model_validate(settings.model_dump() | changed)
    except ValidationError as error:
        raise SettingsError(explain(error, f"the keyframe at {keyframe.at:g} seconds", {}, Settings)) from None
