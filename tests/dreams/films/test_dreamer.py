"""Single steps for films, against the loss of the settings, on the first layers of pocket (which takes BGR)."""

import numpy as np
import pytest
from conftest import changed
from scipy import ndimage

from dreamscripts.backends import compiling
from dreamscripts.dreams.dream import dream
from dreamscripts.dreams.films import dreamer as dreamers
from dreamscripts.dreams.films import evenness
from dreamscripts.dreams.films.dreamer import Dreamer
from dreamscripts.dreams.prepare import build_evaluator, open_network
from dreamscripts.images.resizing import resampled

SIZE = 48, 64


@pytest.fixture(scope="module")
def ascent():
    """Return settings for one octave of two iterations."""
    from dreamscripts.settings.schema import Settings

    return Settings(
        features={"block2_conv1": 0.05},
        penalties={"continuity": 0.1, "dream_l2": 0.02},
        optimizer={"name": "gradient_ascent", "iterations": 2, "passes": 2},
    )


@pytest.fixture(scope="module")
def one(ascent):
    return Dreamer(ascent, *SIZE)


@pytest.fixture
def plain(monkeypatch):
    """Let steps be gradients: without shifts, and without evening out strong and weak parts."""
    monkeypatch.setattr(dreamers, "SHIFT", 0)
    monkeypatch.setattr(evenness, "EVENNESS", 0.0)


def slope(evaluator, frame, towards) -> float:
    """Return the slope of the loss from a frame, RGB in 0..255, towards a change of it, by central differences."""

    def loss(step):
        x = evaluator.network.preprocessing.normalise((frame + step * towards).astype(np.float32))
        return evaluator.loss(x.astype(np.float32))

    return (loss(1.0) - loss(-1.0)) / 2


@pytest.mark.usefixtures("plain")
def test_a_step_is_the_gradient_of_the_score_with_respect_to_red_green_and_blue(one, ascent, picture):
    """Red and blue were once swapped in the step of a network that takes BGR."""
    evaluator = build_evaluator(open_network(ascent), ascent, *SIZE)
    direction = one.direction(picture, 1)
    lengths = []
    for channel in (0, 1, 2, [0, 1, 2]):
        towards = np.zeros_like(picture)
        towards[..., channel] = ndimage.gaussian_filter(direction, (1, 1, 0))[..., channel]
        towards *= 2 / np.abs(towards).max()
        lengths.append(-slope(evaluator, picture, towards) / (direction * towards).sum())
    np.testing.assert_allclose(lengths, lengths[0], rtol=0.03)
    assert lengths[0] > 0


@pytest.mark.usefixtures("plain")
def test_each_octave_has_the_same_weight_in_a_step(ascent, picture):
    settings = changed(ascent, octaves={"count": 3, "scale": 1.5})
    evaluator = build_evaluator(open_network(settings), settings, *SIZE)
    total = 0
    for size in [(21, 28), (32, 42), SIZE]:
        x = evaluator.network.preprocessing.normalise(resampled(picture, *size)).astype(np.float32)
        gradient = resampled(-evaluator.gradient(x)[..., ::-1], *SIZE)  # caffe: BGR, in pixel values
        total = total + gradient / np.abs(gradient).mean()
    dreamer = Dreamer(settings, *SIZE)
    np.testing.assert_allclose(dreamer.direction(picture, 1), total / np.abs(total).mean(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"octaves": {"count": 2, "kind": "carried"}},
        {"octaves": {"count": 2, "kind": "grown"}},
        {"octaves": {"count": 3, "above": 1}, "jitter": {"noise": 3, "shift": 4}},
        {"start": "noise", "size": 30},
        {"size": 20},
        {"tiles": {"kind": "notebook", "size": 40}},
        {"optimizer": {"parameters": "fourier", "step": 0.05}},
    ],
    ids=lambda more: "-".join(more) or "plain",
)
def test_frames_keep_their_size_whatever_the_settings(more, ascent, picture):
    """A dream that grew used to be larger than its frame."""
    frame = picture[:47, :63]
    dreamer = Dreamer(changed(ascent, **more), 47, 63)
    direction, dreamt = dreamer.direction(frame, 3), dreamer.dream(frame)
    assert direction.shape == dreamt.shape == frame.shape
    assert direction.dtype == dreamt.dtype == np.float32
    assert np.abs(direction).mean() == pytest.approx(1, rel=1e-4)
    assert 0 <= dreamt.min() <= dreamt.max() <= 255
    assert np.abs(dreamt - frame).mean() > 0.5


def test_a_dream_of_a_frame_is_a_dream_of_a_photograph(ascent, picture, one):
    *_, last = dream(picture, ascent)
    np.testing.assert_array_equal(one.dream(picture), last.picture)


def test_each_pass_of_dreams_and_steps_is_told(ascent, picture):
    told = []
    dreamer = Dreamer(changed(ascent, octaves={"count": 2}), *SIZE, on_pass=lambda passes, loss: told.append(passes))
    dreamer.dream(picture)
    assert told == list(range(1, 2 * (1 + 4) + 1))  # in each octave, the first picture and four steps
    dreamer.direction(picture, 1)
    assert len(told) == 10 + 2


def test_skipped_octaves_are_said_once(ascent, picture, caplog):
    dreamer = Dreamer(changed(ascent, octaves={"count": 9}), *SIZE)
    said = [record.getMessage() for record in caplog.records if "is skipped" in record.getMessage()]
    assert said
    caplog.clear()
    dreamer.dream(picture)
    dreamer.direction(picture, 1)
    assert not caplog.records


def test_all_dreams_and_steps_use_one_compiled_pass(ascent, picture, monkeypatch):
    compiled = []
    compile_with_gradient = compiling.compile_with_gradient

    def counted(*what, **how):
        compiled.append(1)
        return compile_with_gradient(*what, **how)

    monkeypatch.setattr(compiling, "compile_with_gradient", counted)
    chosen = []
    dreamer = Dreamer(changed(ascent, octaves={"count": 2}), *SIZE, on_choices=chosen.append)
    for number in range(2):
        dreamer.dream(picture)
        dreamer.direction(picture, number)
    assert (len(compiled), len(chosen)) == (1, 1)


def test_a_step_depends_on_its_number_only(one, picture):
    first = one.direction(picture, 1)
    other = one.direction(picture, 2)
    one.dream(picture[::-1])
    np.testing.assert_array_equal(one.direction(picture, 1), first)
    assert np.abs(other - first).mean() > 0.01  # another shift
    assert (other * first).mean() > 0.5 * (first * first).mean()  # of the same loss


def test_the_transforms_of_the_settings_are_those_of_the_number(ascent, picture):
    dreamer = Dreamer(changed(ascent, jitter={"noise": 5, "shift": 6}), *SIZE)
    first, other = dreamer.direction(picture, 1), dreamer.direction(picture, 2)
    assert np.abs(other - first).mean() > 0.01
    np.testing.assert_array_equal(dreamer.direction(picture, 1), first)


def test_steps_raise_the_score(one, ascent, picture):
    evaluator = build_evaluator(open_network(ascent), ascent, *SIZE)
    frame, losses = picture, []
    for number in range(5):
        losses.append(evaluator.loss(evaluator.network.preprocessing.normalise(frame).astype(np.float32)))
        frame = (frame + 2 * one.direction(frame, number)).clip(0, 255)
    assert losses == sorted(losses, reverse=True)
