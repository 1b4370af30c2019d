"""Requests of attackers: none reads or writes a file outside, makes a server error, or keeps the server busy."""

import io
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from studio_requests import HOST, JSON, OWN, TOKEN, ask, build_app, form, open_studio, post, upload

from dreamscripts.studio.routes.app import ROUTES
from dreamscripts.studio.routes.links import Links

SECRET = b"a secret of somebody else"
OTHER = "0123456789abcdef"
TOML = "[features]\nblock2_conv1 = 1\n"
API = [
    (method, route.path) for route in ROUTES for method in sorted(route.methods - {"HEAD"}) if route.path[:5] == "/api/"
]
READING = {"/api/events"}  # its answer has no end


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Make a folder for the studio, with links that lead out of it to a secret."""
    place = tmp_path_factory.mktemp("place")
    outside, base = place / "outside", place / "base"
    outside.mkdir()
    base.mkdir()
    (outside / "secret.txt").write_bytes(SECRET)
    for name in ("run.json", "final.png", "settings.toml", "mine.toml", "film.mp4"):
        (outside / name).write_bytes(SECRET)
    (base / "linked-run").symlink_to(outside)
    (base / "linked.toml").symlink_to(outside / "mine.toml")
    (base / "film.mp4").symlink_to(outside / "film.mp4")
    (base / "half").mkdir()
    (base / "half" / "run.json").symlink_to(outside / "run.json")
    return place


@pytest.fixture(scope="module")
def studio(place):
    return open_studio(place / "base")


@pytest.fixture(scope="module")
def app(studio):
    return build_app(studio)


@pytest.fixture(scope="module")
def photo(app):
    """Upload a photograph, and return its identifier."""
    return upload(app, png()).json["id"]


@pytest.fixture(autouse=True, scope="module")
def nothing_changes_outside(place):
    before = snapshot(place / "outside"), sorted(place.iterdir())
    yield
    assert (snapshot(place / "outside"), sorted(place.iterdir())) == before


def snapshot(folder):
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*")}


def png(size=(8, 8), kind="PNG"):
    file = io.BytesIO()
    Image.new("RGB", size, (200, 30, 90)).save(file, kind)
    return file.getvalue()


def is_harmless(answer):
    """Check that an answer is no server error, and says nothing about the inside."""
    assert answer.status < 500, answer.body
    assert SECRET not in answer.body
    assert b"Traceback" not in answer.body
    assert "nosniff" in answer.headers["x-content-type-options"]
    if answer.status >= 400 and answer.status != 416:
        assert answer.error
    return answer


def path_of(path, id=OTHER, name="dreamy"):
    return path.replace("{id}", id).replace("{name}", name)


def everywhere(app, headers, **options):
    """Yield the answers of all routes of the API."""
    for method, path in API:
        if path not in READING:
            yield is_harmless(ask(app, method, path_of(path), headers, **options))


@pytest.mark.parametrize("host", ["evil.example:8765", "127.0.0.1.nip.io:8765", "127.0.0.1:80", "", "localhost:8766"])
def test_a_name_that_was_bound_again_opens_nothing(app, host):
    for answer in everywhere(app, OWN | {"host": host}):
        assert answer.status == 403


@pytest.mark.parametrize(
    "origin", ["null", "http://evil.example", "http://localhost:3000", f"https://{HOST}", "file://"]
)
def test_a_page_of_another_site_does_nothing(app, origin):
    for answer in everywhere(app, OWN | JSON | {"origin": origin}, body=b"{}"):
        assert answer.status == 403


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_form_of_another_site_does_nothing(app, kind):
    for method, path in API:
        if path == "/api/photos" and kind.startswith("multipart"):
            continue
        answer = ask(app, method, path_of(path), {"host": HOST, "content-type": kind}, b'{"kind":"dream"}')
        assert is_harmless(answer).status == 401
        answer = ask(app, method, path_of(path), OWN | {"content-type": kind}, b'{"kind":"dream"}')
        assert is_harmless(answer).status == 415


@pytest.mark.parametrize("token", ["", "null", "undefined", TOKEN[:-1], TOKEN + "=", "\xff" * 20, "0" * 5000])
def test_another_token_opens_nothing(app, token):
    for answer in everywhere(app, {"host": HOST, "authorization": f"Bearer {token}"}):
        assert answer.status == 401


ODD_IDS = [
    *(
        "..",
        "%2e%2e",
        "..%2f..%2fetc%2fpasswd",
        "%5c..%5c..",
        "..\\..",
        "%00",
        "%2fetc%2fpasswd",
        "C:",
        "con",
        "~",
        "a" * 5000,
    ),
    *(
        "0123456789ABCDEF",
        "0123456789abcde",
        "0123456789abcdef0",
        "0x123456789abcde",
        "%E2%80%AE",
        "linked-run",
        "half",
    ),
    *("secret", "token", ".dreamscripts-studio", "0123456789abcdef%0a"),
]


@pytest.mark.parametrize("odd", ODD_IDS)
def test_no_identifier_is_a_path(app, odd):
    for method, path in API:
        if "{id}" in path:
            answer = ask(app, method, path_of(path, id=odd), OWN | JSON, b"{}")
            assert is_harmless(answer).status in (400, 404)
        if "{name}" in path:
            body = b"" if method == "GET" else json.dumps({"toml": "not TOML"}).encode()
            answer = ask(app, method, path_of(path, name=odd), OWN | (JSON if body else {}), body)
            assert is_harmless(answer).status in (400, 404)


def test_an_identifier_of_another_studio_is_unknown(app, tmp_path):
    other = open_studio(tmp_path)
    theirs = upload(build_app(other), png()).json["id"]
    for method, path in API:
        if "{id}" in path:
            assert is_harmless(ask(app, method, path_of(path, id=theirs), OWN | JSON, b"{}")).status in (400, 404)


NAMES = [
    *("token", "secret", "run.json", "photograph.json", "jobs", "open.html", "settings.toml", "final.png", "film.mp4"),
    *("preview-dreamy.png", "iteration_000.png", "iteration_999999999999999999999.png", "start.npy", "losses.csv"),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_right_key_opens_no_other_names(app, studio, photo, name):
    for id in (photo, OTHER, *map(studio.history.id_of, ("linked-run", "half", "film.mp4", ".", "..", "../outside"))):
        answer = ask(app, target=studio.links.sign(f"/files/{id}/{name}"), headers={"host": HOST})
        assert is_harmless(answer).status == 404


def test_the_key_of_another_file_opens_nothing(app, studio, photo):
    url = studio.links.sign(f"/files/{photo}/photograph.png")
    assert ask(app, target=url, headers={"host": HOST}).status == 200
    key = url.partition("?")[2]
    for target in (
        f"/files/{photo}/thumbnail.jpg?{key}",
        f"/files/{OTHER}/photograph.png?{key}",
        f"/files/{photo}/token?{key}",
    ):
        assert is_harmless(ask(app, target=target, headers={"host": HOST})).status == 403
    other = Links("another").sign(f"/files/{photo}/photograph.png")
    assert is_harmless(ask(app, target=other, headers={"host": HOST})).status == 403


def test_links_are_not_followed(app, studio):
    studio.history.scan()
    answer = is_harmless(ask(app, target="/api/runs"))
    assert answer.status == 200
    assert "linked-run" not in answer.body.decode() and "film.mp4" not in answer.body.decode()
    assert "linked" not in [look["name"] for look in ask(app, target="/api/state").json["looks"]]
    assert is_harmless(ask(app, target="/api/looks/linked")).status in (400, 404)


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_another_user_reads_nothing_of_the_store(studio, photo):
    store = studio.folder.store
    assert stat.S_IMODE(store.stat().st_mode) == 0o700
    for name in ("token", "secret"):
        for path in store.glob(name):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600


URLS = ["https://evil.example/x.keras", "file:///etc/x.keras"]
FILES = ["/etc/passwd.keras", "mine.keras", "~/x.h5", "../x.hdf5", r"\\\\host\\x.keras", "/dev/zero.h5", *URLS]
GUIDES = ["/etc/passwd", "final.png", "https://evil.example/x.png"]
NAMING = [
    *(f'network = "{file}"\n{TOML}' for file in (*FILES, "/etc/passwd")),
    *(f'weights = "{file}"\n{TOML}' for file in (*FILES, "/etc/passwd", "https://evil.example/w.h5")),
    *(f'measure = "guide"\n{TOML}[guide]\npicture = "{file}"\n' for file in GUIDES),
]


@pytest.mark.parametrize("toml", NAMING)
def test_settings_that_name_a_file_are_refused_everywhere(app, studio, photo, toml):
    before = len(studio.queue.jobs), len(studio.supervisor.asked)
    axis = {"key": "seed", "values": [1, 2, 3]}
    requests = [
        ("/api/jobs", {"kind": "dream", "photo": photo, "look": "x", "toml": toml}),
        ("/api/jobs", {"kind": "zoom", "photo": photo, "look": "x", "toml": toml}),
        (f"/api/photos/{photo}/previews", {"toml": toml}),
        ("/api/sheets", {"photo": photo, "look": "x", "toml": toml, "x": axis, "y": axis | {"key": "size"}}),
    ]
    for target, value in requests:
        answer = is_harmless(post(app, target, value))
        assert answer.status == 400, (target, answer)
    answer = ask(app, "PUT", "/api/looks/mine", OWN | JSON, json.dumps({"toml": toml}).encode())
    assert is_harmless(answer).status == 400
    answer = post(app, "/api/settings/check", {"toml": toml})
    assert is_harmless(answer).json["problem"]["message"]
    assert (len(studio.queue.jobs), len(studio.supervisor.asked)) == before


def test_a_value_of_a_sheet_or_a_change_names_no_file(app, photo):
    axis = {"key": "seed", "values": [1, 2, 3]}
    for key in ("network", "weights", "guide.picture", "features", "__class__", "optimizer.__init__", "a.b.c.d", ""):
        named = {"photo": photo, "look": "x", "toml": TOML, "x": axis, "y": {"key": key, "values": ["/a.keras"] * 3}}
        assert is_harmless(post(app, "/api/sheets", named)).status == 400
        for value in ("/etc/x.keras", 1, None):
            answer = is_harmless(post(app, "/api/settings/change", {"toml": TOML, "changes": {key: value}}))
            assert answer.status in (200, 400)
            if value == "/etc/x.keras" and answer.status == 200:
                assert answer.json["problem"]


PICTURES = {
    "an SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "HTML": b"<!doctype html><script>alert(1)</script>",
    "HTML with the start of a PNG": b"\x89PNG\r\n\x1a\n<script>alert(1)</script>",
    "a GIF that is a script": b"GIF89a/*" + b"\0" * 20 + b"*/=1;alert(1)",
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n(/etc/passwd) (r) file",
    "PDF": b"%PDF-1.4\n",
    "nothing": b"",
    "a zip": b"PK\x03\x04" + bytes(100),
    "half a PNG": png()[:40],
    "a link to a file": b"/etc/passwd",
    "ImageMagick's language": b"push graphic-context\nimage over 0,0 0,0 'ephemeral:/etc/passwd'\n",
}


@pytest.mark.parametrize("kind", PICTURES)
def test_what_is_no_picture_is_refused(app, kind):
    assert is_harmless(upload(app, PICTURES[kind], "photo.png")).status == 400


@pytest.mark.parametrize(
    "name",
    [
        *(
            "../../evil.png",
            "..\\..\\evil.png",
            "/etc/cron.d/evil",
            "C:\\evil.png",
            "a" * 3000,
            ".",
            "..",
            "evil\0.png",
            "",
        ),
        *("<img src=x onerror=alert(1)>.png", "%2e%2e%2fevil", "token", "\u202egnp.exe", "con", "\udce9"),
    ],
)
def test_the_name_of_an_upload_names_no_path(app, studio, name):
    answer = is_harmless(upload(app, png(), name.encode("utf-8", "surrogateescape").decode("latin-1").replace('"', "")))
    if answer.status == 200:
        path = studio.photographs.path(answer.json["id"])
        assert path.is_relative_to(studio.folder.store / "photographs")
        assert is_harmless(ask(app, "DELETE", f"/api/photos/{answer.json['id']}")).status == 200
    assert not list(studio.folder.base.rglob("*evil*"))


def test_a_bomb_is_refused_before_it_is_decoded(app):
    import struct
    import zlib

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )
    assert is_harmless(upload(app, bomb)).status == 400


PART = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n'
FILE = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a.png"\r\n\r\n' + png() + b"\r\n"
FLOODS = {
    "many fields": PART * 10_000 + b"--x--\r\n",
    "many files": FILE * 100 + b"--x--\r\n",
    "a field that is long": b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n'
    + b"b" * 3_000_000
    + b"\r\n--x--\r\n",
    "many headers": b"--x\r\n" + b"A: b\r\n" * 10_000 + b"\r\n\r\n--x--\r\n",
    "a header that is long": b"--x\r\nContent-Disposition: " + b"a" * 1_000_000 + b"\r\n\r\n\r\n--x--\r\n",
    "no end": FILE,
    "no start": b"nothing",
    "nothing": b"",
    "only ends": b"--x--\r\n" * 1000,
    "no name": b"--x\r\nContent-Disposition: form-data\r\n\r\nb\r\n--x--\r\n",
    "a text as the photo": b'--x\r\nContent-Disposition: form-data; name="photo"\r\n\r\nb\r\n--x--\r\n',
    "another field": FILE.replace(b'"photo"', b'"other"') + b"--x--\r\n",
    "bytes": os.urandom(100_000),
    "many dashes": b"-" * 500_000,
    "many line ends": b"\r\n" * 200_000,
}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flooded_form_is_refused(app, studio, kind):
    before = len(studio.photographs.all())
    answer = ask(app, "POST", "/api/photos", OWN | {"content-type": "multipart/form-data; boundary=x"}, FLOODS[kind])
    assert is_harmless(answer).status in (400, 413, 415)
    assert len(studio.photographs.all()) == before


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "; boundary",
        "; boundary=",
        "; boundary=" + "x" * 10_000,
        "; charset=../../x; boundary=x",
        '; boundary="\xff"',
    ],
)
def test_a_form_with_an_odd_boundary_is_refused(app, kind):
    answer = ask(app, "POST", "/api/photos", OWN | {"content-type": f"multipart/form-data{kind}"}, b"--y\r\n\r\n--y--")
    assert is_harmless(answer).status == 400


def test_a_form_in_many_parts_that_stops_is_given_up(app, monkeypatch):
    from dreamscripts.studio.routes import guard

    monkeypatch.setattr(guard, "PATIENCE", 0.1)
    headers, body = form(png((100, 100)))
    answer = ask(app, "POST", "/api/photos", OWN | headers, chunks=[body[:50], None])
    assert is_harmless(answer).status == 408


RANGES = [
    "bytes=0-0," * 5000 + "1-1",
    "bytes=" + "9" * 100_000 + "-",
    "bytes=0-" * 1000,
    "bytes=-0",
    "bytes=a-b",
    "\xff=0-1",
]


@pytest.mark.parametrize("range_", RANGES)
def test_a_flood_of_ranges_sends_the_file_at_most_once(app, studio, photo, range_):
    url = studio.links.sign(f"/files/{photo}/photograph.png")
    size = len(ask(app, target=url, headers={"host": HOST}).body)
    answer = is_harmless(ask(app, target=url, headers={"host": HOST, "range": range_}))
    assert len(answer.body) <= size


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


def test_the_page_has_no_secrets(app, studio):
    for path in [Path(), *(Path(studio.folder.store).rglob("*"))]:
        assert is_harmless(ask(app, target=f"/page/{path.name}", headers={"host": HOST})).status in (200, 404)
    page = ask(app, headers={"host": HOST})
    assert page.status == 200
    assert TOKEN.encode() not in page.body
    for name in ("__init__.py", "__pycache__", "app.js.map", "index.html.bak"):
        assert ask(app, target=f"/page/{name}", headers={"host": HOST}).status == 404
