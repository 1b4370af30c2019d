"""The tables of a settings file for films: zoom and video."""

from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, model_validator

from dreamscripts.settings.numbers import Weight
from dreamscripts.settings.tables import Feature, LayerName, MeasureName, Penalties, Table

Speed = Annotated[float, Field(ge=0.1, le=10, allow_inf_nan=False)]
Turn = Annotated[float, Field(ge=-360, le=360, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]


class Keyframe(Table):
    """A moment of a journey, with the values that the zoom has then. Between two moments, they are mixed."""

    at: Seconds
    """The moment, in seconds."""
    features: dict[LayerName, Feature]
    """Layers of the network and their weights in the loss."""
    measure: MeasureName = "l2"
    """The measure of every layer whose `measure` is not set."""
    penalties: Penalties = Field(default_factory=Penalties)
    """Penalty weights."""
    factor: Speed | None = None
    """Enlargement per second. Default: `zoom.factor`."""
    turn: Turn | None = None
    """Degrees per second. Default: `zoom.turn`."""


class Zoom(Table):
    """An endless zoom: each frame is the last one, enlarged and dreamt a little further."""

    seconds: float = Field(20.0, gt=0, le=86_400, allow_inf_nan=False)
    """Length of the film in seconds, up to 86400."""
    fps: float = Field(30.0, ge=1, le=240, allow_inf_nan=False)
    """Frames per second, 1 to 240."""
    factor: Speed = 1.25
    """Enlargement per second, 0.1 to 10. Below 1, the film moves away."""
    turn: Turn = 0.0
    """Degrees per second, clockwise, −360 to 360."""
    x: float = Field(0.5, ge=0, le=1)
    """The point that the film moves to: its distance from the left edge, as a share of the width."""
    y: float = Field(0.5, ge=0, le=1)
    """The point that the film moves to: its distance from the top edge, as a share of the height."""
    strength: float = Field(1.0, gt=0, le=20)
    """How fast the dream grows, above 0 and up to 20. 1 is a mean change of 60 pixel values per second."""
    loop: bool = False
    """Whether the first frame comes back at the end, small at first, so that the film can be repeated endlessly."""
    keyframes: list[Keyframe] | None = Field(None, min_length=1)
    """A journey: the losses and speeds at some moments. Default: the same loss and speed all the time."""

    @property
    def frames(self) -> int:
        """The number of frames of the film, at least 1."""
        return max(1, round(self.seconds * self.fps))

    @model_validator(mode="after")
    def _check_keyframes(self) -> Self:
        for before, after in pairwise(self.keyframes or ()):
            if after.at <= before.at:
                raise ValueError(f"the keyframe at {after.at:g} seconds must come after the one at {before.at:g}")
        if self.keyframes and self.keyframes[0].at != 0:
            raise ValueError("the first keyframe must be at 0 seconds")
        return self

    @model_validator(mode="after")
    def _check_loop(self) -> Self:
        speeds = [self.factor if frame.factor is None else frame.factor for frame in self.keyframes or ()]
        if self.loop and min(speeds or [self.factor]) <= 1:
            raise ValueError("loop = true needs an enlargement: raise `factor` above 1")
        return self


class Video(Table):
    """A dream over a film, which moves with what the film shows."""

    start: Seconds = 0.0
    """The moment of the film at which the dream starts, in seconds."""
    end: Seconds | None = None
    """The moment of the film at which the dream ends, in seconds. Default: the end of the film."""
    every: int = Field(1, ge=1, le=1000)
    """Dream every Nth frame only, 1 to 1000. Between them, the last dream moves with the film."""
    strength: float = Field(1.0, gt=0, le=5)
    """How strong the dream is, above 0 and up to 5. 1 is the strength of a dream of a single frame."""
    persistence: float = Field(0.985, ge=0, lt=1)
    """The share of a dream that is left in the next frame, 0 to below 1."""
    flicker: Weight = Field(1.5, gt=0, le=50)
    """How much a dream may change from frame to frame: the largest mean change, in pixel values, up to 50."""

    @model_validator(mode="after")
    def _check_end(self) -> Self:
        if self.end is not None and self.end <= self.start:
            raise ValueError(f"the end ({self.end:g} seconds) must come after the start ({self.start:g} seconds)")
        return self
