"""The tables of a settings file: features, penalties, octaves, tiles and the rest, with their keys and defaults."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from dreamscripts.errors import did_you_mean
from dreamscripts.registry import MEASURES, OPTIMIZERS, PENALTIES, SCHEDULES
from dreamscripts.settings.named_files import absolute
from dreamscripts.settings.numbers import Channel, Factor, Side, Weight

LONGEST_TEXT = 4096  # characters, as of a path


def _known_measure(name: str) -> str:
    if name not in MEASURES:
        raise unknown_name(name, MEASURES)
    return name


MeasureName = Annotated[str, AfterValidator(_known_measure)]
LayerName = Annotated[str, Field(min_length=1, max_length=255)]


class Table(BaseModel):
    """A table of a settings file: its keys are these fields and no others.

    In a file, "none" means None for a value that may be None, because TOML has no null. Types are strict: true, "1" and
    1.0 are not the integer 1. An integer is a number, too.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _none_unsets(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        for key, item in value.items():
            if isinstance(item, str) and ("\0" in item or len(item) > LONGEST_TEXT):
                expected = f"should be text of at most {LONGEST_TEXT} characters, without the character NUL"
                raise at_key(str(key), item, PydanticCustomError("no_name", "{expected}", {"expected": expected}))
        return {key: None if item == "none" and cls._may_be_unset(key) else item for key, item in value.items()}

    def without_effect(self) -> dict[str, str]:
        """Return the keys of this table that have no effect because of another of its values: {key: reason}."""
        return {}

    @classmethod
    def _may_be_unset(cls, key: str) -> bool:
        kinds = get_args(cls.model_fields[key].annotation) if key in cls.model_fields else ()
        words = {word for kind in kinds if get_origin(kind) is Literal for word in get_args(kind)}
        return type(None) in kinds and "none" not in words


class Feature(Table):
    """A layer in the loss. In a file, a single number is its weight, and the other fields keep their defaults."""

    weight: Weight
    """Weight of the layer in the loss, at least 0. A layer with weight 0 is ignored."""
    measure: MeasureName | None = None
    """The measure of this layer. Default: the `measure` of the settings."""
    channels: dict[Channel, Factor] | None = Field(None, min_length=1)
    """Channel numbers, each with a factor other than 0. In a list, each factor is 1. Default: all channels.

    The sign of a factor has no effect on measures that square the features.
    """

    @model_validator(mode="before")
    @classmethod
    def _number_to_weight(cls, value: Any) -> Any:
        return value if isinstance(value, (dict, Feature)) else {"weight": value}

    @field_validator("channels", mode="before")
    @classmethod
    def _list_to_factors(cls, channels: Any) -> Any:
        if isinstance(channels, Mapping):  # TOML has strings as keys
            return {_number(channel): factor for channel, factor in channels.items()}
        if isinstance(channels, (list, tuple)) and not any(isinstance(channel, (list, dict)) for channel in channels):
            if repeated := [channel for channel, count in Counter(channels).items() if count > 1]:
                raise ValueError(f"channel {repeated[0]} is repeated; to give it more weight, use {{NUMBER = FACTOR}}")
            return dict.fromkeys(channels, 1.0)
        return channels

    @model_serializer
    def _shortest_form(self) -> Any:
        fields = {key: value for key, value in self if value is not None}
        if self.channels and all(weight == 1 for weight in self.channels.values()):
            fields["channels"] = list(self.channels)
        elif self.channels:
            fields["channels"] = {str(channel): weight for channel, weight in self.channels.items()}  # for TOML
        return self.weight if len(fields) == 1 else fields


def _number(key: Any) -> Any:
    """Convert the digits of a channel number to an integer. Any other key is returned unchanged."""
    return int(key) if isinstance(key, str) and re.fullmatch("0|[1-9][0-9]{0,8}", key) else key


class Penalties(Table):
    """Penalty weights, at least 0. Each penalty of `dreamscripts.losses` is a key. Its weight is 0 if it is not set."""

    model_config = ConfigDict(extra="allow")

    __pydantic_extra__: dict[str, Weight] = Field(init=False)

    @model_validator(mode="before")
    @classmethod
    def _fill_weights(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        for key in value:
            if key not in PENALTIES:
                raise at_key(key, value[key], "extra_forbidden")
        return {name: value.get(name, 0.0) for name in penalty_names()}

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> float: ...


class Guide(Table):
    """The guide picture, which `measure = "guide"` needs."""

    picture: str = Field(min_length=1)
    """File of the guide picture."""
    size: Side = 224
    """Longest side of the guide picture, in pixels, 1 to 20000."""

    @field_validator("picture")
    @classmethod
    def _absolute_path(cls, picture: str) -> str:
        return absolute(picture)  # because a run may be resumed from another folder


class Jitter(Table):
    """Random transforms of the picture before each pass, so that the optimizer does not fit one pixel grid.

    They are drawn once for each iteration of L-BFGS, and once for each pass of the other optimizers.
    """

    noise: Weight = Field(0.0, le=255)
    """Amplitude of uniform noise, in pixel values, 0 to 255: values in [-noise, noise)."""
    shift: int = Field(0, ge=0, le=20_000)
    """Largest shift along each axis, in whole pixels, 0 to 20000, with wrap-around."""
    rotate: float = Field(0.0, ge=0, le=180)
    """Largest rotation in either direction, in degrees, 0 to 180."""
    scale: float = Field(0.0, ge=0, lt=1)
    """Largest change of the size: a factor in [1 - scale, 1 + scale], with scale from 0 to below 1."""


class Octaves(Table):
    """The sizes at which the picture is optimized, from small to large, and the schedule between them."""

    kind: str = "plain"
    """The schedule: how the picture is passed from one size to the next."""
    count: int = Field(1, ge=1, le=32)
    """Number of sizes, 1 to 32."""
    scale: float = Field(1.4, gt=1, le=8)
    """Factor between one size and the next, above 1 and up to 8."""
    above: int = Field(0, ge=0, le=8)
    """Number of octaves that are larger than the original, 0 to 8. At the end the picture is resized back."""

    @field_validator("kind")
    @classmethod
    def _known_schedule(cls, kind: str) -> str:
        if kind not in SCHEDULES:
            raise unknown_name(kind, SCHEDULES)
        return kind

    @model_validator(mode="after")
    def _check_above(self) -> Self:
        if self.above >= self.count:
            raise ValueError(f"octaves.above = {self.above} must be less than octaves.count = {self.count}")
        if self.above and not SCHEDULES[self.kind].returns:
            raise ValueError(f'octaves.above cannot be used with kind = "{self.kind}"')
        return self

    def without_effect(self) -> dict[str, str]:
        """See Table."""
        return dict.fromkeys(("kind", "scale"), "octaves.count is 1") if self.count == 1 else {}


class Tiles(Table):
    """Square parts of a picture that is too large for one pass. `tiles = "exact"` in a file is short for the table.

    Exact tiles overlap, and give the loss and gradient of the whole picture. The other two kinds cut the picture after
    a random shift, and ignore some of its edges.
    """

    kind: Literal["tutorial", "notebook", "exact"] = "tutorial"
    """The kind of tiles: as in the TensorFlow tutorial, as in the feature-visualisation notebook, or exact."""
    size: Side | None = None
    """Pixels per side, 1 to 20000. Default: 512, but for exact tiles chosen from the free memory."""

    @model_validator(mode="before")
    @classmethod
    def _word_to_kind(cls, value: Any) -> Any:
        table = {"kind": value} if isinstance(value, str) else value
        if isinstance(table, dict) and table.get("kind") != "exact" and table.get("size") in (None, "none"):
            return table | {"size": 512}
        return table


class OptimizerSettings(Table):
    """The settings that all optimizers have. Each optimizer adds more keys (`dreamscripts.optimizers`)."""

    name: str
    """The optimizer."""
    iterations: int = Field(15, ge=1, le=1_000_000)
    """Iterations in each octave, 1 to 1000000."""
    passes: int = Field(7, ge=1, le=1_000_000)
    """Passes through the network in each iteration, 1 to 1000000. L-BFGS may use more to finish its line search."""
    clip: bool = False
    """Keep the pixels within 0..255."""
    max_change: float | None = Field(None, gt=0, le=255)
    """Largest change of a pixel in one iteration, in pixel values, up to 255. Pixels then also stay within 0..255."""
    parameters: Literal["pixels", "fourier"] = "pixels"
    """The values that the optimizer changes: pixels, or Fourier coefficients of a picture that is always in 0..255."""

    @property
    def bounded(self) -> bool:
        """Whether the values of an iteration have bounds (optimizers/box.py)."""
        return self.clip or self.max_change is not None

    @property
    def pictures_kept(self) -> int:
        """The memory that the optimizer needs, as a number of float32 pictures."""
        return 12

    @property
    def on_device(self) -> bool:
        """Whether the optimizer keeps its vectors on the device that runs the network."""
        return False

    @property
    def couples_pictures(self) -> bool:
        """Whether the result for a picture depends on the other pictures of its batch, through their common loss."""
        return False

    @property
    def lighter(self) -> str:
        """The override that reduces the memory of the optimizer, such as `optimizer.where=device`, or ""."""
        return ""

    def without_effect(self) -> dict[str, str]:
        """See Table."""
        if self.parameters == "fourier":
            return {"clip": 'optimizer.parameters = "fourier" keeps the pixels within 0..255'}
        return {"clip": "optimizer.max_change keeps the pixels within 0..255"} if self.max_change is not None else {}

    def switched_to(self, name: str) -> "OptimizerSettings":
        """Make settings for another optimizer, and copy the values of the keys that both have."""
        other = OPTIMIZERS[name].settings
        return other(**{key: value for key, value in self if key in other.model_fields and key != "name"})

    @model_validator(mode="after")
    def _check_parameters(self) -> Self:
        for key in ("laplacian", "max_change"):
            if self.parameters == "fourier" and getattr(self, key, None):
                raise ValueError(f'optimizer.{key} works only with pixels: remove it, or remove parameters = "fourier"')
        return self


def penalty_names() -> list[str]:
    """List the penalties: those on the picture, then those on layers."""
    return sorted(PENALTIES, key=lambda name: PENALTIES[name].on != "picture")


def unknown_name(name: Any, known: Iterable[str]) -> PydanticCustomError:
    """Return the error for a name that is not in a registry."""
    *most, last = (f"'{option}'" for option in known)
    meant = did_you_mean(name, known) if isinstance(name, str) else ""
    # Pydantic replaces {…} in a message, and the name may contain braces.
    return PydanticCustomError(
        "unknown_name", "{expected}", {"expected": f"should be {', '.join(most)} or {last}{meant}"}
    )


def at_key(key: str, value: Any, error: PydanticCustomError | str) -> ValidationError:
    """Return the error for one key of a table. If `error` is a string, it is the type of a pydantic error."""
    return ValidationError.from_exception_data("table", [InitErrorDetails(type=error, loc=(key,), input=value)])
