"""JSON as a browser reads it: no NaN, no infinity, and nothing that is not ASCII."""

import json
import math
from typing import Any


def to_json(value: Any) -> bytes:
    """Return a value as JSON in ASCII. Numbers that are not finite become null."""
    try:
        return _encoded(value)
    except ValueError:
        return _encoded(_finite(value))


def _encoded(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii")


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value
