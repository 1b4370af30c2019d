"""Files as answers, and parts of them."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Route
from studio_requests import ask

from dreamscripts.studio.routes import file_response as responses
from dreamscripts.studio.routes.file_response import file_response

CONTENT = os.urandom(1000)
opened = []


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "film.mp4"
    path.write_bytes(CONTENT)

    def film(request):
        opened.append(path.open("rb"))
        return file_response(request, opened[-1], "video/mp4", "a film “1”.mp4")

    def settings(request):
        return file_response(request, path.open("rb"), "application/toml", "s.toml")

    return Starlette(routes=[Route("/film", film), Route("/settings", settings)])


def get(app, method="GET", **headers):
    answer = ask(app, method, "/film", {name.replace("_", "-"): value for name, value in headers.items()})
    assert opened.pop().closed
    return answer


def test_the_whole_file(app, monkeypatch):
    monkeypatch.setattr(responses, "CHUNK", 64)
    answer = get(app)
    assert (answer.status, answer.body) == (200, CONTENT)
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["content-length"] == "1000"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-disposition"] == "inline; filename*=utf-8''a%20film%20%E2%80%9C1%E2%80%9D.mp4"


def test_what_is_neither_picture_nor_film_is_saved_and_not_shown(app):
    assert ask(app, target="/settings").headers["content-disposition"].startswith("attachment; ")


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=0-99", 0, 100), ("bytes=900-", 900, 1000), ("bytes=-10", 990, 1000), ("bytes=10-9999", 10, 1000)],
)
def test_a_part(app, asked, start, end):
    answer = get(app, range=asked)
    assert (answer.status, answer.body) == (206, CONTENT[start:end])
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/1000"
    assert answer.headers["content-length"] == str(end - start)


@pytest.mark.parametrize("asked", ["bytes=1000-", "bytes=5000-6000", "bytes=-0", "bytes=999999999999999999-"])
def test_a_part_that_there_is_not(app, asked):
    answer = get(app, range=asked)
    assert (answer.status, answer.headers["content-range"]) == (416, "bytes */1000")


@pytest.mark.parametrize(
    "asked",
    [
        *("bytes=0-0,1-1", "bytes=" + ",".join(f"{n}-{n}" for n in range(1000)), "bytes=9-1", "bytes=-", "bytes=", "x"),
        *("bytes=0-" + "9" * 5000, "bytes=--5", "bytes=1e3-", "items=0-5", "bytes=0-0 0-1", "bytes=٣-"),
    ],
)
def test_a_flood_of_ranges_is_the_whole_file_once(app, asked):
    answer = get(app, range=asked.encode().decode("latin-1"))
    assert (answer.status, answer.body) == (200, CONTENT)


@given(st.text("bytes=-0123456789, ", max_size=20))
def test_any_range_is_answered(app, asked):
    answer = get(app, range="bytes=" + asked)
    assert answer.status in (200, 206, 416)
    assert answer.body in CONTENT


def test_a_file_that_is_still_the_same_is_not_sent_again(app):
    mark = get(app).headers["etag"]
    assert get(app, if_none_match=mark).status == 304
    assert get(app, if_none_match='"other"').status == 200
    assert get(app, range="bytes=0-9", if_range=mark).status == 206
    assert get(app, range="bytes=0-9", if_range='"other"').body == CONTENT


def test_head_has_no_body(app):
    answer = get(app, "HEAD")
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "1000")
