"""The routes of the looks."""

import json

from studio.routes.conftest import TOML
from studio_requests import JSON, OWN, ask


def put(app, name, toml=TOML):
    return ask(app, "PUT", f"/api/looks/{name}", OWN | JSON, json.dumps({"toml": toml}).encode())


def test_a_look_of_the_package_is_read_with_its_comments(app):
    look = ask(app, target="/api/looks/dreamy").json
    assert (look["name"], look["own"]) == ("dreamy", False)
    assert "#" in look["toml"]


def test_an_own_look_is_saved_for_the_command_too_and_deleted(app, studio, heard):
    look = put(app, "my-look").json
    assert (look["name"], look["own"]) == ("my-look", True)
    assert (studio.folder.base / "my-look.toml").read_text() == TOML
    assert ask(app, target="/api/looks/my-look").json == {"name": "my-look", "toml": TOML, "own": True}
    name, looks = heard.pop()
    assert name == "looks"
    assert look in looks
    assert looks == ask(app, target="/api/state").json["looks"]
    assert ask(app, "DELETE", "/api/looks/my-look").json == {}
    assert look not in heard.pop()[1]
    assert not (studio.folder.base / "my-look.toml").exists()


def test_a_look_of_the_package_stays_as_it_is(app):
    assert put(app, "dreamy").error
    assert ask(app, "DELETE", "/api/looks/dreamy").error


def test_a_look_with_a_mistake_is_not_saved(app, studio):
    assert "block" in put(app, "mine", "[features]\nblock2_conv1 = 'much'\n").error
    assert put(app, "Mine").error
    assert list(studio.folder.base.glob("*.toml")) == []
    assert ask(app, target="/api/looks/mine").status == 404
