"""The routes of the settings."""

from studio.routes.conftest import TOML
from studio_requests import ask, post


def test_the_form_has_sliders_and_every_key(app):
    form = ask(app, target="/api/form").json
    keys = {key["key"]: key for key in form["keys"]}
    assert set(form) == {"sliders", "keys"}
    assert len(form["sliders"]) >= 5
    assert keys["optimizer.iterations"]["table"] == "optimizer"
    assert (keys["seed"]["kind"], keys["seed"]["low"]) == ("integer", 0)
    for slider in form["sliders"]:
        assert slider["key"] in keys
        assert slider["low"] < slider["high"]
        assert slider["scale"] in ("linear", "log")
        assert slider["title"] and slider["about"]


def test_settings_are_checked(app):
    checked = post(app, "/api/settings/check", {"toml": TOML}).json
    assert checked["toml"] == TOML
    assert checked["problem"] is None
    assert checked["network"] == "pocket"
    assert checked["features"]["block2_conv1"]["weight"] == 1
    assert checked["values"]["optimizer.iterations"] == 15


def test_a_problem_has_its_line(app):
    problem = post(app, "/api/settings/check", {"toml": f"{TOML}\nseed = -1\n"}).json["problem"]
    assert problem["message"]
    problem = post(app, "/api/settings/check", {"toml": "seed = -1\n" + TOML}).json["problem"]
    assert "seed" in problem["message"]
    assert problem["line"] == 1


def test_a_change_keeps_the_comments(app):
    changed = post(app, "/api/settings/change", {"toml": TOML, "changes": {"seed": 7, "optimizer.iterations": 3}}).json
    assert "# my look" in changed["toml"] and "# rings" in changed["toml"]
    assert (changed["values"]["seed"], changed["values"]["optimizer.iterations"]) == (7, 3)
    back = post(app, "/api/settings/change", {"toml": changed["toml"], "changes": {"seed": None}}).json
    assert back["values"]["seed"] == 0
    assert "seed" not in back["toml"]


def test_a_change_to_something_wrong_is_a_problem_and_no_error(app):
    changed = post(app, "/api/settings/change", {"toml": TOML, "changes": {"seed": "x"}})
    assert changed.status == 200
    assert "seed" in changed.json["problem"]["message"]
