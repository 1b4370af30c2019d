"""Recipe: how `dreamscripts distil` teaches a small network. Named recipes are files in settings/recipes."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from dreamscripts.errors import SettingsError
from dreamscripts.settings.explaining import explain
from dreamscripts.settings.loading import assign, find_named, parse_toml, read_file
from dreamscripts.settings.named_files import WEIGHTS_WITHOUT_A_FILE
from dreamscripts.settings.network_names import MODEL_FILES, is_model_file, refuse_unknown_network
from dreamscripts.settings.tables import LayerName, Table

WIDTH = 0.25
MINUTES = 20.0
OPTIONS = "the options"  # the source of a recipe without a file
STUDENT_FILES = (*MODEL_FILES, ".npz")
_GIVEN = {"network": "dreamscripts distil FILE", "weights": "--weights FILE", "student": "--student FILE"}

Rate = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]


class Recipe(Table):
    """How a small network, the student, is taught by a large one, the teacher."""

    network: str
    """The teacher: name of a network, or the file of a Keras model."""
    weights: str | None = Field(None, min_length=1)
    """Weights of the teacher: "imagenet" or a file. Default: the usual weights of the network."""
    preprocessing: Literal["caffe", "tf", "torch", "unit", "none"] | None = None
    """Preprocessing of a model file (.keras, .h5). Not needed if the model preprocesses pictures itself."""
    student: str | None = Field(None, min_length=1)
    """The student to continue with: a network, a model file or weights (.npz). Default: a new student."""
    width: float | None = Field(None, ge=0.01, le=1)
    """Channels of the student's layers, as a share of the teacher's, 0.01 to 1. Default: 0.25."""
    layers: list[LayerName] | None = Field(None, min_length=1)
    """The layers that are taught. The student ends at the deepest. Default: up to three for each stride from 2 on."""
    until: LayerName | None = None
    """Choose the layers up to this one. Default: the last layer."""
    minutes: float | None = Field(None, gt=0, le=100_000, allow_inf_nan=False)
    """Length of the training in minutes, above 0. Default: 20, or without limit if `steps` is given."""
    steps: int | None = Field(None, ge=1, le=100_000_000)
    """Number of steps of the training, at least 1. Default: as many as the minutes allow."""
    batch: int = Field(24, ge=2, le=4096)
    """Pictures in a step, 2 to 4096: half are crops of photographs, and half are unfinished dreams."""
    crop: int | None = Field(None, ge=16, le=1024)
    """Side of the pictures in pixels, 16 to 1024. Default: 64 to 96, by the stride of the deepest layer."""
    dreams: int = Field(384, ge=1, le=100_000)
    """Number of unfinished dreams, at least half of `batch`."""
    rate: Rate | None = None
    """Highest learning rate of AdamW, above 0, up to 1. Default: 0.003, or 0.00005 to continue with a student."""
    seed: int = Field(0, ge=0, lt=2**63)
    """Seed of all random numbers, 0 to 2⁶³ − 1."""

    @model_validator(mode="after")
    def _check_layers(self) -> Self:
        if self.layers and self.until:
            raise ValueError("give `layers` or `until`, not both")
        return self

    @model_validator(mode="after")
    def _check_dreams(self) -> Self:
        if 2 * self.dreams < self.batch:
            raise ValueError(f"dreams = {self.dreams} must be at least half of batch = {self.batch}")
        return self

    @property
    def most_minutes(self) -> float | None:
        """The length of the training in minutes, or None if only the number of steps limits it."""
        return self.minutes or (None if self.steps else MINUTES)

    @property
    def highest_rate(self) -> float:
        """The highest learning rate."""
        return self.rate or (5e-5 if self.student else 3e-3)

    @classmethod
    def load(cls, name: str | None, changes: Mapping[str, Any]) -> Self:
        """Read the recipe called `name`, or in the file `name`, with some values replaced.

        Without a name, all values come from `changes`. A recipe may come from a stranger, so it may name networks, but
        no files. Raises SettingsError.
        """
        source = name or OPTIONS
        table = parse_toml(read_file(find_named("recipes", name), "recipe"), name) if name else {}
        for key, value in changes.items():
            assign(table, key, value)
        if "network" not in table:
            raise SettingsError("the teacher is missing; use: dreamscripts distil NETWORK --photos FOLDER")
        try:
            recipe = cls.model_validate(table)
        except ValidationError as error:
            raise SettingsError(explain(error, source, changes, cls)) from None
        for key, file in recipe.files().items():
            if key not in changes:
                raise SettingsError(f"{source}: names the {key} file {file}; give it with {_GIVEN[key]}")
        refuse_unknown_network(recipe.network, None if "network" in changes else source)
        return recipe

    def files(self) -> dict[str, str]:
        """Return {key: path} of the files that the recipe names."""
        named = {}
        if is_model_file(self.network):
            named["network"] = self.network
        if self.weights and self.weights not in WEIGHTS_WITHOUT_A_FILE:
            named["weights"] = self.weights
        if self.student and self.student.endswith(STUDENT_FILES):
            named["student"] = self.student
        return named
