from dataclasses import replace
from itertools import islice, pairwise

import numpy as np
import pytest
from keras import ops

from dreamscripts import dreaming
from dreamscripts.dreaming import dream
from dreamscripts.errors import Diverged, NetworkError, PictureError
from dreamscripts.losses import Loss
from dreamscripts.settings import Settings


def test_the_stream_goes_from_the_picture_to_the_last_iteration(picture, settings):
    iterates = list(dream(picture, settings))
    assert [iterate.iteration for iterate in iterates] == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(iterates[0].picture, picture, atol=1e-4)
    assert (iterates[0].evaluations, iterates[0].octave) == (1, 0)
    for before, after in pairwise(iterates):
        assert after.loss < before.loss
        assert after.evaluations > before.evaluations
        assert after.seconds > before.seconds
        assert np.abs(after.picture - before.picture).max() > 0.5
    for iterate in iterates:
        assert iterate.picture.dtype == np.float32
        assert iterate.picture.shape == picture.shape
        assert 0 <= iterate.picture.min() <= iterate.picture.max() <= 255
        assert set(iterate.terms) == {"block2_conv1", "continuity", "dream_l2"}
        assert sum(iterate.terms.values()) == pytest.approx(iterate.loss, rel=1e-9)


def test_the_size_bounds_the_longer_side(picture, settings):
    assert next(dream(picture, settings.model_copy(update={"size": 40}))).picture.shape == (30, 40, 3)


def test_the_same_seed_gives_the_same_bytes_and_another_another_dream(picture, settings):
    one, again, other = (
        [i.x for i in dream(picture, settings.model_copy(update={"seed": seed}))][-1] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.1


def test_going_on_after_an_iterate_gives_what_an_unbroken_run_gives(picture, settings):
    unbroken = list(dream(picture, settings))
    for start in range(4):
        (first,) = islice(dream(picture, settings), start, start + 1)
        rest = list(dream(None, settings, after=first))
        assert [i.iteration for i in rest] == list(range(start + 1, 5))
        for mine, theirs in zip(rest, unbroken[start + 1 :], strict=True):
            np.testing.assert_array_equal(mine.x, theirs.x)
            assert (mine.loss, mine.evaluations) == (theirs.loss, theirs.evaluations)


def test_noise_is_in_pixel_values_whatever_the_network_calls_a_pixel(picture, monkeypatch):
    settings = Settings(network="mobilenet_v2", weights="random", features={"Conv1_relu": 1}, jitter={"noise": 5})
    seen = {}

    def fake(evaluator, x, *, evaluations, noise, rng):
        seen.update(noise=noise)
        return iter(())

    monkeypatch.setattr(dreaming, "lbfgs", fake)
    list(dream(picture, settings))
    np.testing.assert_allclose(seen["noise"], [5 / 127.5] * 3)


def test_a_loss_that_leaves_the_numbers_says_in_which_iteration(picture, settings, monkeypatch):
    class Cliff:
        """Falls off the numbers once the picture is a little darker."""

        name = "cliff"

        def __call__(self, x, features):
            return ops.sqrt(ops.mean(x) - start + 1)

    start = float((picture[:, :, ::-1] - [103.939, 116.779, 123.68]).mean())
    monkeypatch.setattr(dreaming, "build_loss", lambda settings: Loss(((100.0, Cliff()),)))
    iterates = dream(picture, settings.model_copy(update={"jitter": settings.jitter.model_copy(update={"noise": 0})}))
    assert next(iterates).loss == pytest.approx(100, rel=1e-3)
    with pytest.raises(Diverged, match="iteration 1: the term 'cliff' of the loss became NaN at pass"):
        list(iterates)


def test_what_does_not_fit_is_refused_before_anything_is_yielded(picture, settings):
    with pytest.raises(NetworkError, match="no layer 'mixed3'"):
        next(dream(picture, settings.model_copy(update={"features": {"mixed3": 1.0}})))
    with pytest.raises(PictureError, match="too small"):
        next(dream(picture, settings.model_copy(update={"size": 8})))


def test_an_iterate_knows_how_much_of_it_is_blown_out(picture, settings):
    iterate = next(dream(picture, settings))
    assert iterate.beyond == 0
    x = iterate.x.copy()
    x[:24, :, 0] = 1000
    assert replace(iterate, x=x).beyond == pytest.approx(1 / 6)
