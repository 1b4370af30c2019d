"""The guard: only the studio's own page, with the token, by a name of this machine."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import JSONResponse
from studio_requests import HOST, JSON, OWN, PORT, TOKEN, ask

from dreamscripts.studio.routes import guard as guards
from dreamscripts.studio.routes.guard import MOST_JSON, MOST_UPLOAD, Guard, Names
from dreamscripts.studio.routes.links import Links

LINKS = Links(TOKEN)
HERE = {"host": HOST}
UPLOAD = {"content-type": "multipart/form-data; boundary=x"}


async def application(scope, receive, send):
    """Read the body, and say how long it is."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message["body"]), message["more_body"]
    await JSONResponse({"bytes": size})(scope, receive, send)


def guarded(names=None):
    return Guard(application, names or Names.of([], PORT), TOKEN, LINKS)


def test_the_own_page_with_the_token_is_let_through():
    answer = ask(guarded(), target="/api/state")
    assert (answer.status, answer.json) == (200, {"bytes": 0})


@pytest.mark.parametrize("path", ["/", "/page/style.css", "/api/state", "/nothing", "/files/x", "/%2e%2e"])
def test_every_answer_keeps_other_sites_out(path):
    headers = ask(guarded(), target=path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == headers["cross-origin-opener-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers
    assert (headers.get("cache-control") == "no-store") == path.startswith("/api/")


@pytest.mark.parametrize("host", [HOST, f"localhost:{PORT}", f"LocalHost:{PORT}", f"[::1]:{PORT}"])
def test_names_of_this_machine_are_known(host):
    assert ask(guarded(), target="/api/state", headers=OWN | {"host": host}).status == 200


@pytest.mark.parametrize(
    "host",
    [
        *("", "evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:80", f"127.0.0.1.evil.example:{PORT}"),
        *(f"127.0.0.1:{PORT}.evil.example", f"localhost.:{PORT}", f"127.0.0.1@evil.example:{PORT}", "localhost:"),
        *(f"0.0.0.0:{PORT}", f"127.1:{PORT}", f"2130706433:{PORT}", f"10.0.0.1:{PORT}", f"::1:{PORT}"),
        *(
            f"127.0.0.1:{PORT} ",
            f"127.0.0.1:{PORT},evil.example",
            "127.0.0.1:99999999999",
            "localhost:٨٧٦٥".encode().decode("latin-1"),
        ),
    ],
)
def test_a_name_that_leads_here_from_elsewhere_is_refused(host):
    answer = ask(guarded(), target="/", headers=OWN | {"host": host})
    assert answer.status == 403
    assert "name of the machine" in answer.error


def test_port_80_needs_no_number():
    assert Names.of([], 80).include("localhost")
    assert not Names.of([], 8765).include("localhost")


def test_in_a_network_any_address_is_known_and_no_foreign_name():
    names = Names.of(["Laptop", "laptop.local"], PORT, any_address=True)
    for host in ("192.168.1.5", "[fe80::1]", "laptop", "LAPTOP.local"):
        assert names.include(f"{host}:{PORT}")
    for host in ("evil.example", "laptop.evil.example", "192.168.1.5.evil.example"):
        assert not names.include(f"{host}:{PORT}")


@pytest.mark.parametrize("origin", [f"http://{HOST}", f"HTTP://{HOST}"])
def test_its_own_origin_is_let_through(origin):
    assert ask(guarded(), target="/api/state", headers=OWN | {"origin": origin}).status == 200


@pytest.mark.parametrize(
    "origin",
    [
        *("null", "", "http://evil.example", "https://127.0.0.1:8765", "http://127.0.0.1", "http://127.0.0.1:8766"),
        *(f"http://localhost:{PORT}", f"http://{HOST}.evil.example", f"http://{HOST}/", "file://", f"http://{HOST}, x"),
    ],
)
def test_another_origin_is_refused_even_with_the_token(origin):
    for method, path in (("GET", "/api/state"), ("GET", "/"), ("POST", "/api/jobs"), ("OPTIONS", "/api/jobs")):
        answer = ask(guarded(), method, path, OWN | {"origin": origin})
        assert answer.status in (403, 405)
        assert answer.error


@pytest.mark.parametrize("site", ["cross-site", "same-site", "nonsense", ""])
def test_what_another_site_makes_the_browser_fetch_is_refused(site):
    for path in ("/api/state", "/page/api.js", "/", LINKS.sign("/files/1/picture.png")):
        assert ask(guarded(), target=path, headers=OWN | {"sec-fetch-site": site}).status == 403


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_what_the_page_or_the_person_fetches_is_let_through(site):
    assert ask(guarded(), target="/api/state", headers=OWN | {"sec-fetch-site": site}).status == 200


def test_a_person_may_come_to_the_page_from_anywhere():
    visit = {**HERE, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert ask(guarded(), target="/", headers=visit).status == 200
    assert ask(guarded(), target="/page/api.js", headers=visit).status == 403
    assert ask(guarded(), target="/", headers=visit | {"sec-fetch-dest": "iframe"}).status == 403
    assert ask(guarded(), target="/api/state", headers=visit | OWN).status == 403
    assert ask(guarded(), "POST", "/", headers=visit | OWN).status == 403


@pytest.mark.parametrize(
    "authorization",
    [
        *(None, "", "Bearer", "Bearer ", "Bearer wrong", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}"),
        *(
            TOKEN,
            f"Bearer  {TOKEN}",
            f"Bearer {TOKEN} ",
            f"Bearer {TOKEN.upper()}",
            "Bearer \xff",
            f"Bearer {TOKEN}\x00",
        ),
    ],
)
def test_without_the_token_nothing_is_answered(authorization):
    headers = HERE if authorization is None else HERE | {"authorization": authorization}
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE"):
        for path in ("/api/state", "/api/events", "/api/nothing", "/nothing"):
            answer = ask(guarded(), method, path, headers)
            assert answer.status == 401
            assert "token" in answer.error


def test_the_page_itself_needs_no_token_and_only_reads_of_it():
    for path in ("/", "/page/style.css"):
        assert ask(guarded(), target=path, headers=HERE).status == 200
        assert ask(guarded(), "POST", path, HERE).status == 401


def test_tokens_are_compared_in_constant_time(monkeypatch):
    compared = []
    monkeypatch.setattr(guards.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or False)
    assert ask(guarded(), target="/api/state").status == 401
    assert compared == [(TOKEN.encode(), TOKEN.encode())]


def test_a_file_opens_by_its_own_key_only():
    path = "/files/0123456789abcdef/picture.png"
    url = LINKS.sign(path)
    assert ask(guarded(), target=url, headers=HERE).status == 200
    assert ask(guarded(), target=f"{url}&v=3", headers=HERE).status == 200
    other = LINKS.sign("/files/1/picture.png")
    foreign = Links("another token").sign(path)
    for query in (
        "",
        "key=",
        "key=x",
        other.partition("?")[2],
        foreign.partition("?")[2],
        f"{url.partition('?')[2]}&key=x",
    ):
        assert ask(guarded(), target=f"{path}?{query}", headers=HERE).status == 403
    assert ask(guarded(), target=f"{path}?{'&'.join(['key=1'] * 500)}", headers=HERE).status == 403
    assert ask(guarded(), target=f"{path}?{'&'.join(['k=1'] * 50)}", headers=HERE).status == 403
    assert ask(guarded(), "DELETE", url, HERE).status == 401


def test_the_token_opens_no_file_and_a_key_no_route():
    assert ask(guarded(), target="/files/1/picture.png").status == 403
    key = LINKS.sign("/api/state").partition("?")[2]
    assert ask(guarded(), target=f"/api/state?{key}", headers=HERE).status == 401


@pytest.mark.parametrize(
    "target",
    [
        *("/..", "/page/..", "/page/../api.js", "/page/%2e%2e/x", "/page/%2E%2E%2Fx", "/page/..%2fx", "/page/..\\x"),
        *("/page/%5c..%5cx", "/page//etc/passwd", "//etc/passwd", "/page/%00", "/page/x%0a", "/page/C:/x", "/page/x/"),
        *(
            "/page/.hidden",
            "/page/%252e%252e/x",
            "/api/state/",
            "http://127.0.0.1:8765/api/state",
            "*",
            "/api/ü",
            "/a%20b",
        ),
    ],
)
def test_only_plain_paths_are_answered(target):
    answer = ask(guarded(), target=target)
    assert answer.status == 404
    assert answer.error


@given(st.binary(max_size=40))
def test_no_other_bytes_are_a_path(raw):
    target = "/page/" + raw.decode("latin-1")
    answer = ask(guarded(), target=target.replace("?", ""))
    assert answer.status in (200, 404)
    assert answer.status == 404 or (".." not in target and "\\" not in target and "//" not in target)


@pytest.mark.parametrize("method", ["OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "PROPFIND"])
def test_other_methods_are_refused(method):
    answer = ask(guarded(), method, "/api/state")
    assert answer.status == 405
    assert answer.error


@pytest.mark.parametrize(
    "kind",
    [
        *("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json", ""),
        *("application/jsonp", "text/plain; application/json", "application/json, text/plain", "application/xml"),
    ],
)
def test_a_form_of_another_site_is_refused_although_it_has_the_token(kind):
    answer = ask(guarded(), "POST", "/api/jobs", OWN | {"content-type": kind}, b"{}")
    assert answer.status == 415
    assert "application/json" in answer.error


def test_json_is_let_through_with_any_method():
    for method in ("POST", "PUT", "DELETE"):
        for kind in ("application/json", "Application/JSON; charset=utf-8"):
            assert ask(guarded(), method, "/api/x", OWN | {"content-type": kind}, b"{}").json == {"bytes": 2}
    assert ask(guarded(), "DELETE", "/api/x").status == 200


def test_only_the_upload_is_a_form():
    assert ask(guarded(), "POST", "/api/photos", OWN | UPLOAD, b"--x").json == {"bytes": 3}
    assert ask(guarded(), "PUT", "/api/photos", OWN | UPLOAD, b"--x").status == 415
    assert ask(guarded(), "POST", "/api/photos", OWN | JSON, b"{}").status == 415


@pytest.mark.parametrize("length", [str(MOST_JSON + 1), "9" * 30, "-1", "1e3", "x", "٣".encode().decode("latin-1")])
def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_read(length):
    answer = ask(guarded(), "POST", "/api/jobs", OWN | JSON | {"content-length": length}, chunks=[None])
    assert answer.status == 413
    assert "1 MB is the limit" in answer.error


def test_an_upload_may_be_larger():
    size = {"content-length": str(MOST_UPLOAD + 1)}
    assert ask(guarded(), "POST", "/api/photos", OWN | UPLOAD | size, chunks=[None]).status == 413
    assert ask(guarded(), "POST", "/api/photos", OWN | UPLOAD, bytes(2 * MOST_JSON)).json == {"bytes": 2 * MOST_JSON}


@pytest.fixture
def application_with_words(monkeypatch):
    from starlette.applications import Starlette
    from starlette.routing import Route

    async def route(request):
        return JSONResponse({"bytes": len(await request.body())})

    return Guard(Starlette(routes=[Route("/api/jobs", route, methods=["POST"])]), Names.of([], PORT), TOKEN, LINKS)


def test_a_body_that_is_longer_than_it_says_ends_at_the_limit(application_with_words):
    endless = (b"x" * 100_000 for _ in range(1000))
    answer = ask(
        application_with_words, "POST", "/api/jobs", OWN | JSON | {"transfer-encoding": "chunked"}, chunks=endless
    )
    assert answer.status == 413
    assert answer.headers["connection"] == "close"


def test_a_body_that_does_not_come_is_not_waited_for(application_with_words, monkeypatch):
    monkeypatch.setattr(guards, "PATIENCE", 0.05)
    answer = ask(application_with_words, "POST", "/api/jobs", OWN | JSON | {"content-length": "9"}, chunks=[b"{", None])
    assert answer.status == 408


@pytest.mark.parametrize("name", ["host", "origin", "authorization", "content-type", "sec-fetch-site"])
def test_a_header_that_appears_twice_is_refused(name):
    headers = OWN | JSON | {"origin": f"http://{HOST}", "sec-fetch-site": "same-origin"}
    answer = ask(guarded(), "POST", "/api/jobs", headers, b"{}", more=[(name, headers[name])])
    assert answer.status == 400
    assert "twice" in answer.error


def test_other_connections_are_closed():
    import asyncio

    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(guarded()({"type": "websocket", "path": "/"}, None, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]


@given(st.dictionaries(st.sampled_from(guards.ONCE), st.text(st.characters(max_codepoint=255)), min_size=1))
def test_no_other_headers_open_anything(headers):
    answer = ask(guarded(), target="/api/state", headers=HERE | headers)
    assert answer.status in (400, 401, 403, 415)
    assert json.loads(answer.body)["error"]
