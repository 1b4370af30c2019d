"""Mistakes in settings, in plain words."""

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from dreamscripts.errors import did_you_mean, plain_words
from dreamscripts.settings.schema import Feature, Settings, Table


def explain(error: ValidationError, source: str, overrides: dict[str, Any]) -> str:
    """The first of pydantic's complaints, in one line, for the person who wrote the file."""
    complaints = error.errors()
    first = next((one for one in complaints if one["type"] == "extra_forbidden"), complaints[0])
    dotted = ".".join(str(key) for key in first["loc"] if key != "[key]")
    if any(f"{dotted}.".startswith(f"{key}.") for key in overrides):
        source = f"{source} with {dotted} overridden"
    if first["type"] == "extra_forbidden":
        return f"{source}: there is no setting '{dotted}'{did_you_mean(dotted, _known_keys(Settings))}"
    if first["type"] == "missing":
        what = "the table [features] is missing; it names layers and their weights"
        return f"{source}: {what if dotted == 'features' else f'{dotted} is missing'}"
    if isinstance(first["input"], dict) or not dotted:  # a table whose values do not go together
        return f"{source}: {plain_words(first['msg'])}"
    return f"{source}: {dotted} = {first['input']!r}: {plain_words(first['msg'])}"


def _known_keys(table: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every key that a settings file can have, dotted; the tables' own names among them."""
    for name, field in table.model_fields.items():
        yield prefix + name
        for kind in get_args(field.annotation) or (field.annotation,):
            if isinstance(kind, type) and issubclass(kind, Table) and kind is not Feature:
                yield from _known_keys(kind, f"{prefix}{name}.")
