"""Other names, other sites, other tokens, other users: nothing opens."""

import os
import stat

import pytest
from studio.hostile.attacks import API, OTHER, everywhere, is_harmless, path_of, png
from studio_requests import HOST, JSON, OWN, TOKEN, ask, build_app, open_studio, upload

from dreamscripts.studio.routes.links import Links


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


def test_an_identifier_of_another_studio_is_unknown(app, tmp_path):
    other = open_studio(tmp_path)
    theirs = upload(build_app(other), png()).json["id"]
    for method, path in API:
        if "{id}" in path:
            assert is_harmless(ask(app, method, path_of(path, id=theirs), OWN | JSON, b"{}")).status in (400, 404)


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


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_another_user_reads_nothing_of_the_store(studio, photo):
    store = studio.folder.store
    assert stat.S_IMODE(store.stat().st_mode) == 0o700
    for name in ("token", "secret"):
        for path in store.glob(name):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_page_has_no_secrets(app, studio):
    for path in studio.folder.store.rglob("*"):
        assert is_harmless(ask(app, target=f"/page/{path.name}", headers={"host": HOST})).status in (200, 404)
    page = ask(app, headers={"host": HOST})
    assert page.status == 200
    assert TOKEN.encode() not in page.body
    for name in ("__init__.py", "__pycache__", "app.js.map", "index.html.bak"):
        assert ask(app, target=f"/page/{name}", headers={"host": HOST}).status == 404
