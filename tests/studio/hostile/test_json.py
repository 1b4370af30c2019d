"""JSON and addresses that are odd, huge, deep or wrong, and anything at all."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from studio.hostile.attacks import API, OTHER, READING, TOML, is_harmless, path_of
from studio_requests import JSON, OWN, ask

BODIES = {
    "deep lists": b"[" * 400_000,
    "deep tables": b'{"toml":' * 100_000,
    "deep within": b'{"toml":"","changes":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    "NaN": b'{"toml":"","changes":{"seed":NaN}}',
    "infinity": b'{"toml":"","changes":{"seed":-Infinity}}',
    "a number that is infinite": b'{"toml":"","changes":{"seed":1e999}}',
    "many digits": b'{"toml":"","changes":{"seed":' + b"9" * 500_000 + b"}}",
    "bytes": b"\xff\xfe\x00",
    "UTF-16": '{"toml":""}'.encode("utf-16"),
    "half a character": b'{"toml":"\\ud800","changes":{}}',
    "NUL": b'{"toml":"\x00"}',
    "escaped NUL": b'{"toml":"\\u0000","changes":{"\\u0000":"\\u0000"}}',
    "the same key": b'{"toml":1,"toml":"","changes":{}}',
    "a list": b"[]",
    "a text": b'"x"',
    "null": b"null",
    "nothing": b"",
    "half": b'{"toml":',
    "two": b'{"toml":"","changes":{}}{}',
    "other keys": b'{"toml":"","changes":{},"__proto__":{},"path":"/etc/passwd"}',
    "many keys": json.dumps({"toml": "", "changes": dict.fromkeys(map(str, range(5000)), 1)}).encode(),
    "long TOML": json.dumps({"toml": "#" * 900_000, "changes": {}}).encode(),
    "deep TOML": json.dumps({"toml": "a = " + "[" * 100_000, "changes": {}}).encode(),
    "a long key": json.dumps({"toml": ".".join("a" * 100_000) + " = 1", "changes": {}}).encode(),
    "a long key of a change": json.dumps({"toml": TOML, "changes": {".".join("a" * 90): 1}}).encode(),
}


@pytest.mark.parametrize("kind", BODIES)
def test_odd_json_is_refused_by_every_route(app, kind):
    for method, path in API:
        if method in ("POST", "PUT") and path != "/api/photos":
            answer = ask(app, method, path_of(path), OWN | JSON, BODIES[kind])
            assert is_harmless(answer).status in (400, 404, 413) or path.startswith("/api/settings/")


WRONG = [
    None,
    True,
    0,
    -1,
    1.5,
    10**400,
    "",
    "x",
    "\ud83d" * 3,
    "../x",
    [],
    [[]],
    {},
    {"a": {}},
    ["x"] * 3,
    [1, 2],
    "x" * 600_000,
    [None] * 3,
]
RIGHT = {
    "/api/jobs": {"kind": "dream", "photo": OTHER, "look": "dreamy", "toml": TOML, "run": None},
    "/api/photos/{id}/previews": {"looks": ["dreamy"], "toml": None},
    "/api/jobs/{id}/move": {"before": OTHER},
    "/api/looks/{name}": {"toml": TOML},
    "/api/settings/check": {"toml": TOML},
    "/api/settings/change": {"toml": TOML, "changes": {"seed": 1}},
    "/api/sheets": {
        "photo": OTHER,
        "look": "dreamy",
        "toml": TOML,
        "x": {"key": "seed", "values": [1, 2, 3]},
        "y": {"key": "size", "values": [64, 80, 96]},
    },
}


def replaced(value, wrong):
    """Yield the value with each of its parts replaced by something wrong, and left out."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield {name: part for name, part in value.items() if name != key}
            yield from (value | {key: other} for other in replaced(inner, wrong))
    yield wrong


@pytest.mark.parametrize("path", RIGHT)
def test_wrong_types_in_every_field_are_refused_in_words(app, studio, path):
    method = "PUT" if "{name}" in path else "POST"
    for wrong in WRONG:
        for value in replaced(RIGHT[path], wrong):
            body = json.dumps(value).replace(str(10**400), "1" + "0" * 400).encode()
            is_harmless(ask(app, method, path_of(path, name="dreamy"), OWN | JSON, body))
    assert studio.queue.jobs == []


QUERIES = [
    *("limit=0", "limit=-1", "limit=9999999999999999999999", "limit=x", "limit=1&limit=2", "before=../x", "before=%00"),
    *(
        "look=%ff",
        "photo=" + "x" * 5000,
        "a=b",
        "limit=NaN",
        "limit=1e3",
        "before=" + "9" * 900,
        "&" * 5000,
        "%",
        "=" * 999,
    ),
]


@pytest.mark.parametrize("query", QUERIES)
def test_odd_queries_are_refused_or_ignored(app, query):
    answer = is_harmless(ask(app, target=f"/api/runs?{query}"))
    assert answer.status in (200, 400)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)
keys = st.sampled_from(
    ["kind", "photo", "look", "toml", "run", "before", "looks", "x", "y", "changes", "key", "values"]
)
texts = st.sampled_from(["dream", "zoom", "movie", "dreamy", TOML, OTHER, "seed", "size", "optimizer.name"])


@given(
    st.sampled_from(API),
    st.dictionaries(keys, texts | json_values, max_size=6) | json_values,
    st.sampled_from([OTHER, "dreamy", "x"]),
)
def test_no_json_makes_an_error_of_the_server(app, route, value, part):
    method, path = route
    if path not in READING:
        body = b"" if method == "GET" else json.dumps(value).encode()
        is_harmless(ask(app, method, path_of(path, id=part, name=part), OWN | (JSON if body else {}), body))


@given(
    st.binary(max_size=300),
    st.sampled_from(API),
    st.sampled_from(["application/json", "multipart/form-data; boundary=x"]),
)
def test_no_bytes_make_an_error_of_the_server(app, content, route, kind):
    if route[1] not in READING:
        is_harmless(ask(app, route[0], path_of(route[1]), OWN | {"content-type": kind}, content))


@given(st.text(st.characters(max_codepoint=255), max_size=60), st.text(st.characters(max_codepoint=255), max_size=30))
def test_no_address_makes_an_error_of_the_server(app, path, query):
    is_harmless(ask(app, target=f"/{path}?{query}"))
    is_harmless(ask(app, target=f"/files/{path}?key={query}"))
