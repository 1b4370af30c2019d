"""Settings: what a settings file may say; how it is found, read, overridden and explained."""

import logging
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import tomli_w
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from dreamscripts.errors import SettingsError
from dreamscripts.settings.layer_equivalents import stand_in

log = logging.getLogger(__name__)

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
OptimizerName = Literal["lbfgs", "gradient_ascent", "adam"]
Measure = Literal["l2", "mean", "mean_square", "energy", "neuron", "guide"]


class Table(BaseModel):
    """A table of a settings file: its keys are these fields and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Feature(Table):
    """A layer to see more of. In a file a bare number is its weight, and the rest as the settings have it."""

    weight: Weight
    measure: Measure | None = None  # of its excitement; None for the settings' own
    # The channels that count, and what each is multiplied by; squares forget the sign. None for all; a list is all 1.
    channels: dict[Annotated[int, Field(ge=0)], Annotated[float, Field(allow_inf_nan=False)]] | None = Field(
        None, min_length=1
    )

    @model_validator(mode="before")
    @classmethod
    def _a_number_is_a_weight(cls, value: Any) -> Any:
        return value if isinstance(value, (dict, Feature)) else {"weight": value}

    @field_validator("channels", mode="before")
    @classmethod
    def _a_list_weighs_all_the_same(cls, channels: Any) -> Any:
        if isinstance(channels, (list, tuple)) and not any(isinstance(one, (list, dict)) for one in channels):
            return dict.fromkeys(channels, 1.0)
        return channels

    @model_serializer
    def _as_a_person_would_write_it(self) -> Any:
        said = {key: value for key, value in self if value is not None}
        if self.channels and all(weight == 1 for weight in self.channels.values()):
            said["channels"] = list(self.channels)
        elif self.channels:
            said["channels"] = {str(channel): weight for channel, weight in self.channels.items()}  # TOML has no others
        return self.weight if len(said) == 1 else said


class Penalties(Table):
    """Weights of what keeps the picture together, all but the last on the picture as the network sees it."""

    continuity: Weight = 0.0
    dream_l2: Weight = 0.0
    total_variation: Weight = 0.0
    diversity: Weight = 0.0  # keeps pictures that are made together apart; at 1 it weighs as much as what they gain


class Guide(Table):
    """The picture whose features a dream with `measure = "guide"` looks for."""

    picture: str
    size: int = Field(224, ge=1, le=20_000)  # its longest side in pixels

    @field_validator("picture")
    @classmethod
    def _from_anywhere(cls, picture: str) -> str:
        return str(Path(picture).absolute())  # a run may be resumed from another folder


class Jitter(Table):
    """What shakes the picture under the network, so that the optimizer does not settle in a rut.

    It is drawn anew for each iteration of L-BFGS, and for each step of gradient ascent and of Adam.
    """

    noise: Weight = 0.0  # amplitude in pixel values: uniform in [-noise, noise)
    shift: int = Field(0, ge=0)  # pixels: rolled around both axes, by whole pixels in [-shift, shift]
    rotate: float = Field(0.0, ge=0, le=180)  # degrees: turned by up to so much either way
    scale: float = Field(0.0, ge=0, lt=1)  # enlarged by a factor in [1 - scale, 1 + scale)


class Octaves(Table):
    """The sizes that a dream goes through, small to large, and how the photograph comes back in between."""

    kind: Literal["plain", "grown", "reinjected", "carried", "split"] = "plain"
    count: int = Field(1, ge=1, le=32)
    scale: float = Field(1.4, gt=1, le=8)  # between one size and the next
    above: int = Field(0, ge=0, le=8)  # how many of them are larger than the picture; it returns to its own size

    @model_validator(mode="after")
    def _one_is_no_larger(self) -> Self:
        if self.above >= self.count:
            raise ValueError(f"octaves.above = {self.above} is too many of octaves.count = {self.count}")
        if self.above and self.kind == "grown":
            raise ValueError('octaves.above is for other kinds: of kind = "grown" all but the first are larger')
        return self


class Tiles(Table):
    """Passes over square parts of a picture too large for one. In a file the kind alone may stand for the table.

    Exact ones overlap, and together give what one pass over the picture would. The other two leave some edges out
    of a pass, under a random roll that moves the seams.
    """

    kind: Literal["tutorial", "notebook", "exact"] = "tutorial"
    size: int | None = Field(None, ge=1)  # pixels a side: 512, or of exact tiles as many as memory has room for

    @model_validator(mode="before")
    @classmethod
    def _a_word_is_a_kind(cls, value: Any) -> Any:
        table = {"kind": value} if isinstance(value, str) else value
        if isinstance(table, dict) and table.get("kind") != "exact":
            return {"size": 512} | table
        return table


class Optimizer(Table):
    """What moves the pixels.

    `step`, `normalise`, `laplacian` and `max_score` are left alone by L-BFGS, `where` by all others, and `history` by
    all but L-BFGS on the device.
    """

    name: OptimizerName = "lbfgs"
    where: Literal["scipy", "device"] = "scipy"  # L-BFGS by SciPy in float64, or in float32 where the network runs
    history: int = Field(5, ge=1, le=100)  # steps that it learns the curvature from; each takes two pictures' memory
    iterations: int = Field(15, ge=1)  # in each octave
    passes: int = Field(7, ge=1)  # passes through the network in each iteration; for L-BFGS SciPy's maxfun
    clip: bool = False  # keep the pixels within 0..255
    # How far a pixel may move in an iteration, in pixel values; with it the pixels stay within 0..255.
    max_change: float | None = Field(None, gt=0, le=255)
    # The picture's Fourier coefficients, in colours without correlation, keep it within 0..255 by themselves.
    parameters: Literal["pixels", "fourier"] = "pixels"
    step: float = Field(1.5, gt=0, allow_inf_nan=False)  # pixel values times the normalised gradient; Adam's rate
    laplacian: int = Field(0, ge=0, le=12)  # splits of the pyramid that evens the gradient out over scales; 0 for none
    normalise: Literal["mean", "notebook", "std", "none"] = "mean"  # what gradient ascent divides the gradient by
    max_score: float | None = Field(None, allow_inf_nan=False)  # an octave ends once −loss passes it

    @property
    def by_scipy(self) -> bool:
        """Whether it is SciPy's L-BFGS, which keeps its vectors in main memory, in float64."""
        return self.name == "lbfgs" and self.where == "scipy"

    @property
    def on_device(self) -> bool:
        """Whether it is L-BFGS that keeps its vectors where the network runs, in float32."""
        return self.name == "lbfgs" and self.where == "device"

    @model_validator(mode="after")
    def _a_spectrum_is_no_picture(self) -> Self:
        if self.parameters == "fourier" and self.laplacian:
            raise ValueError('optimizer.laplacian is for pixels: leave it out with parameters = "fourier"')
        if self.parameters == "fourier" and self.max_change is not None:
            raise ValueError('optimizer.max_change is for pixels: leave it out with parameters = "fourier"')
        return self


