"""JSON that a browser reads."""

import datetime
import json
import math

from hypothesis import given
from hypothesis import strategies as st

from dreamscripts.studio.json_text import to_json

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def without_infinity(value):
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [without_infinity(inner) for inner in value]
    return {key: without_infinity(inner) for key, inner in value.items()} if isinstance(value, dict) else value


@given(values)
def test_everything_comes_back_and_infinity_is_null(value):
    text = to_json(value)
    assert text.isascii()
    assert b"\n" not in text
    assert json.loads(text) == without_infinity(value)


def test_a_name_that_is_not_utf_8_is_no_error():
    assert json.loads(to_json({"name": "caf\udce9", "loss": math.nan})) == {"name": "caf\udce9", "loss": None}


def test_what_settings_can_contain_is_no_error():
    deep = value = []
    for _ in range(5000):
        value.append([])
        value = value[0]
    settings = {
        "date": datetime.date(1979, 5, 27),
        "time": datetime.time(7, 32),
        "long": 2**60_000,
        "deep": deep,
        "n": 1,
    }
    found = json.loads(to_json(settings))
    assert {key: found[key] for key in ("date", "time", "long", "n")} == {
        "date": "1979-05-27",
        "time": "07:32:00",
        "long": None,
        "n": 1,
    }
