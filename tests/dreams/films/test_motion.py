"""The motion between frames: pictures of smooth noise that are shifted, enlarged and covered by known amounts."""

import numpy as np
import pytest

pytest.importorskip("cv2")

from moving_frames import HEIGHT, WIDTH, make_texture, view

from dreamscripts.dreams.films.motion import find_motion, luma_of


@pytest.fixture(scope="module")
def texture() -> np.ndarray:
    return make_texture()


def inner(x: np.ndarray) -> np.ndarray:
    """Return the places that both frames show, in all tests here."""
    return x[15:-15, 15:-15]


@pytest.mark.parametrize(("x", "y"), [(0, 0), (1, 0), (0, -3), (4.5, 2.25), (-7, 5.5), (0.4, 0.3)])
def test_a_known_shift_is_found_to_a_fifth_of_a_pixel(x, y, texture):
    motion = find_motion(view(texture, x, y), view(texture))
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    error = np.hypot(motion.x - (columns + x), motion.y - (rows + y))
    assert np.median(inner(error)) < 0.2
    assert inner(motion.trust).mean() > 0.9


@pytest.mark.parametrize("scale", [0.97, 1.02, 1.05])
def test_a_known_enlargement_is_found_to_a_fifth_of_a_pixel(scale, texture):
    motion = find_motion(view(texture, scale=scale), view(texture))
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    middle = np.array([WIDTH - 1, HEIGHT - 1]) / 2
    error = np.hypot(
        motion.x - (middle[0] + (columns - middle[0]) / scale), motion.y - middle[1] - (rows - middle[1]) / scale
    )
    assert np.median(inner(error)) < 0.2
    assert inner(motion.trust).mean() > 0.9


def test_what_was_in_the_last_frame_is_moved_to_where_it_is_now(texture):
    now, before = view(texture, 4.5, -2), view(texture)
    moved = find_motion(now, before).moved(before.astype(np.float32))
    assert np.abs(inner(moved) - inner(now)).mean() < 2 < 20 < np.abs(inner(before.astype(float)) - inner(now)).mean()
    both = find_motion(now, before).moved(np.dstack([before, 255 - before, before]).astype(np.float32))
    np.testing.assert_allclose(both[..., 0], moved, atol=1e-3)
    np.testing.assert_allclose(both[..., 1], 255 - moved, atol=1e-2)


def test_a_still_film_is_trusted_everywhere(texture):
    motion = find_motion(view(texture), view(texture))
    np.testing.assert_allclose(motion.trust, 1)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    np.testing.assert_allclose(motion.x, columns, atol=0.05)
    np.testing.assert_allclose(motion.y, rows, atol=0.05)


def test_what_was_covered_in_the_last_frame_is_not_trusted(texture):
    """A disc moves by 5 pixels over a picture that stands still."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    piece = np.ascontiguousarray(texture[:HEIGHT, :WIDTH])

    def frame(x):
        disc = np.hypot(rows - 60, columns - x) < 25
        return np.where(disc, np.roll(piece, x, axis=1), view(texture)).astype(np.uint8), disc

    (before, covered), (now, covers) = frame(70), frame(75)
    motion = find_motion(now, before)
    uncovered = covered & ~covers
    assert motion.trust[uncovered].mean() < 0.3
    far = np.hypot(rows - 60, columns - 72) > 45
    assert motion.trust[far].mean() > 0.9
    inside = np.hypot(rows - 60, columns - 75) < 14
    assert motion.trust[inside].mean() > 0.9
    np.testing.assert_allclose(np.median(motion.x[inside] - columns[inside]), -5, atol=0.2)


def test_what_comes_into_the_frame_is_not_trusted(texture):
    motion = find_motion(view(texture, 6, 0), view(texture))
    assert motion.trust[20:-20, -5:].mean() < 0.2
    assert motion.trust[20:-20, :-20].mean() > 0.9


def test_frames_of_different_things_are_hardly_trusted(texture):
    other = np.ascontiguousarray(texture[:HEIGHT, :WIDTH]).astype(np.uint8)
    assert find_motion(view(texture), other).trust.mean() < 0.3


def test_trust_goes_from_0_to_1_without_a_hard_edge(texture):
    trust = find_motion(view(texture, 6, 0), view(texture)).trust
    assert trust.dtype == np.float32
    assert (trust.min(), trust.max()) == (0, 1)
    assert np.abs(np.diff(trust, axis=1)).max() < 0.5


def test_luma_is_that_of_bt_601(rng):
    frame = rng.integers(0, 256, (20, 30, 3), np.uint8)
    np.testing.assert_allclose(luma_of(frame), frame @ [0.299, 0.587, 0.114], atol=1)
    assert luma_of(frame).dtype == np.uint8


@pytest.mark.parametrize("size", [(37, 51), (64, 33)])
def test_frames_may_have_odd_sizes(size, texture):
    frame = texture[: size[0], : size[1]].astype(np.uint8)
    motion = find_motion(frame, frame)
    assert motion.x.shape == motion.y.shape == motion.trust.shape == size
