"""The files of the page."""

import pytest
from studio_requests import HOST, ask

HERE = {"host": HOST}
KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def test_the_page_is_html(app):
    answer = ask(app, headers=HERE)
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert b"<html" in answer.body


def test_every_file_that_the_page_names_is_served_with_its_kind(app):
    from importlib.resources import files

    names = [path.name for path in files("dreamscripts.studio.page").iterdir() if path.name.endswith((*KINDS,))]
    assert len(names) > 5
    for name in names:
        answer = ask(app, target=f"/page/{name}", headers=HERE)
        assert answer.status == 200
        assert answer.headers["content-type"].startswith(KINDS["." + name.rpartition(".")[2]])


def test_a_file_that_is_the_same_is_not_sent_again(app):
    mark = ask(app, headers=HERE).headers["etag"]
    again = ask(app, headers=HERE | {"if-none-match": mark})
    assert (again.status, again.body) == (304, b"")
    assert ask(app, headers=HERE | {"if-none-match": '"x"'}).status == 200


@pytest.mark.parametrize(
    "name", ["__init__.py", "__pycache__", "nothing.js", "index", "..%2fserver.py", "style.css.gz"]
)
def test_nothing_else_is_served(app, name):
    assert ask(app, target=f"/page/{name}", headers=HERE).status == 404
