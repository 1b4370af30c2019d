"""Routes that are plain functions."""

import pytest
from starlette.applications import Starlette
from studio_requests import ask, post

from dreamscripts.errors import OutputError, SettingsError
from dreamscripts.studio.library.within import Missing
from dreamscripts.studio.routes.endpoint import HANDLERS, Body, Json, Nothing, Query, route


class Greeting(Body):
    name: str
    times: int = 1


class Part(Query):
    limit: int = 60


def greet(studio, id, body):
    return {"hello": [body.name] * body.times, "id": id, "studio": studio}


def limited(studio, query):
    return query.limit


def fail(error):
    def fail(studio):
        raise error

    return fail


def fault(studio):
    raise RuntimeError("a secret")


ID = "0123456789abcdef"
ERRORS = {"output": OutputError("full\ndisk"), "settings": SettingsError("x" * 5000), "missing": Missing("gone")}


@pytest.fixture(scope="module")
def app():
    routes = [
        route("POST", "/greet/{id}", greet, body=Greeting, status=202),
        route("GET", "/limited", limited, query=Part),
        route("POST", "/nothing", lambda studio, body: {}, body=Nothing),
        route("GET", "/own", lambda studio: Json([1], 203)),
        route("GET", "/fault", fault),
        *(route("GET", f"/{name}", fail(error)) for name, error in ERRORS.items()),
    ]
    app = Starlette(routes=routes, exception_handlers=HANDLERS)
    app.state.studio = "the studio"
    return app


def test_a_function_gets_the_studio_the_path_and_the_body(app):
    answer = post(app, f"/greet/{ID}", {"name": "Ada", "times": 2})
    assert (answer.status, answer.json) == (202, {"hello": ["Ada", "Ada"], "id": ID, "studio": "the studio"})


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({}, "name"),
        ({"name": 1}, "name"),
        ({"name": "a", "times": "2"}, "times"),
        ({"name": "a", "times": True}, "times"),
        ({"name": "a", "other": 1}, "other"),
        ([], "the request"),
    ],
)
def test_a_mistake_in_a_body_names_its_key(app, value, words):
    answer = post(app, f"/greet/{ID}", value)
    assert answer.status == 400
    assert words in answer.error


def test_a_query_is_text_that_becomes_numbers(app):
    assert ask(app, target="/limited").json == 60
    assert ask(app, target="/limited?limit=5").json == 5
    assert "limit" in ask(app, target="/limited?limit=x").error
    assert ask(app, target="/limited?other=1").error


def test_a_request_without_words_may_be_empty(app):
    assert ask(app, "POST", "/nothing").json == {}
    assert post(app, "/nothing", {}).json == {}
    assert post(app, "/nothing", {"a": 1}).error


def test_an_answer_may_be_a_response(app):
    assert ask(app, target="/own").status == 203


@pytest.mark.parametrize("id", ["", "x", ID.upper(), ID + "0", f"{ID}%0a"])
def test_an_identifier_has_sixteen_digits(app, id):
    assert post(app, f"/greet/{id}", {"name": "a"}).status == 404


def test_errors_that_a_person_causes_are_told_in_one_line(app):
    assert ask(app, target="/output").error == "full\\ndisk"
    assert len(ask(app, target="/settings").error) < 1100
    gone = ask(app, target="/missing")
    assert (gone.status, gone.error) == (404, "gone")
    assert ask(app, target="/elsewhere").error == "there is nothing at this address"
    assert ask(app, "POST", "/own").status == 405


def test_a_fault_of_ours_is_no_secret_for_the_terminal_and_one_for_the_page(app):
    sent = []
    with pytest.raises(RuntimeError):  # for the log of the server
        ask(_keeping(app, sent), target="/fault")
    assert sent[0]["status"] == 500
    assert b"a secret" not in sent[1]["body"] and b"Traceback" not in sent[1]["body"]
    assert sent[1]["body"].startswith(b'{"error":"the studio made a mistake')


def _keeping(app, sent):
    async def keeping(scope, receive, send):
        async def keep(message):
            sent.append(message)

        await app(scope, receive, keep)

    return keeping
