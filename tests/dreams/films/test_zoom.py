"""The zoom, with a journey that adds nothing or a known pattern, so that no network is needed."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from dreamscripts.dreams.films import zoom as zooming
from dreamscripts.dreams.films.camera import View
from dreamscripts.dreams.films.zoom import dream_zoom
from dreamscripts.errors import SettingsError
from dreamscripts.settings.film_tables import Zoom

HEIGHT, WIDTH = 60, 80


class Sleep:
    """A journey that dreams nothing. `asked` are the arguments of all steps: (number, seconds)."""

    def __init__(self):
        self.asked = []

    def dream(self, picture):
        return picture

    def direction(self, frame, number, seconds):
        self.asked.append((number, seconds))
        return np.zeros_like(frame)


class Grain(Sleep):
    """A journey that adds noise, which depends on the number of the frame."""

    def direction(self, frame, number, seconds):
        return np.random.default_rng(number).choice([-1.0, 1.0], frame.shape).astype(np.float32)


class Light(Sleep):
    """A journey that makes the picture brighter, and its contrast stronger, in each frame."""

    def direction(self, frame, number, seconds):
        change = (frame - 100) / 20 + np.array([3, 0, 1], np.float32)
        return change / np.abs(change).mean()


def dot(x, y, height=HEIGHT, width=WIDTH) -> np.ndarray:
    """Return a picture with a bright dot on grey, at shares x and y of the size: float32 (H, W, 3)."""
    rows, columns = (np.arange(height) + 0.5)[:, None], np.arange(width) + 0.5
    distance = (columns - x * width) ** 2 + (rows - y * height) ** 2
    return np.repeat((60 + 120 * np.exp(-distance / 18))[..., None], 3, axis=2).astype(np.float32)


def place(picture) -> tuple[float, float]:
    """Return the place of the dot, in pixels from the left and upper edges."""
    bright = np.maximum(picture[..., 1] - np.median(picture) - 30, 0)
    row, column = ndimage.center_of_mass(bright)
    return column + 0.5, row + 0.5


def frames(picture, zoom, journey=None):
    return list(dream_zoom(picture, journey or Sleep(), zoom))


@pytest.fixture
def unheld(monkeypatch):
    """Let the tone of a film change, because what holds it also moves light and shade."""
    monkeypatch.setattr(zooming, "held", lambda picture, tone, share: picture)


@pytest.fixture
def smooth() -> np.ndarray:
    noise = np.random.default_rng(1).normal(size=(HEIGHT, WIDTH, 3))
    waves = ndimage.gaussian_filter(noise, (6, 6, 0), mode="wrap")
    return (128 + 40 * waves / waves.std()).clip(0, 255).astype(np.float32)


@pytest.mark.usefixtures("unheld")
@pytest.mark.parametrize("fps", [5, 12, 25.0])
@pytest.mark.parametrize("factor", [0.8, 1.0, 1.5])
def test_the_enlargement_per_second_does_not_depend_on_the_frames_per_second(fps, factor):
    made = frames(dot(0.6, 0.55), Zoom(seconds=1.25, fps=fps, factor=factor))
    x, y = place(made[round(fps)].picture)
    assert x - WIDTH / 2 == pytest.approx(0.1 * WIDTH * factor, abs=0.02)
    assert y - HEIGHT / 2 == pytest.approx(0.05 * HEIGHT * factor, abs=0.02)


@pytest.mark.usefixtures("unheld")
@pytest.mark.parametrize("fps", [6, 24])
@pytest.mark.parametrize(("turn", "x", "y"), [(90, 40, 46), (-90, 40, 14), (180, 24, 30)])
def test_a_positive_turn_is_clockwise_whatever_the_frames_per_second(fps, turn, x, y):
    made = frames(dot(0.7, 0.5), Zoom(seconds=1.25, fps=fps, factor=1, turn=turn))
    assert place(made[fps].picture) == pytest.approx((x, y), abs=0.02)


@pytest.mark.usefixtures("unheld")
@pytest.mark.parametrize(("x", "y"), [(0.5, 0.5), (0.2, 0.7), (0.9, 0.15)])
def test_the_point_of_the_zoom_stays_where_it_is(x, y):
    made = frames(dot(x, y), Zoom(seconds=1, fps=10, factor=1.4, turn=30, x=x, y=y))
    assert place(made[-1].picture) == pytest.approx((x * WIDTH, y * HEIGHT), abs=0.02)


@given(st.floats(0.5, 2), st.floats(-360, 360), st.floats(0, 1), st.floats(0, 1), st.tuples(*[st.integers(8, 40)] * 2))
def test_a_view_has_no_borders(factor, degrees, x, y, size):
    seen = View(factor, degrees, x, y).of(np.full((*size, 3), 100, np.float32))
    np.testing.assert_allclose(seen, 100, atol=1e-3)


def test_a_view_of_the_same_size_without_a_turn_is_the_picture(rng):
    picture = rng.uniform(0, 255, (11, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(View(1, 0, 0.3, 0.8).of(picture), picture, atol=1e-2)


def test_outside_of_a_picture_is_its_mirror_image(rng):
    picture = ndimage.gaussian_filter(rng.uniform(0, 255, (12, 16, 3)), (2, 2, 0)).astype(np.float32)
    seen = View(0.5, 0, 0, 0).of(np.repeat(np.repeat(picture, 4, axis=0), 4, axis=1))
    np.testing.assert_allclose(seen[:, 32:][:, ::-1], seen[:, :32], atol=1)
    np.testing.assert_allclose(seen[24:][::-1], seen[:24], atol=1)


@pytest.mark.usefixtures("unheld")
def test_a_frame_is_seen_at_the_speed_of_the_moment_before_it():
    moments = [(0, 1.0), (0.1, 2.0), (0.2, 3.0)]
    keyframes = [{"at": at, "factor": factor, "features": {"block1_conv1": 1.0}} for at, factor in moments]
    made = frames(dot(0.6, 0.5), Zoom.model_validate({"seconds": 0.3, "fps": 10, "keyframes": keyframes}))
    distances = [place(frame.picture)[0] - WIDTH / 2 for frame in made]
    assert distances == pytest.approx([8, 8, 8 * 2**0.1], abs=0.02)


def test_frames_are_numbered_and_as_many_as_the_film_is_long(smooth):
    made = frames(smooth, Zoom(seconds=0.5, fps=15))
    assert [frame.number for frame in made] == list(range(8))
    for frame in made:
        assert (frame.picture.dtype, frame.picture.shape) == (np.float32, smooth.shape)
        assert (frame.pixels.dtype, frame.pixels.shape) == (np.uint8, smooth.shape)
        np.testing.assert_allclose(frame.pixels, frame.picture, atol=0.51)
    assert len(frames(smooth, Zoom(seconds=0.001, fps=15))) == 1


def test_the_journey_is_asked_at_the_moment_of_each_frame(smooth):
    journey = Sleep()
    frames(smooth, Zoom(seconds=0.5, fps=8), journey)
    assert journey.asked == [(1, 0.125), (2, 0.25), (3, 0.375)]


@pytest.mark.usefixtures("unheld")
@pytest.mark.parametrize("fps", [5, 20])
def test_a_dream_grows_by_60_pixel_values_per_second_at_strength_1(fps):
    journey = Sleep()
    journey.direction = lambda frame, number, seconds: np.ones_like(frame)
    zoom = Zoom(seconds=1.25, fps=fps, factor=1, strength=0.5)
    made = frames(np.full((20, 30, 3), 50, np.float32), zoom, journey)
    np.testing.assert_allclose(made[fps].picture, 50 + 30, atol=1e-2)


def test_brightness_colours_and_contrast_are_held(smooth):
    made = frames(smooth, Zoom(seconds=4, fps=15), Light())
    means = np.array([frame.picture.mean((0, 1)) for frame in made])
    np.testing.assert_allclose(means, means[0] * np.ones((60, 1)), atol=1)
    assert made[-1].picture.std() < 1.4 * smooth.std()


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("number", [0, 1, 9, 18])
def test_a_film_that_was_interrupted_continues_to_the_same_bytes(number, loop, smooth):
    zoom = Zoom(seconds=2, fps=10, factor=2.5, turn=20, loop=loop)
    whole = frames(smooth, zoom, Grain())
    rest = list(dream_zoom(smooth[::-1], Grain(), zoom, after=whole[number]))
    assert [frame.number for frame in rest] == list(range(number + 1, 20))
    for mine, theirs in zip(rest, whole[number + 1 :], strict=True):
        np.testing.assert_array_equal(mine.picture, theirs.picture)
        np.testing.assert_array_equal(mine.start, smooth)


# Loops ----------------------------------------------------------------------------------------------------------------

LOOPS = [
    Zoom(seconds=3, fps=12, factor=1.5, loop=True),
    Zoom(seconds=3, fps=12, factor=2.6, turn=-40, x=0.4, y=0.7, loop=True),
]


@pytest.mark.parametrize("zoom", LOOPS)
def test_the_frame_after_the_last_of_a_loop_is_the_first(zoom, smooth):
    last = frames(smooth, zoom)[-1].picture
    following = View(zoom.factor ** (1 / zoom.fps), zoom.turn / zoom.fps, zoom.x, zoom.y).of(last)
    inner = np.s_[4:-4, 4:-4]
    np.testing.assert_allclose(following[inner], smooth[inner], atol=0.5)


@pytest.mark.parametrize("zoom", LOOPS)
@pytest.mark.parametrize("journey", [Sleep(), Grain()])
def test_no_frame_of_a_loop_jumps(zoom, journey, smooth):
    """A loop that enlarges less than 12 times used to begin with the first frame in its own middle at once."""
    made = frames(smooth, zoom, journey)
    view = View(zoom.factor ** (1 / zoom.fps), zoom.turn / zoom.fps, zoom.x, zoom.y)
    alone = frames(smooth, zoom.model_copy(update={"loop": False}), journey)

    def jumps(films):
        return [np.abs(now.picture - view.of(before.picture)).mean() for before, now in pairwise(films)]

    assert max(jumps(made)) < max(jumps(alone)) + 0.5


@pytest.mark.parametrize(("seconds", "factor"), [(3, 1.3), (0.1, 5)])
def test_a_loop_that_enlarges_too_little_is_refused(seconds, factor, smooth):
    with pytest.raises(SettingsError, match=r"a loop must enlarge 3 times in all.* enlarges .* use more seconds, or"):
        frames(smooth, Zoom(seconds=seconds, fps=10, factor=factor, loop=True))
