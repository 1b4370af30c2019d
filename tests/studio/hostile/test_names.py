"""Identifiers, names of files, links, and settings that name files: nothing leads out of the folder."""

import json

import pytest
from studio.hostile.attacks import API, OTHER, TOML, is_harmless, path_of, png
from studio_requests import HOST, JSON, OWN, ask, post, upload

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


NAMES = [
    *("token", "secret", "run.json", "photograph.json", "jobs", "open.html", "settings.toml", "final.png", "film.mp4"),
    *("preview-dreamy.png", "iteration_000.png", "iteration_999999999999999999999.png", "start.npy", "losses.csv"),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_right_key_opens_no_other_names(app, studio, photo, name):
    for id in (photo, OTHER, *map(studio.history.id_of, ("linked-run", "half", "film.mp4", ".", "..", "../outside"))):
        answer = ask(app, target=studio.links.sign(f"/files/{id}/{name}"), headers={"host": HOST})
        assert is_harmless(answer).status == 404


def test_links_are_not_followed(app, studio):
    studio.history.scan()
    answer = is_harmless(ask(app, target="/api/runs"))
    assert answer.status == 200
    assert "linked-run" not in answer.body.decode() and "film.mp4" not in answer.body.decode()
    assert "linked" not in [look["name"] for look in ask(app, target="/api/state").json["looks"]]
    assert is_harmless(ask(app, target="/api/looks/linked")).status in (400, 404)


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


def test_a_look_in_the_folder_that_names_a_file_is_not_tried(app, studio, photo, place):
    for kind, toml in enumerate(NAMING):
        (place / "base" / f"stranger{kind}.toml").write_text(toml)
        answer = is_harmless(post(app, f"/api/photos/{photo}/previews", {"looks": [f"stranger{kind}"]}))
        assert answer.status in (400, 404)
        (place / "base" / f"stranger{kind}.toml").unlink()
    post(app, f"/api/photos/{photo}/previews", {})
    for name, _, _, looks, _ in (asked for asked in studio.supervisor.asked if asked[0] == "preview"):
        assert name and not any("stranger" in look for look in looks)
