"""JSON as a browser reads it: no NaN, no infinity, and nothing that is not ASCII."""

import json
import math
from typing import Any

DEEPEST = 50  # lists and tables within each other
MOST_BITS = 1000  # of an integer; Python refuses to write much longer ones


def to_json(value: Any) -> bytes:
    """Return a value as JSON in ASCII.

    Numbers that are not finite or have hundreds of digits become null, and so does what is nested too deeply. Settings
    can contain these, and dates and times, which become texts.
    """
    try:
        return _encoded(value)
    except (ValueError, TypeError, RecursionError):
        return _encoded(_plain(value, DEEPEST))


def _encoded(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii")


def _plain(value: Any, depth: int) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value if value.bit_length() <= MOST_BITS else None
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, dict | list | tuple) and not depth:
        return None
    if isinstance(value, dict):
        return {key: _plain(inner, depth - 1) for key, inner in value.items()}
    return [_plain(inner, depth - 1) for inner in value] if isinstance(value, list | tuple) else str(value)
