"""The films whose true motion is known, and the numbers that are measured on them."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2")

HEIGHT, WIDTH = 90, 160


@pytest.fixture(scope="module")
def sample():
    """Return a function that imports a module of the samples, which are not a package."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "samples"))
        yield __import__
    for name in ("films", "film_numbers"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def scene(sample):
    return sample("films").Scene(HEIGHT, WIDTH, landscape="sky")


@pytest.mark.parametrize("number", [1, 7, 30])
def test_the_true_motion_moves_each_frame_onto_the_next(scene, number):
    now, before, motion = scene.frame(number), scene.frame(number - 1), scene.motion(number)
    visible = motion.trust > 0
    assert 0.9 < visible.mean() < 1
    assert 0 <= motion.x[visible].min() <= motion.x[visible].max() <= WIDTH - 1
    difference = np.abs(now - motion.moved(before.astype(np.float32))).mean(-1)
    assert difference[visible].mean() < 1.5
    assert np.abs(now.astype(float) - before).mean() > 5
    assert difference[~visible].mean() > 5 * difference[visible].mean()
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    piece = np.hypot(*(scene._centre(number)[:, None, None] - [columns, rows])) < 0.1 * HEIGHT
    assert visible[piece].all()
    np.testing.assert_allclose((columns - motion.x)[piece], 0.013 * WIDTH, atol=1e-3)
    assert (columns - motion.x)[5, WIDTH // 2] == pytest.approx(-0.008 * WIDTH * 1.004**number, abs=0.05)


def test_what_motion_uncovers_is_behind_the_piece_and_not_visible_in_both_frames(scene):
    uncovered = scene.uncovered(5)
    rows, columns = np.nonzero(uncovered)
    assert 0.002 < uncovered.mean() < 0.05
    assert not scene.motion(5).trust[uncovered].any()
    before = np.hypot(columns - scene._centre(4)[0], rows - scene._centre(4)[1])
    assert before.max() < 0.17 * HEIGHT + 2  # the camera moves by a pixel
    assert columns.mean() < scene._centre(5)[0]


@pytest.fixture
def films(sample, scene):
    """Return a film of eight frames, whose dream "ours" moves with it, and whose dream "alone" flickers."""
    films = sample("film_numbers").Films(None, scene, 8)
    noise = np.random.default_rng(0).normal(0, 20, (8, HEIGHT, WIDTH, 3))
    added = [noise[0]]
    for number in range(1, 8):
        added.append(scene.motion(number).moved(added[-1].astype(np.float32)))
    for name, dream in (("ours", added), ("alone", noise)):
        dreamt = zip(films["film"], dream, strict=True)
        films._made[name] = [np.rint((frame + more).clip(0, 255)).astype(np.uint8) for frame, more in dreamt]
    return films


def test_flicker_is_what_differs_from_the_last_frame_moved_beyond_the_film(films):
    assert films.flicker("film") == 0
    assert abs(films.flicker("ours")) < 1.5
    assert 10 < films.flicker("alone") < 25


def test_the_change_is_that_of_the_dream(films):
    assert films.change("film") == 0
    assert films.change("alone") == pytest.approx(20 * np.sqrt(2 / np.pi), rel=0.1)


def test_drift_is_the_largest_change_of_a_channel(sample):
    frames = [np.full((4, 5, 3), 100, np.uint8) for _ in range(3)]
    frames[1][..., 2] = 94
    assert sample("film_numbers").largest_drift(iter(frames)) == 6