class Settings(Table):
    """Everything that decides a dream, apart from the photograph."""

    network: str = "pocket"
    weights: str | None = None  # the network's own, where none are named
    # For a model of one's own (.keras, .h5), unless it preprocesses its pictures itself.
    preprocessing: Literal["caffe", "tf", "torch", "unit", "none"] | None = None
    start: Literal["photograph", "noise"] = "photograph"  # noise is grey: 100 to 101 of 255
    size: int | None = Field(None, ge=1, le=20_000)  # longest side in pixels; without it, the photograph's own
    seed: int = Field(0, ge=0)
    convolutions: Literal["auto", "direct", "winograd"] = "auto"  # how 3×3 convolutions are computed; auto is fastest
    precision: Literal["float32", "tf32", "mixed_bfloat16"] = "float32"  # of the network, on a GPU that has others
    measure: Measure = "l2"  # how excited a layer is, where its own line does not say
    features: dict[str, Feature]
    instead: dict[str, dict[str, Feature]] | None = None  # of these features, for another network
    guide: Guide | None = None
    penalties: Penalties = Penalties()
    jitter: Jitter = Jitter()
    octaves: Octaves = Octaves()
    tiles: Tiles | None = None
    optimizer: Optimizer = Optimizer()

    @field_validator("features")
    @classmethod
    def _leave_out_what_weighs_nothing(cls, features: dict[str, Feature]) -> dict[str, Feature]:
        used = {layer: feature for layer, feature in features.items() if feature.weight > 0}
        if not used:
            raise ValueError("name at least one layer with a weight above 0")
        return used

    @model_validator(mode="after")
    def _a_guided_dream_has_a_guide(self) -> Self:
        guided = any((feature.measure or self.measure) == "guide" for feature in self.features.values())
        if self.guide and not guided:
            raise ValueError('a guide is named, but no layer has measure = "guide"; caffe_guided has')
        if guided and self.guide is None:
            raise ValueError(
                'measure = "guide" wants a picture to look for: name it with --guide or --set guide.picture=FILE'
            )
        return self

    @model_validator(mode="after")
    def _noise_has_a_size(self) -> Self:
        if self.start == "noise" and self.size is None:
            raise ValueError('start = "noise" has no size of its own: say size, the pixels of a side')
        return self

    @model_validator(mode="after")
    def _winograd_wants_every_digit(self) -> Self:
        if self.convolutions == "winograd" and self.precision == "mixed_bfloat16":
            raise ValueError('convolutions = "winograd" loses too much in bfloat16: leave it out, or the precision')
        return self

    @classmethod
    def load(cls, name: str | Path, /, **overrides: Any) -> Self:
        """Read the settings called `name`, or in the file `name`: a TOML file, or a PNG that a dream was saved as.

        `overrides` replace single values: `network="pocket"`, `**{"optimizer.iterations": 5}`.
        Raises SettingsError, in one line that names the file, the key and what was expected.
        """
        from dreamscripts.settings.explaining import explain
        from dreamscripts.settings.loading import assign, choose_features, parse_toml, read_text, rename_old_keys

        table = parse_toml(read_text(name), str(name))
        rename_old_keys(table)
        written_for = choose_features(table, overrides.get("network"))
        for key, value in overrides.items():
            assign(table, key, value)
        try:
            settings = cls.model_validate(table)
        except ValidationError as error:
            raise SettingsError(explain(error, str(name), overrides)) from None
        settings._refuse_channels_of(written_for, str(name), overrides)
        return settings._with_stand_ins(overrides)

    def _refuse_channels_of(self, network: str, source: str, overrides: dict[str, Any]) -> None:
        """Raise SettingsError where channels that `source` chose for another network would be taken for this one's.

        Two networks may share a layer's name; what channel 7 of it sees has nothing to do with the other's.
        """
        one_s_own = network.endswith(".keras") and self.network.endswith(".keras")  # which may be a copy, or retrained
        if network == self.network or one_s_own or "features" in overrides:
            return
        for layer, feature in self.features.items():
            said_anew = f"features.{layer}", f"features.{layer}.channels"
            if feature.channels and not any(key in overrides for key in said_anew):
                raise SettingsError(
                    f"{source}: the channels of {layer} were chosen for {network}, and {self.network} has others; "
                    f"name its own in a table [instead.{self.network}], or with "
                    f"--set 'features={{LAYER={{weight=1, channels=[N]}}}}'"
                )

    def _with_stand_ins(self, overrides: dict[str, Any]) -> Self:
        """These settings with layers that the network has, where they name those of a network that it stands for."""
        features: dict[str, Feature] = {}
        for layer, feature in self.features.items():
            if other := stand_in(layer, self.network):
                if feature.channels:
                    raise SettingsError(
                        f"{layer} is not a layer of {self.network}; {other} stands in for it, but its channels are "
                        "others: choose them anew under [features]"
                    )
                log.warning("%s is not a layer of %s: %s stands in for it", layer, self.network, other)
                layer = other
            if layer in features:
                feature = feature.model_copy(update={"weight": feature.weight + features[layer].weight})
            features[layer] = feature
        optimizer = self.optimizer
        if optimizer.max_score is not None and features.keys() != self.features.keys():
            # It ends an octave before the strongest spot has burnt out. So do half the steps, and the pixels' range.
            instead = {"max_score": None, "clip": True}
            if "optimizer.iterations" not in overrides:
                instead["iterations"] = max(1, optimizer.iterations // 2)
            optimizer = optimizer.model_copy(update=instead)
            log.warning(
                "optimizer.clip = true and iterations = %d instead of max_score: scores of %s are on another scale",
                optimizer.iterations,
                self.network,
            )
        return self.model_copy(update={"features": features, "optimizer": optimizer, "instead": None})

    @property
    def side(self) -> int:
        """The side of a picture out of noise, in pixels. Raises SettingsError if `size` is missing."""
        if self.size is None:
            raise SettingsError('start = "noise" needs a size; set size (pixels per side)')
        return self.size

    def value(self, key: str) -> Any:
        """The value at a dotted key; None where there is none."""
        value: Any = self.model_dump()
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return value

    def to_toml(self) -> str:
        """These settings as a file that `load` reads back to the same."""
        return tomli_w.dumps(self.model_dump(exclude_none=True))
