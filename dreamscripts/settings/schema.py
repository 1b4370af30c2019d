"""The schema of settings: the tables of a settings file, their keys, values and defaults."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_args, get_origin

import tomli_w
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from dreamscripts.errors import SettingsError, did_you_mean
from dreamscripts.registry import MEASURES, OPTIMIZERS, PENALTIES, SCHEDULES
from dreamscripts.settings.loading import load_settings
from dreamscripts.settings.optimizer_keys import DEFAULT, is_known, modernised, refusal

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _known_measure(name: str) -> str:
    if name not in MEASURES:
        raise unknown_name(name, MEASURES)
    return name


MeasureName = Annotated[str, AfterValidator(_known_measure)]


class Table(BaseModel):
    """A table of a settings file: its keys are these fields and no others.

    In a file, "none" means None for a value that may be None, because TOML has no null.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _none_unsets(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {key: None if item == "none" and cls._may_be_unset(key) else item for key, item in value.items()}

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
    channels: dict[Annotated[int, Field(ge=0)], Annotated[float, Field(allow_inf_nan=False)]] | None = Field(
        None, min_length=1
    )
    """Channel numbers, each with a factor. In a list, each factor is 1. Default: all channels.

    The sign of a factor has no effect on measures that square the features.
    """

    @model_validator(mode="before")
    @classmethod
    def _number_to_weight(cls, value: Any) -> Any:
        return value if isinstance(value, (dict, Feature)) else {"weight": value}

    @field_validator("channels", mode="before")
    @classmethod
    def _list_to_factors(cls, channels: Any) -> Any:
        if isinstance(channels, (list, tuple)) and not any(isinstance(channel, (list, dict)) for channel in channels):
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
                raise _at(key, value[key], "extra_forbidden")
        return {name: value.get(name, 0.0) for name in penalty_names()}

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> float: ...


class Guide(Table):
    """The guide picture, which `measure = "guide"` needs."""

    picture: str
    """File of the guide picture."""
    size: int = Field(224, ge=1, le=20_000)
    """Longest side of the guide picture, in pixels, 1 to 20000."""

    @field_validator("picture")
    @classmethod
    def _absolute_path(cls, picture: str) -> str:
        return str(Path(picture).absolute())  # because a run may be resumed from another folder


class Jitter(Table):
    """Random transforms of the picture before each pass, so that the optimizer does not fit one pixel grid.

    They are drawn once for each iteration of L-BFGS, and once for each pass of the other optimizers.
    """

    noise: Weight = 0.0
    """Amplitude of uniform noise, in pixel values: values in [-noise, noise)."""
    shift: int = Field(0, ge=0)
    """Largest shift along each axis, in whole pixels, with wrap-around."""
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


class Tiles(Table):
    """Square parts of a picture that is too large for one pass. `tiles = "exact"` in a file is short for the table.

    Exact tiles overlap, and give the loss and gradient of the whole picture. The other two kinds cut the picture after
    a random shift, and ignore some of its edges.
    """

    kind: Literal["tutorial", "notebook", "exact"] = "tutorial"
    """The kind of tiles: as in the TensorFlow tutorial, as in the feature-visualisation notebook, or exact."""
    size: int | None = Field(None, ge=1)
    """Pixels per side, from 1. Default: 512, but for exact tiles chosen from the free memory."""

    @model_validator(mode="before")
    @classmethod
    def _word_to_kind(cls, value: Any) -> Any:
        table = {"kind": value} if isinstance(value, str) else value
        if isinstance(table, dict) and table.get("kind") != "exact":
            return {"size": 512} | table
        return table


class OptimizerSettings(Table):
    """The settings that all optimizers have. Each optimizer adds more keys (`dreamscripts.optimizers`)."""

    name: str
    """The optimizer."""
    iterations: int = Field(15, ge=1)
    """Iterations in each octave, from 1."""
    passes: int = Field(7, ge=1)
    """Passes through the network in each iteration, from 1. L-BFGS may use a few more to finish its line search."""
    clip: bool = False
    """Keep the pixels within 0..255."""
    max_change: float | None = Field(None, gt=0, le=255)
    """Largest change of a pixel in one iteration, in pixel values, up to 255. Pixels then also stay within 0..255."""
    parameters: Literal["pixels", "fourier"] = "pixels"
    """The values that the optimizer changes: pixels, or Fourier coefficients of a picture that is always in 0..255."""

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

    def switched_to(self, name: str) -> "OptimizerSettings":
        """Make settings for another optimizer, and copy the values of the keys that both have."""
        other = OPTIMIZERS[name].settings
        return other(**{key: value for key, value in self if key in other.model_fields and key != "name"})

    @model_validator(mode="after")
    def _check_parameters(self) -> Self:
        for key in ("laplacian", "max_change"):
            if self.parameters == "fourier" and getattr(self, key, None):
                raise ValueError(f'optimizer.{key} is for pixels: remove it, or parameters = "fourier"')
        return self


class Settings(Table):
    """All settings of a dream, apart from the photograph."""

    network: str = "pocket"
    """Name of a network, or the file of a Keras model."""
    weights: str | None = None
    """Weights: "imagenet", "random" or a file. Default: the usual weights of the network."""
    preprocessing: Literal["caffe", "tf", "torch", "unit", "none"] | None = None
    """Preprocessing of a model file (.keras, .h5). Not needed if the model preprocesses pictures itself."""
    start: Literal["photograph", "noise"] = "photograph"
    """The picture to start with: the photograph, or grey noise of pixel values 100 to 101."""
    size: int | None = Field(None, ge=1, le=20_000)
    """Longest side of the picture in pixels, 1 to 20000. Default: that of the photograph."""
    seed: int = Field(0, ge=0)
    """Seed of all random numbers, from 0."""
    convolutions: Literal["auto", "direct", "winograd"] = "auto"
    """Algorithm of 3×3 convolutions. "auto" uses Winograd's algorithm for the layers that it makes faster."""
    precision: Literal["float32", "tf32", "mixed_bfloat16"] = "float32"
    """Precision of the network. "tf32" and "mixed_bfloat16" are for GPUs."""
    measure: MeasureName = "l2"
    """The measure of every layer whose `measure` is not set."""
    features: dict[str, Feature]
    """Layers of the network and their weights in the loss."""
    instead: dict[str, dict[str, Feature]] | None = None
    """Features for other networks, by the name of the network."""
    guide: Guide | None = None
    """The guide picture of `measure = "guide"`."""
    penalties: Penalties = Field(default_factory=Penalties)
    """Penalty weights."""
    jitter: Jitter = Jitter()
    """Random transforms of the picture before each pass."""
    octaves: Octaves = Field(default_factory=Octaves)
    """The sizes of the picture."""
    tiles: Tiles | None = None
    """Tiles for a picture that is too large for one pass. Default: exact tiles if the memory is too small."""
    optimizer: SerializeAsAny[OptimizerSettings] = Field(default_factory=lambda: OPTIMIZERS[DEFAULT].settings())
    """The optimizer and its settings."""

    @field_validator("optimizer", mode="before")
    @classmethod
    def _validate_optimizer(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        table = modernised(value)
        name = table.get("name", DEFAULT)
        if not is_known(name):
            raise _at("name", name, unknown_name(name, OPTIMIZERS))
        for key in table:
            if isinstance(key, str) and (text := refusal(key, name)):
                error = PydanticCustomError("key_of_another_optimizer", "{text}", {"text": text})
                raise _at(key, table[key], error)
        return OPTIMIZERS[name].settings.model_validate(table)

    @field_validator("features")
    @classmethod
    def _drop_zero_weights(cls, features: dict[str, Feature]) -> dict[str, Feature]:
        used = {layer: feature for layer, feature in features.items() if feature.weight > 0}
        if not used:
            raise ValueError("name at least one layer with a weight above 0")
        return used

    @model_validator(mode="after")
    def _check_guide(self) -> Self:
        guided = any(MEASURES[feature.measure or self.measure].guided for feature in self.features.values())
        if self.guide and not guided:
            raise ValueError(
                'there is a guide picture, but no layer has measure = "guide"; set measure = "guide", or use the '
                "settings caffe_guided"
            )
        if guided and self.guide is None:
            raise ValueError('measure = "guide" needs a guide picture; give it with --guide FILE')
        return self

    @model_validator(mode="after")
    def _check_noise_size(self) -> Self:
        if self.start == "noise" and self.size is None:
            raise ValueError('start = "noise" needs a size; set size (pixels per side)')
        return self

    @model_validator(mode="after")
    def _check_convolutions(self) -> Self:
        if self.convolutions == "winograd" and self.precision == "mixed_bfloat16":
            raise ValueError(
                'convolutions = "winograd" is too inexact in bfloat16; remove it, or precision = "mixed_bfloat16"'
            )
        return self

    @classmethod
    def load(cls, name: str | Path, /, **overrides: Any) -> Self:
        """Read the settings called `name`, or in the file `name`: a TOML file, or a PNG that dreamscripts saved.

        `overrides` replace single values: `network="pocket"`, `**{"optimizer.iterations": 5}`.
        Raises SettingsError with one line that names the file, the key and the expected value.
        """
        return load_settings(cls, name, overrides)

    @property
    def side(self) -> int:
        """The side of a picture that starts from noise, in pixels. Raises SettingsError if `size` is missing."""
        if self.size is None:
            raise SettingsError('start = "noise" needs a size; set size (pixels per side)')
        return self.size

    def value(self, key: str) -> Any:
        """Return the value of a dotted key, or None if the key does not exist."""
        value: Any = self.model_dump()
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return value

    def to_toml(self) -> str:
        """Write these settings as the text of a file that `load` reads back to the same settings."""
        return tomli_w.dumps(self.model_dump(exclude_none=True))


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


def _at(key: str, value: Any, error: PydanticCustomError | str) -> ValidationError:
    """Return the error for one key of a table. If `error` is a string, it is the type of a pydantic error."""
    return ValidationError.from_exception_data("table", [InitErrorDetails(type=error, loc=(key,), input=value)])
