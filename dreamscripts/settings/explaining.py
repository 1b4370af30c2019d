"""Explain mistakes in settings in one line."""

import re
import reprlib
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from dreamscripts.errors import did_you_mean, plain_words
from dreamscripts.registry import OPTIMIZERS, PENALTIES

INNER = {"features": "features.LAYER", "instead": "instead.NETWORK"}  # keys in tables whose keys are free names


class _Shortened(reprlib.Repr):
    """Like `repr`, but of the first parts of a long value."""

    def repr_int(self, x: int, level: int) -> str:
        # Python refuses to convert a very long integer.
        return repr(x) if x.bit_length() < 128 else f"{'-' if x < 0 else ''}2**{x.bit_length() - 1}..."


shortened = _Shortened()
shortened.maxstring = shortened.maxother = 100
shortened.maxlevel = 3


def explain(error: ValidationError, source: str, overrides: Mapping[str, Any], model: type[BaseModel]) -> str:
    """Explain the first mistake that pydantic found in settings of the type `model`, read from `source`.

    The source is not named if the mistake is in an override.
    """
    mistakes = error.errors()
    first = next((mistake for mistake in mistakes if mistake["type"] == "extra_forbidden"), mistakes[0])
    dotted = ".".join(str(key) for key in first["loc"] if key != "[key]")
    overridden = any(f"{dotted}.".startswith(f"{key}.") for key in overrides)
    if first["type"] == "extra_forbidden" and (key := next((k for k in overrides if k.startswith(f"{dotted}.")), None)):
        dotted, overridden = key, True
    dotted = shortened.repr(dotted).strip("'")
    of_source = "" if overridden else f"{source}: "
    if first["type"] == "extra_forbidden":
        return f"{of_source}there is no setting '{dotted}'{did_you_mean(dotted, known_keys(model))}"
    if first["type"] == "key_of_another_optimizer":
        return f"{of_source}{first['msg']}"
    if first["type"] == "missing":
        missing = "the table [features] is missing; it names layers and their weights"
        return f"{of_source}{missing if dotted == 'features' else f'{dotted} is missing'}"
    if (isinstance(first["input"], dict) and first["type"] == "value_error") or not dotted:
        where = f"{dotted}: " if overridden and dotted else of_source
        return f"{where}{plain_words(first['msg'])}"  # values of a table that cannot be used together
    is_number = isinstance(first["input"], str) and first["type"] in ("int_type", "float_type")
    hint = ", without quotes" if is_number and re.fullmatch(r"-?[0-9.]{1,30}", first["input"]) else ""
    expected = plain_words(first["msg"])
    if expected.endswith("a table"):
        inner = [*(key for key in known_keys(model) if key.startswith(f"{dotted}.")), INNER.get(dotted)]
        hint = f"; set the keys in it, such as {inner[0]}" if inner[0] else ""
    return f"{of_source}{dotted} = {shortened.repr(first['input'])}: {expected}{hint}"


def known_keys(table: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield every key that a settings file can have, with dots, and the names of its tables."""
    for name, field in table.model_fields.items():
        yield prefix + name
        kinds = [kind for kind in get_args(field.annotation) or (field.annotation,) if get_origin(kind) is not dict]
        if prefix + name == "penalties":
            yield from (f"penalties.{penalty}" for penalty in PENALTIES)
        if prefix + name == "optimizer":
            kinds = [entry.settings for entry in OPTIMIZERS.values()]
        for kind in kinds if get_origin(field.annotation) is not dict else []:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from known_keys(kind, f"{prefix}{name}.")
