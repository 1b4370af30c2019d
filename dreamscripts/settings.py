"""Settings: what a settings file may say; how it is found, read, overridden and explained."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from dreamscripts.errors import SettingsError, did_you_mean, plain_words

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Table(BaseModel):
    """A table of a settings file: its keys are these fields and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Penalties(Table):
    """Weights of what keeps the picture together, both on the picture as the network sees it."""

    continuity: Weight = 0.0
    dream_l2: Weight = 0.0


class Jitter(Table):
    """Noise added before each iteration and taken away after it."""

    noise: Weight = 0.0  # amplitude in pixel values: uniform in [-noise, noise)


class Optimizer(Table):
    """What moves the pixels."""

    name: Literal["lbfgs"] = "lbfgs"
    iterations: int = Field(15, ge=1)
    evaluations: int = Field(7, ge=1)  # SciPy's maxfun: no new step once this many passes are spent


class Settings(Table):
    """Everything that decides a dream, apart from the photograph."""

    network: str = "pocket"
    weights: str | None = None  # the network's own, where none are named
    preprocessing: Literal["caffe", "tf", "torch", "none"] | None = None  # for a `.keras` file only
    size: int | None = Field(None, ge=1, le=20_000)  # longest side in pixels; without it, the photograph's own
    seed: int = Field(0, ge=0)
    features: dict[str, Weight]
    penalties: Penalties = Penalties()
    jitter: Jitter = Jitter()
    optimizer: Optimizer = Optimizer()

    @field_validator("features")
    @classmethod
    def _leave_out_what_weighs_nothing(cls, features: dict[str, float]) -> dict[str, float]:
        used = {layer: weight for layer, weight in features.items() if weight > 0}
        if not used:
            raise ValueError("name at least one layer with a weight above 0")
        return used

    @classmethod
    def load(cls, name: str | Path, /, **overrides: Any) -> Self:
        """Read the settings called `name`, or in the file `name`: a TOML file, or a PNG that a dream was saved as.

        `overrides` replace single values: `network="pocket"`, `**{"optimizer.iterations": 5}`.
        Raises SettingsError, in one line that names the file, the key and what was expected.
        """
        table = parse_toml(read_text(name), str(name))
        for key, value in overrides.items():
            _assign(table, key, value)
        try:
            return cls.model_validate(table)
        except ValidationError as error:
            raise SettingsError(_explain(error, str(name), overrides)) from None

    def value(self, key: str) -> Any:
        """The value at a dotted key; None where there is none."""
        value: Any = self.model_dump()
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return value

    def to_toml(self) -> str:
        """These settings as a file that `load` reads back to the same."""
        return tomli_w.dumps(self.model_dump(exclude_none=True))


def folder() -> Path:
    """Where the named settings are: beside this module once installed, at the top of a checkout."""
    installed = Path(__file__).parent / "named_settings"
    return installed if installed.is_dir() else Path(__file__).parents[1] / "settings"


def named() -> dict[str, str]:
    """The named settings, each with the first line of comment in its file."""
    return {path.stem: path.read_text("utf-8").splitlines()[0].lstrip("# ") for path in sorted(folder().glob("*.toml"))}


def read_text(name: str | Path) -> str:
    """The text of the settings called `name`, or in the file `name` (TOML, or the PNG of a dream)."""
    path = folder() / f"{name}.toml"
    if not path.is_file():
        path = Path(name)
        if not path.suffix and not path.exists():
            known = [*named(), *map(str, Path().glob("*.toml"))]
            raise SettingsError(
                f"there are no settings called '{name}'{did_you_mean(str(name), known)}; "
                "`dreamscripts settings` lists them"
            )
    if path.suffix.lower() == ".png":
        from dreamscripts.images import read_settings

        return read_settings(path)
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise SettingsError(f"{name}: there is no such settings file") from None
    except IsADirectoryError:
        raise SettingsError(f"{name}: is a folder, not a settings file") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{name}: is not a text file; settings are TOML") from None
    except OSError as error:
        raise SettingsError(f"{name}: cannot be read: {error.strerror}") from None


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """The table that `text` says, or a SettingsError that names `source` and the line."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{source}: is not valid TOML: {error}") from None


def parse_override(text: str) -> tuple[str, Any]:
    """`key=value` as a dotted key and a TOML value; what is no TOML value is taken as a string."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise SettingsError(f"--set {text}: write it as key=value, such as optimizer.iterations=5")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()


def _assign(table: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise SettingsError(f"--set {key}: '{parent}' is a value, not a table")
    table[last] = value


def _explain(error: ValidationError, source: str, overrides: dict[str, Any]) -> str:
    """The first of pydantic's complaints, in one line, for the person who wrote the file."""
    first = error.errors()[0]
    keys = [str(key) for key in first["loc"]]
    dotted = ".".join(keys)
    if any(f"{dotted}.".startswith(f"{key}.") for key in overrides):
        source = f"{source} with {dotted} overridden"
    if first["type"] == "extra_forbidden":
        return f"{source}: there is no setting '{dotted}'{did_you_mean(dotted, _known_keys(Settings))}"
    if first["type"] == "missing":
        return f"{source}: the table [{dotted}] is missing; it names layers and their weights"
    return f"{source}: {dotted} = {first['input']!r}: {plain_words(first['msg'])}"


def _known_keys(table: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every key that a settings file can have, dotted; the tables' own names among them."""
    for name, field in table.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, Table):
            yield from _known_keys(field.annotation, f"{prefix}{name}.")
