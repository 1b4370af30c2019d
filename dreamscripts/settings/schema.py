"""Settings: the whole of a settings file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import tomli_w
from pydantic import (
    Field,
    SerializeAsAny,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from dreamscripts.errors import SettingsError, is_unicode, shown
from dreamscripts.registry import MEASURES, OPTIMIZERS, PENALTIES
from dreamscripts.settings.film_tables import Video, Zoom
from dreamscripts.settings.loading import load_settings, parse_settings
from dreamscripts.settings.named_files import absolute, is_file
from dreamscripts.settings.numbers import Side
from dreamscripts.settings.optimizer_keys import DEFAULT, is_known, modernised, refusal
from dreamscripts.settings.tables import (
    Feature,
    Guide,
    Jitter,
    LayerName,
    MeasureName,
    Octaves,
    OptimizerSettings,
    Penalties,
    Table,
    Tiles,
    at_key,
    unknown_name,
)

Precision = Literal["float32", "tf32", "mixed_bfloat16"]


class Settings(Table):
    """All settings of a dream, apart from the photograph."""

    network: str = "pocket"
    """Name of a network, or the file of a Keras model."""
    weights: str | None = Field(None, min_length=1)
    """Weights: "imagenet", "random" or a file. Default: the usual weights of the network."""
    preprocessing: Literal["caffe", "tf", "torch", "unit", "none"] | None = None
    """Preprocessing of a model file (.keras, .h5). Not needed if the model preprocesses pictures itself."""
    start: Literal["photograph", "noise"] = "photograph"
    """The picture to start with: the photograph, or grey noise of pixel values 100 to 101."""
    size: Side | None = None
    """Longest side of the picture in pixels, 1 to 20000. Default: that of the photograph."""
    seed: int = Field(0, ge=0, lt=2**63)
    """Seed of all random numbers, 0 to 2⁶³ − 1."""
    convolutions: Literal["auto", "direct", "winograd"] = "auto"
    """Algorithm of 3×3 convolutions. "auto" uses Winograd's algorithm for the layers that it makes faster."""
    precision: Literal["auto", Precision] = "auto"
    """Precision of the network. "tf32" and "mixed_bfloat16" are for GPUs. "auto" is "float32" on a CPU. On a GPU, it is
    the fastest precision whose pictures look the same."""
    measure: MeasureName = "l2"
    """The measure of every layer whose `measure` is not set."""
    features: dict[LayerName, Feature]
    """Layers of the network and their weights in the loss."""
    instead: dict[str, dict[str, Feature]] | None = None
    """Features for other networks, by the name of the network."""
    guide: Guide | None = None
    """The guide picture of `measure = "guide"`."""
    penalties: Penalties = Field(default_factory=Penalties)
    """Penalty weights."""
    jitter: Jitter = Jitter()
    """Random transforms of the picture: new ones for each iteration of L-BFGS, and for each step of others."""
    octaves: Octaves = Field(default_factory=Octaves)
    """The sizes of the picture."""
    tiles: Tiles | None = None
    """Tiles for a picture that is too large for one pass. Default: exact tiles if the memory is too small."""
    optimizer: SerializeAsAny[OptimizerSettings] = Field(default_factory=lambda: OPTIMIZERS[DEFAULT].settings())
    """The optimizer and its settings."""

    zoom: Zoom | None = None
    """The zoom of `dreamscripts zoom`."""
    video: Video | None = None
    """The film of `dreamscripts video`."""

    @field_validator("network", "weights")
    @classmethod
    def _absolute_path(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Make the path of a file absolute, because a run may be resumed from another folder."""
        return absolute(value) if value is not None and is_file(str(info.field_name), value) else value

    @field_validator("optimizer", mode="before")
    @classmethod
    def _validate_optimizer(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        table = modernised(value)
        name = table.get("name", DEFAULT)
        if not is_known(name):
            raise at_key("name", name, unknown_name(name, OPTIMIZERS))
        for key in table:
            if isinstance(key, str) and (text := refusal(key, name)):
                error = PydanticCustomError("key_of_another_optimizer", "{text}", {"text": text})
                raise at_key(key, table[key], error)
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
                "Winograd's algorithm is too inexact in bfloat16: "
                'remove convolutions = "winograd", or remove precision = "mixed_bfloat16"'
            )
        return self

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        try:
            self.to_toml()
        except SettingsError as error:
            raise ValueError(shown(str(error))) from None  # pydantic needs a text in UTF-8
        return self

    @classmethod
    def load(cls, name: str | Path, /, *, allow_files: bool = False, **overrides: Any) -> Self:
        """Read the settings called `name`, or in the file `name`: TOML, or a PNG or film of dreamscripts.

        `overrides` replace single values: `network="pocket"`, `**{"optimizer.iterations": 5}`. The settings in a file
        may name a model, weights or a guide picture only with `allow_files`, unless an override replaces it. A relative
        path in a file is relative to the folder of the file, or else to the current folder.
        Raises SettingsError with one line that names the file, the key and the expected value.
        """
        return load_settings(cls, name, overrides, allow_files)

    @classmethod
    def from_toml(cls, text: str, source: str = "settings", /, *, allow_files: bool = False, **overrides: Any) -> Self:
        """Read settings from TOML. `source` is their name for messages, and the other arguments are those of `load`.

        Raises SettingsError.
        """
        return parse_settings(cls, text, source, overrides, allow_files)

    def without_effect(self) -> dict[str, str]:
        """Return all keys, with dots, whose value is not the default but has no effect: {key: reason}.

        `seed` is never among them: a run without random numbers gives the result that any seed asks for.
        """
        unused = {}
        if self.measure != "l2" and all(feature.measure for feature in self.features.values()):
            unused["measure"] = "every layer under [features] has a measure of its own"
        for name, table in self:
            for key, reason in table.without_effect().items() if isinstance(table, Table) else ():
                if getattr(table, key) != type(table).model_fields[key].default:
                    unused[f"{name}.{key}"] = reason
        return unused

    def check_pictures(self, count: int) -> None:
        """Raise SettingsError if a penalty compares the pictures of a batch, but there is only one picture."""
        for penalty in PENALTIES.values() if count == 1 else ():
            if penalty.compares and dict(self.penalties).get(penalty.name):
                raise SettingsError(
                    f"penalties.{penalty.name} compares several pictures, but there is only one: remove it"
                )

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
        """Write these settings as the text of a file that `load` reads back to the same settings.

        Raises SettingsError if a file name in them is not UTF-8, as TOML is.
        """
        text = tomli_w.dumps(self.model_dump(exclude_none=True))
        for line in text.split("\n"):
            if not is_unicode(line):
                raise SettingsError(f"settings cannot contain a file name that is not UTF-8; rename the file: {line}")
        return text


def check_type(settings: object) -> None:
    """Raise SettingsError if an argument is not a Settings object, for example the name of settings."""
    if not isinstance(settings, Settings):
        name = repr(str(settings)) if isinstance(settings, (str, Path)) else "NAME"
        raise SettingsError(
            f"`settings` must be a Settings object, not {type(settings).__name__}: use Settings.load({name})"
        )
