"""The tables [zoom] and [video] of a settings file."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamscripts.errors import SettingsError
from dreamscripts.settings.film_tables import Keyframe, Video, Zoom
from dreamscripts.settings.schema import Settings

LOSS = "[features]\nblock3_conv1 = 0.5\n"


def keyframe(at, rest="") -> str:
    return f"[[zoom.keyframes]]\nat = {at}\n{rest}\n[zoom.keyframes.features]\nblock3_conv1 = 1\n"


def loaded(tmp_path, text) -> Settings:
    file = tmp_path / "mine.toml"
    file.write_text(LOSS + text, encoding="utf-8")
    return Settings.load(file)


def test_without_tables_nothing_is_said_of_films():
    settings = Settings(features={"block3_conv1": 0.5})
    assert (settings.zoom, settings.video) == (None, None)
    assert set(tomllib.loads(settings.to_toml())) & {"zoom", "video"} == set()


@pytest.mark.parametrize(
    ("seconds", "fps", "frames"), [(20, 30, 600), (0.5, 25, 12), (1.001, 29.97, 30), (0.001, 1, 1), (86_400, 1, 86_400)]
)
def test_a_zoom_has_as_many_frames_as_its_seconds_hold(seconds, fps, frames):
    assert Zoom(seconds=seconds, fps=fps).frames == frames


@pytest.mark.parametrize(
    ("table", "key", "least", "most"),
    [
        (Zoom, "seconds", None, 86_400),
        (Zoom, "fps", 1, 240),
        (Zoom, "factor", 0.1, 10),
        (Zoom, "turn", -360, 360),
        (Zoom, "x", 0, 1),
        (Zoom, "y", 0, 1),
        (Zoom, "strength", None, 20),
        (Video, "start", 0, 86_400),
        (Video, "end", 0.001, 86_400),
        (Video, "every", 1, 1000),
        (Video, "strength", None, 5),
        (Video, "persistence", 0, None),
        (Video, "flicker", None, 50),
    ],
)
def test_the_range_of_each_key(table, key, least, most):
    step = 1 if key == "every" else 1e-6
    name = table.__name__.lower()

    def refused(value):
        with pytest.raises(SettingsError, match=rf"{name}\.{key} = .*: should be ") as error:
            Settings.load("dreamy", **{f"{name}.{key}": value})
        return "\n" not in str(error.value)

    for value in (least, most):
        if value is not None:
            assert getattr(table.model_validate({key: value}), key) == value
    assert refused(0 if least is None else -1 if key == "end" else least - step)
    assert refused(1 if most is None else most + step)
    assert refused("1")
    if key != "every":
        assert all(refused(value) for value in (float("nan"), float("inf"), -float("inf")))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[video]\nwibble = 1", "there is no setting 'video.wibble'"),
        ("[zoom]\nsecond = 1", r"there is no setting 'zoom.second' \(did you mean 'zoom.seconds'\?\)"),
        ("[zoom]\nloop = true\nfactor = 1", "loop = true needs an enlargement: raise `factor` above 1"),
        ("[zoom]\nloop = true\n" + keyframe(0) + keyframe(3, "factor = 0.9"), "loop = true needs an enlargement"),
        ("[zoom]\nloop = 1", "zoom.loop = 1: should be true or false"),
        ("[video]\nstart = 2\nend = 2", r"the end \(2 seconds\) must come after the start \(2 seconds\)"),
        (keyframe(0.5), "the first keyframe must be at 0 seconds"),
        (keyframe(0) + keyframe(4) + keyframe(4), "the keyframe at 4 seconds must come after the one at 4$"),
        (keyframe(0) + keyframe(4) + keyframe(3), "the keyframe at 3 seconds must come after the one at 4$"),
        (keyframe(0) + keyframe(2, "factor = 11"), "zoom.keyframes.1.factor = 11: should be at most 10"),
        (keyframe(0, "turn = inf"), "zoom.keyframes.0.turn = inf: should be a finite number"),
        (keyframe(-1), "zoom.keyframes.0.at = -1: should be at least 0"),
        (keyframe(0, 'measure = "wibble"'), "zoom.keyframes.0.measure = 'wibble': should be 'l2', "),
        (keyframe(0, "wibble = 1"), "there is no setting 'zoom.keyframes.0.wibble'"),
        (keyframe(0, "penalties = {wibble = 1}"), "there is no setting 'zoom.keyframes.0.penalties.wibble'"),
        ("[[zoom.keyframes]]\nat = 0", "zoom.keyframes.0.features is missing"),
        ("[zoom]\nkeyframes = []", r"zoom.keyframes = \[\]: "),
    ],
)
def test_a_mistake_is_told_in_one_line_that_names_the_key(text, says, tmp_path):
    with pytest.raises(SettingsError, match=rf"mine\.toml: {says}") as error:
        loaded(tmp_path, text)
    assert "\n" not in str(error.value)


def test_a_loop_needs_an_enlargement_at_every_keyframe_only(tmp_path):
    text = "[zoom]\nloop = true\nfactor = 0.5\n" + keyframe(0, "factor = 1.5") + keyframe(3, "factor = 2")
    assert loaded(tmp_path, text).zoom.loop


def test_a_journey_is_read_and_its_values_may_be_left_out(tmp_path):
    settings = loaded(tmp_path, "[zoom]\nfactor = 1.5\n" + keyframe(0) + keyframe(2.5, "turn = -3"))
    first, second = settings.zoom.keyframes
    assert first == Keyframe(at=0, features={"block3_conv1": 1})
    assert (first.factor, first.turn, first.measure, first.penalties.continuity) == (None, None, "l2", 0)
    assert (second.at, second.turn) == (2.5, -3)


weights = st.floats(0.001, 100)
features = st.dictionaries(
    st.sampled_from(["block1_conv1", "block2_conv1", "a layer"]),
    weights
    | st.fixed_dictionaries(
        {"weight": weights},
        optional={
            "measure": st.sampled_from(["l2", "mean"]),
            "channels": st.lists(st.integers(0, 500), min_size=1, max_size=3, unique=True)
            | st.dictionaries(st.integers(0, 500), st.floats(0.1, 2), min_size=1, max_size=3),
        },
    ),
    min_size=1,
)
speeds = {"factor": st.floats(0.1, 10), "turn": st.floats(-360, 360)}
values = st.fixed_dictionaries(
    {"features": features},
    optional=speeds | {"measure": st.sampled_from(["l2", "mean"]), "penalties": st.builds(dict, continuity=weights)},
)


@st.composite
def zooms(draw):
    moments = [0, *sorted(draw(st.sets(st.floats(0.1, 1000), max_size=3)))]
    keyframes = [{"at": at} | draw(values) for at in moments]
    return draw(
        st.fixed_dictionaries(
            {},
            optional=speeds | {"seconds": st.floats(0.1, 100), "x": st.floats(0, 1), "keyframes": st.just(keyframes)},
        )
    )


videos = st.fixed_dictionaries(
    {}, optional={"start": st.floats(0, 5), "end": st.floats(6, 9), "every": st.integers(1, 9), "flicker": weights}
).filter(lambda table: table.get("flicker", 1) <= 50)


@given(zooms(), videos)
def test_films_that_are_written_as_toml_read_back_to_the_same(zoom, video):
    settings = Settings(features={"block1_conv1": 1.0}, zoom=zoom, video=video)
    assert Settings.model_validate(tomllib.loads(settings.to_toml())) == settings
    assert Settings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize("key", ["zoom.seconds", "video.every"])
def test_a_single_value_can_be_set_on_the_command_line(key):
    assert Settings.load("dreamy", **{key: 5}).value(key) == 5
