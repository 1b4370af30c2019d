import pytest
from conftest import changed
from PIL import Image

from dreamscripts.errors import PictureError, SettingsError
from dreamscripts.jobs import previews
from dreamscripts.jobs.messages import PreviewTask
from dreamscripts.jobs.previews import make_previews, preview_settings
from dreamscripts.settings.loading import named_files
from dreamscripts.settings.schema import Settings

GUIDED = "caffe_guided"  # it needs a second picture


@pytest.mark.parametrize("name", [name for name in named_files() if name != GUIDED])
def test_each_look_has_a_preview_that_is_small_and_quick(name):
    found = preview_settings(named_files()[name].read_text(), name)
    assert (found.network, found.size, found.start) == ("pocket", 192, "photograph")
    assert found.optimizer.iterations <= 5
    own = Settings.load(name, network="pocket", start="photograph")
    assert found.features == own.features
    assert (found.penalties, found.jitter, found.octaves) == (own.penalties, own.jitter, own.octaves)


def test_a_guided_look_says_what_it_needs():
    with pytest.raises(SettingsError, match="guide picture"):
        preview_settings(named_files()[GUIDED].read_text(), GUIDED)


def task(photo, work, **looks) -> PreviewTask:
    return PreviewTask("id", photo, looks, work.base)


def test_the_first_look_and_then_the_quickest_is_made_and_one_that_fails_is_said(photo, settings, work):
    long = changed(settings, octaves={"count": 3}, optimizer={"passes": 6}).to_toml()
    failing = changed(settings, measure="guide", guide={"picture": "/nowhere.png"}).to_toml()
    made = []
    looks = {"first": long, "long": long, "wrong": "[features]", "failing": failing, "short": settings.to_toml()}
    problems = make_previews(task(photo, work, **looks), work, lambda look, path: made.append((look, path)))
    assert made == [(look, work.base / f"{look}.png") for look in ("first", "short", "long")]
    with Image.open(made[0][1]) as picture:
        assert max(picture.size) == 192
        assert not picture.info  # no settings: it is not a dream to go on with
    assert problems.startswith("wrong has no preview (and 1 more look has none): ")
    assert sorted(path.name for path in work.base.iterdir()) == ["first.png", "long.png", "short.png"]


def test_a_preview_stops_at_its_next_pass(photo, settings, work):
    made = []

    def on_made(look, path):
        made.append(look)
        work.stop.set()

    looks = {"one": settings.to_toml(), "two": settings.to_toml()}
    with pytest.raises(KeyboardInterrupt):
        make_previews(task(photo, work, **looks), work, on_made)
    assert made == ["one"]


def test_a_photograph_that_cannot_be_opened_is_an_error(work, settings):
    with pytest.raises(PictureError):
        make_previews(task(work.base / "none.png", work, one=settings.to_toml()), work, print)


def test_the_network_can_be_warmed_up(monkeypatch):
    dreamt = []
    monkeypatch.setattr(previews, "dream", lambda picture, settings: iter([dreamt.append(settings.network)]))
    previews.warm_up()
    assert dreamt == ["pocket"]


@pytest.mark.parametrize(
    "text",
    [
        'measure = "guide"\n[features]\nblock2_conv1 = 1.0\n[guide]\npicture = "{}"\n',
        'weights = "{}"\n[features]\nblock2_conv1 = 1.0\n',
    ],
)
def test_a_look_of_a_stranger_opens_no_file(text, photo, work):
    secret = work.base / "secret.weights.h5"
    secret.write_bytes(photo.read_bytes())
    made = []
    said = make_previews(task(photo, work, evil=text.format(secret)), work, lambda look, path: made.append(look))
    assert made == []
    assert "--allow" in said
    assert not (work.base / "evil.png").exists()
