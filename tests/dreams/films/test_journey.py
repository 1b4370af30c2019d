"""Journeys, with dreamers whose direction is a constant."""

from types import SimpleNamespace

import numpy as np
import pytest

from dreamscripts.dreams.films import journey as travelling
from dreamscripts.dreams.films.journey import Journey
from dreamscripts.dreams.prepare import open_network
from dreamscripts.errors import NetworkError, PictureError, SettingsError
from dreamscripts.networks.tuning import Choices
from dreamscripts.settings.film_tables import Keyframe, Zoom
from dreamscripts.settings.schema import Settings

FRAME = np.zeros((4, 6, 3), np.float32)


class Constant:
    """Instead of a Dreamer: its direction is a constant, which depends on the layer."""

    made, opened = (), []

    def __init__(self, settings, height, width, *, choices, on_choices, on_pass):
        self.settings, self.size, self.choices, self.asked = settings, (height, width), choices, []
        self.on_pass = on_pass
        on_choices(choices or Choices(xla=True))
        Constant.made = *Constant.made, self

    def direction(self, frame, number):
        self.asked.append(number)
        directions = {"block1_conv1": [3, 0, 0], "block2_conv1": [0, 3, 0], "block3_conv1": [-3, 0, 0]}
        (layer,) = self.settings.features
        return frame * 0 + np.array(directions[layer], np.float32)

    def dream(self, picture):
        return picture + 1


@pytest.fixture(autouse=True)
def constant(monkeypatch):
    monkeypatch.setattr(travelling, "Dreamer", Constant)

    def opened(settings):
        Constant.opened.append(settings)
        return SimpleNamespace(check_size=lambda height, width: None)

    monkeypatch.setattr(travelling, "open_network", opened)
    Constant.made, Constant.opened = (), []


def keyframe(at, layer=1, **more) -> Keyframe:
    return Keyframe(at=at, features={f"block{layer}_conv1": 1.0}, **more)


def journey(*keyframes, **options) -> Journey:
    zoom = Zoom(keyframes=[*keyframes]) if keyframes else None
    return Journey(Settings(features={"block1_conv1": 1.0}, zoom=zoom), 4, 6, **options)


def test_a_direction_is_the_mixture_of_the_directions_of_two_keyframes_with_a_mean_of_1():
    made = journey(keyframe(0, 1), keyframe(4, 2))
    first = np.broadcast_to([3.0, 0, 0], FRAME.shape)
    np.testing.assert_allclose(made.direction(FRAME, 7, 0), first)
    mixed = made.direction(FRAME, 8, 1)
    np.testing.assert_allclose(mixed, np.broadcast_to([2.25, 0.75, 0], FRAME.shape))
    np.testing.assert_allclose(made.direction(FRAME, 9, 50), first[..., [1, 0, 2]])
    assert [dreamer.asked for dreamer in Constant.made] == [[7, 8], [8, 9]]
    assert [dreamer.size for dreamer in Constant.made] == [(4, 6)] * 2


def test_a_mixture_of_opposite_directions_is_as_long_as_each():
    mixed = journey(keyframe(0, 1), keyframe(4, 3)).direction(FRAME, 1, 1)
    np.testing.assert_allclose(mixed, np.broadcast_to([3, 0, 0], FRAME.shape), rtol=1e-5)


def test_the_same_loss_is_compiled_and_computed_once():
    made = journey(keyframe(0, factor=2.0), keyframe(1, factor=3.0, turn=9.0), keyframe(2, 2), keyframe(3))
    for number, seconds in enumerate([0, 0.5, 1, 1.5]):
        assert np.abs(made.direction(FRAME, number, seconds)).mean() == pytest.approx(1)
    assert [dreamer.asked for dreamer in Constant.made] == [[0, 1, 2, 3], [3]]


def test_a_loss_that_is_over_is_dropped():
    made = journey(keyframe(0, 1), keyframe(1, 2), keyframe(2, 3))
    for seconds in (0, 0.5, 1.5):
        made.direction(FRAME, 1, seconds)
    assert len(made._dreamers) == 2
    assert [next(iter(dreamer.settings.features)) for dreamer in Constant.made] == [
        "block1_conv1",
        "block2_conv1",
        "block3_conv1",
    ]
    made.direction(FRAME, 1, 0.5)  # a film that begins again
    assert len(Constant.made) == 4


def test_all_keyframes_use_the_choices_of_the_first():
    told = []
    made = journey(keyframe(0, 1), keyframe(1, 2), on_choices=told.append)
    made.direction(FRAME, 1, 0.5)
    assert [dreamer.choices for dreamer in Constant.made] == [None, Choices(xla=True)]
    assert told == [Choices(xla=True)] * 2
    journey(choices=Choices(winograd_from=7)).dream(FRAME)
    assert Constant.made[-1].choices == Choices(winograd_from=7)


def test_a_keyframe_replaces_the_loss_and_nothing_else():
    zoom = Zoom(keyframes=[keyframe(0, 2, measure="mean", penalties={"continuity": 0.5})])
    settings = Settings(features={"block1_conv1": 1.0}, zoom=zoom, seed=3, penalties={"dream_l2": 1.0})
    Journey(settings, 4, 6).dream(FRAME)
    (dreamer,) = Constant.made
    expected = Settings(
        features={"block2_conv1": 1.0}, measure="mean", penalties={"continuity": 0.5}, seed=3, zoom=zoom
    )
    assert dreamer.settings == expected


def test_frames_that_are_too_small_for_a_later_keyframe_are_refused_at_once(monkeypatch):
    monkeypatch.setattr(travelling, "open_network", open_network)
    with pytest.raises(PictureError, match="too small for pocket"):
        journey(keyframe(0, 1), keyframe(60, 5))


def test_a_layer_that_the_network_lacks_is_refused_at_once(monkeypatch):
    monkeypatch.setattr(travelling, "open_network", open_network)
    with pytest.raises(NetworkError, match="block9_conv1"):
        journey(keyframe(0, 1), keyframe(60, 9))


def test_without_keyframes_the_loss_is_that_of_the_settings():
    made = journey()
    np.testing.assert_array_equal(made.dream(FRAME), FRAME + 1)
    made.direction(FRAME, 1, 100)
    (dreamer,) = Constant.made
    assert list(dreamer.settings.features) == ["block1_conv1"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"measure": "guide"}, 'the keyframe at 2.5 seconds: measure = "guide" needs a guide picture'),
        (
            {"features": {"block1_conv1": 0.0}},
            "the keyframe at 2.5 seconds: name at least one layer with a weight above 0",
        ),
    ],
)
def test_a_loss_that_does_not_fit_is_refused_at_once_in_one_line(wrong, says):
    with pytest.raises(SettingsError, match=says) as refused:
        journey(keyframe(0), Keyframe.model_validate({"at": 2.5, "features": {"block1_conv1": 1.0}} | wrong))
    assert "\n" not in str(refused.value)
    assert not Constant.made
