"""The routes of the photographs."""

import io

from PIL import Image
from studio.routes.conftest import TOML, picture_file
from studio_requests import HOST, OWN, ask, post, upload


def pixels(answer):
    return Image.open(io.BytesIO(answer.body))


def test_a_photograph_comes_back_as_a_picture_of_the_same_size(app, heard):
    answer = upload(app, picture_file((40, 30), "JPEG"), "../sky.jpg")
    photo = answer.json
    assert (photo["name"], photo["width"], photo["height"]) == ("sky.jpg", 40, 30)
    assert photo["previews"] == {}
    assert heard == [("photo", photo)]
    opened = ask(app, target=photo["url"], headers={"host": HOST})
    assert opened.headers["content-type"] == "image/png"
    assert pixels(opened).size == (40, 30)
    thumb = ask(app, target=photo["thumb"], headers={"host": HOST})
    assert (thumb.status, thumb.headers["content-type"]) == (200, "image/jpeg")
    assert ask(app, target="/api/state").json["photos"] == [photo]


def test_the_settings_in_a_dreamt_picture_come_with_it(app, make_run):
    run = make_run()
    photo = post(app, f"/api/runs/{run}/use", {})
    assert photo.status == 404  # nobody has looked into the folder yet
    ask(app, target="/api/runs")
    photo = post(app, f"/api/runs/{run}/use", {}).json
    assert "[features]" in photo["settings"]
    assert photo["name"] == "cat-dreamy.png"
    assert (photo["width"], photo["height"]) == (64, 48)


def test_looks_are_tried_on_it(app, studio, photo, heard):
    answer = post(app, f"/api/photos/{photo['id']}/previews", {})
    assert answer.status == 202
    name, id, path, looks, folder = studio.supervisor.asked[-1]
    assert (name, id) == ("preview", photo["id"])
    assert path.is_file()
    assert list(looks) == answer.json["looks"]
    ranks = {look["name"]: look["preview_rank"] for look in ask(app, target="/api/state").json["looks"]}
    assert len(looks) > 5
    assert [ranks[look] for look in looks] == sorted(ranks[look] for look in looks)
    assert all("[features]" in toml for toml in looks.values())
    Image.new("RGB", (20, 15)).save(folder / f"{next(iter(looks))}.png")
    previews = ask(app, target="/api/state").json["photos"][0]["previews"]
    assert pixels(ask(app, target=previews[next(iter(looks))], headers={"host": HOST})).size == (20, 15)
    again = post(app, f"/api/photos/{photo['id']}/previews", {}).json["looks"]
    assert again == list(looks)[1:]  # only what is missing


def test_chosen_looks_and_own_settings_are_tried(app, studio, photo):
    asked = post(app, f"/api/photos/{photo['id']}/previews", {"looks": ["dreamy", "bad_trip"]})
    assert asked.json == {"looks": ["dreamy", "bad_trip"]}
    assert list(studio.supervisor.asked[-1][3]) == ["dreamy", "bad_trip"]
    assert post(app, f"/api/photos/{photo['id']}/previews", {"toml": TOML}).status == 202
    assert list(studio.supervisor.asked[-1][3].values()) == [TOML]
    count = len(studio.supervisor.asked)
    assert post(app, f"/api/photos/{photo['id']}/previews", {"looks": ["no_such_look"]}).status == 404
    assert "is not valid TOML" in post(app, f"/api/photos/{photo['id']}/previews", {"toml": "x"}).error
    assert post(app, f"/api/photos/{photo['id']}/previews", {"looks": ["dreamy"] * 1000}).status == 400
    assert len(studio.supervisor.asked) == count


def test_a_removed_photograph_is_gone(app, studio, photo, heard):
    assert ask(app, "DELETE", f"/api/photos/{photo['id']}").json == {}
    assert studio.supervisor.asked == [("cancel_previews", photo["id"])]
    assert heard == [("photo-gone", {"id": photo["id"]})]
    assert ask(app, target="/api/state").json["photos"] == []
    assert ask(app, target=photo["url"], headers={"host": HOST}).status == 404
    assert ask(app, "DELETE", f"/api/photos/{photo['id']}").status == 404


def test_a_photograph_that_is_waited_for_stays(app, photo):
    post(app, "/api/jobs", {"kind": "dream", "photo": photo["id"], "look": "own", "toml": TOML})
    assert "in the queue" in ask(app, "DELETE", f"/api/photos/{photo['id']}").error
    assert len(ask(app, target="/api/state").json["photos"]) == 1


def test_a_form_without_a_photograph_is_refused(app):
    assert "`photo`" in upload(app, picture_file(), field="other").error
    assert "sky.png" in upload(app, b"no picture").error


def test_the_key_of_a_photograph_is_needed_and_the_token_is_not(app, photo):
    path = photo["url"].partition("?")[0]
    assert ask(app, target=path, headers=OWN).status == 403
