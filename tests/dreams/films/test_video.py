"""Dreams over films, with a dreamer that adds a known pattern, so that no network is needed."""

from dataclasses import fields
from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage

pytest.importorskip("cv2")

from moving_frames import HEIGHT, WIDTH, make_texture, view

from dreamscripts.dreams.films import video as videos
from dreamscripts.dreams.films.motion import find_motion, luma_of
from dreamscripts.dreams.films.video import dream_video, missing
from dreamscripts.settings.film_tables import Video

STILL = Video(flicker=1e-9)  # the dream only moves and fades


class Painter:
    """A dreamer that adds a smooth pattern, and whose direction is smooth noise with a mean of 1.

    `dreamt` are the frames of whole dreams, and `stepped` the numbers of steps.
    """

    def __init__(self):
        self.dreamt, self.stepped = [], []

    def dream(self, frame):
        assert frame.dtype == np.float32
        self.dreamt.append(frame)
        return (frame + 12 * pattern(0, frame.shape)).clip(0, 255)

    def direction(self, frame, number):
        assert frame.dtype == np.float32
        self.stepped.append(number)
        return pattern(number, frame.shape)


class Idle(Painter):
    """A dreamer whose steps change nothing."""

    def direction(self, frame, number):
        return 0 * super().direction(frame, number)


class Sharpener(Painter):
    """A dreamer that strengthens the detail of a frame, and so the dream that is there already."""

    def direction(self, frame, number):
        detail = frame - ndimage.uniform_filter(frame, (9, 9, 1))
        return detail / np.abs(detail).mean()


def pattern(seed, shape) -> np.ndarray:
    smooth = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), (3, 3, 0))
    return (smooth / np.abs(smooth).mean()).astype(np.float32)


TEXTURES = [make_texture(seed) for seed in (3, 4)]


def seen(x=0.0, y=0.0, scale=1.0, texture=0, light=1.0, more=0.0) -> np.ndarray:
    """Return a frame in colour, in this light: uint8 (HEIGHT, WIDTH, 3)."""
    grey = view(TEXTURES[texture], x, y, scale).astype(float)
    return np.rint((np.stack([0.8 * grey, grey, 255 - grey], axis=2) * light + more).clip(0, 255)).astype(np.uint8)


def pan(count, speed=3, **more):
    return [seen(x=speed * number, **more) for number in range(count)]


def dreamt(frames, video=None, painter=None, after=None):
    return list(dream_video(frames, painter or Painter(), video or Video(), after))


def strength(frame) -> float:
    return float(np.abs(frame.added).mean())


# One frame after the other --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [0.5, 1.0, 2.0])
def test_the_first_frame_is_a_dream_of_it_times_the_strength(times):
    frame = seen()
    (first,) = dreamt([frame], Video(strength=times))
    expected = (frame + times * ((frame + 12 * pattern(0, frame.shape)).clip(0, 255) - frame)).clip(0, 255)
    np.testing.assert_allclose(first.pixels, expected, atol=0.51)
    assert (first.pixels.dtype, first.pixels.shape) == (np.uint8, (HEIGHT, WIDTH, 3))
    assert (first.number, first.first, first.strength) == (0, 0, pytest.approx(strength(first)))
    assert not first.new.any()


def test_a_film_without_frames_gives_none():
    assert dreamt([]) == []


def test_frames_are_streamed():
    made = dream_video((seen(number) for number in range(10**9)), Painter(), Video())
    assert [next(made).number for _ in range(3)] == [0, 1, 2]


def test_what_the_dream_added_moves_with_the_film_and_fades():
    """Nothing of the photograph is moved: the rest of each frame is that of the film."""
    frames = pan(4, speed=5)
    made = dreamt(frames, STILL.model_copy(update={"persistence": 0.9}), Idle())
    for number, frame in enumerate(made):
        np.testing.assert_allclose(frame.pixels, (frames[number] + frame.added).clip(0, 255), atol=0.51)
    moved = made[0].added[10:-10, 25:-10]
    assert np.abs(made[3].added[10:-10, 10:-25] - 0.9**3 * moved).mean() < 1.2
    assert np.abs(made[0].added[10:-10, 10:-25] - moved).mean() > 8


def test_between_two_steps_the_dream_moves_without_fading():
    painter = Idle()
    made = dreamt(pan(9), STILL.model_copy(update={"every": 4, "persistence": 0.5}), painter)
    assert painter.stepped == [4, 8]
    middle = np.array([np.abs(frame.added[20:-20, 40:-40]).mean() for frame in made])
    np.testing.assert_allclose(middle[1:4], middle[0], rtol=0.03)
    np.testing.assert_allclose(middle[4:8], middle[0] / 2, rtol=0.05)
    assert middle[8] == pytest.approx(middle[0] / 4, rel=0.07)


def test_the_first_frame_after_a_cut_is_the_first_of_every_nth():
    painter = Painter()
    dreamt(pan(4) + pan(7, texture=1), Video(every=3), painter)
    assert painter.stepped == [3, 7, 10]


def test_a_step_begins_with_the_dream_of_the_last_frame():
    painter, given = Idle(), []
    painter.direction = lambda frame, number: given.append(frame) or np.zeros_like(frame)
    frames = pan(3)
    for frame, picture, start in zip(dreamt(frames, painter=painter)[1:], frames[1:], given, strict=True):
        np.testing.assert_allclose((picture + frame.added), start.clip(0, 255), atol=1e-3)
        assert np.abs(start - picture).mean() > 8


def test_a_step_has_the_number_of_its_frame():
    painter = Painter()
    dreamt(pan(4), painter=painter)
    assert painter.stepped == [1, 2, 3]


@pytest.mark.parametrize("frames", [pan(40), [seen()] * 40, [seen(scale=1.01**number) for number in range(40)]])
def test_the_strength_of_the_first_frame_is_held(frames):
    made = dreamt(frames, painter=Sharpener())
    assert [frame.first for frame in made] == [0] * 40
    assert strength(made[0]) > 9
    for frame in made[10:]:
        assert strength(frame) == pytest.approx(strength(made[0]), rel=0.2)


@pytest.mark.parametrize("flicker", [0.25, 1, 4])
def test_a_frame_changes_by_flicker_at_most_apart_from_the_motion(flicker):
    frames = [seen()] * 12
    made = dreamt(frames, Video(flicker=flicker, persistence=0.5))
    for before, now in pairwise(made):
        step = now.added - 0.5 * before.added
        allowed = flicker * np.abs(pattern(now.number, step.shape))
        assert (np.abs(step) <= allowed + 0.8).all()  # 0.8: the motion of a still film is nearly 0
    assert np.abs(made[1].added - 0.5 * made[0].added).mean() == pytest.approx(min(flicker, 50), rel=0.1)


def test_the_step_is_the_missing_strength_within_bounds():
    added = np.repeat(np.linspace(0, 20, 200)[None, :, None], 40, axis=0).repeat(3, axis=2)
    step = missing(added, 10.0, 1.5)
    assert step.shape == (40, 200)
    assert (step.min(), step.max()) == (0, 1.5)
    np.testing.assert_allclose(step[:, :90], 1.5)
    np.testing.assert_allclose(step[:, 105:], 0)
    np.testing.assert_allclose(step[20, 95:100], 2 * (10 - added[20, 95:100, 0]), atol=0.12)


def test_pixels_stay_within_the_range():
    bright = [seen(3 * number, more=80) for number in range(5)]
    for frame, of_film in zip(dreamt(bright, Video(strength=5.0, flicker=50.0)), bright, strict=True):
        dream = of_film + frame.added
        assert -1e-3 <= dream.min() <= dream.max() <= 255 + 1e-3


# What is new ----------------------------------------------------------------------------------------------------------


def passing(count):
    """Return frames of a disc of another texture that passes over a still picture, and where it is."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    discs = [np.hypot(rows - 60, columns - 45 - 8 * number) < 25 for number in range(count)]
    still = seen()
    return [
        np.where(disc[..., None], seen(x=-8 * number, texture=1), still) for number, disc in enumerate(discs)
    ], discs


def test_the_dream_of_what_covered_a_place_does_not_stay_there():
    frames, discs = passing(3)
    made = dreamt(frames, STILL, Idle())
    uncovered = ndimage.binary_erosion(discs[0] & ~discs[1], iterations=1)
    assert np.abs(made[1].added[uncovered]).mean() < 0.3 * np.abs(made[0].added[uncovered]).mean()


def test_a_dream_grows_faster_where_the_film_shows_something_new(monkeypatch):
    frames, discs = passing(6)
    uncovered = discs[0] & ~discs[2]
    uncovered[:, :45] = False  # the left rim, which was trusted before

    def grown():
        return np.abs(dreamt(frames)[-1].added[uncovered]).mean()

    fast = grown()
    monkeypatch.setattr(videos, "NEW", 0.0)
    assert fast > grown() + 3


def test_what_is_new_comes_from_the_edge_of_a_pan_ages_and_moves():
    made = dreamt(pan(4, speed=8))
    middle = [frame.new[20:-20] for frame in made]
    assert middle[1][:, -6:].mean() > 0.7
    assert middle[1][:, :-20].mean() < 0.05
    np.testing.assert_allclose(middle[2][:, -14:-8].mean(), 0.9 * middle[1][:, -6:].mean(), atol=0.1)
    np.testing.assert_allclose(middle[3][:, -22:-16].mean(), 0.81 * middle[1][:, -6:].mean(), atol=0.1)


# Cuts -----------------------------------------------------------------------------------------------------------------

OTHER = pan(3, texture=1)


@pytest.mark.parametrize(
    "after",
    [
        OTHER,
        pan(3, texture=1, light=0.5),
        [frame[::-1] for frame in pan(3)],
        [seen(more=255)] * 3,
    ],
    ids=["other", "darker", "upside_down", "white"],
)
def test_a_cut_is_found_and_dreamt_from_the_start(after):
    painter = Painter()
    made = dreamt(pan(4) + after, painter=painter)
    assert [frame.first for frame in made] == [0] * 4 + [4] * 3
    np.testing.assert_array_equal(painter.dreamt, [pan(1)[0], after[0]])
    assert made[5].strength == made[4].strength == pytest.approx(strength(made[4]))
    np.testing.assert_array_equal(made[4].pixels, dreamt(after)[0].pixels)


def test_a_cut_between_two_dark_shots_is_found():
    made = dreamt(pan(3, light=0.2) + pan(3, light=0.2, texture=1))
    assert [frame.first for frame in made] == [0, 0, 0, 3, 3, 3]


def black(count):
    return [np.zeros((HEIGHT, WIDTH, 3), np.uint8)] * count


@pytest.mark.parametrize("light", [1.0, 0.4])
def test_a_cut_to_black_is_found_and_black_stays_black(light):
    painter = Painter()
    made = dreamt([*pan(3, light=light), *black(2), *pan(2)], painter=painter)
    assert [frame.first for frame in made] == [0, 0, 0, 3, 4, 5, 5]
    assert len(painter.dreamt) == 2
    assert not made[3].pixels.any()
    assert not made[4].pixels.any()


def test_a_shot_that_fades_in_is_dreamt_of_when_it_can_be_seen():
    painter = Painter()
    made = dreamt([seen(light=light) for light in np.linspace(0, 1, 21)], painter=painter)
    (first,) = painter.dreamt
    assert 12 < luma_of(first.astype(np.uint8)).mean() < 24
    number = next(frame.number for frame in made if frame.strength)
    assert {frame.first for frame in made[number:]} == {number}
    np.testing.assert_array_equal(made[number - 1].pixels, seen(light=(number - 1) / 20))


def test_a_dream_fades_with_a_film_that_fades_to_black():
    painter = Painter()
    frames = [seen(light=light) for light in [*np.linspace(1, 0, 13), *[0] * 40]]
    made = dreamt(frames, painter=painter)
    assert {frame.first for frame in made} == {0}
    assert strength(made[-1]) < 0.1
    visible = [number for number, frame in enumerate(frames) if luma_of(frame).mean() >= 12]
    assert painter.stepped == visible[1:] == list(range(1, 11))


FADE = np.linspace(1, 0, 13)


@pytest.mark.parametrize(
    "frames",
    [
        pan(8, speed=9),
        [seen(y=-9 * number) for number in range(8)],
        [seen()] * 8,
        [seen(scale=1.06**number) for number in range(8)],
        [seen(light=light) for light in FADE],
        [seen(x=2 * number, light=light) for number, light in enumerate(FADE)],
        [*pan(3), seen(x=9, more=90), *[seen(x=3 * number) for number in range(4, 7)]],
        [*pan(3), seen(x=9, light=0.4), *[seen(x=3 * number) for number in range(4, 7)]],
        [np.random.default_rng(number).integers(-12, 13, (HEIGHT, WIDTH, 3)).astype(np.int8) for number in range(8)],
    ],
    ids=["pan", "tilt", "still", "zoom", "fade_out", "fading_pan", "flash", "shadow", "grain"],
)
def test_motion_light_and_grain_are_not_cuts(frames):
    if frames[0].dtype == np.int8:
        frames = [
            (seen(2 * number) + grain.astype(int)).clip(0, 255).astype(np.uint8) for number, grain in enumerate(frames)
        ]
    assert {frame.first for frame in dreamt(frames)} == {0}


# Interruptions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("number", range(7))
def test_a_film_that_was_interrupted_continues_to_the_same_bytes(number, every):
    frames, video = pan(4) + OTHER + pan(1, texture=1), Video(every=every, strength=1.5)
    whole = dreamt(frames, video)
    rest = dreamt(frames[number + 1 :], video, after=whole[number])
    assert [frame.number for frame in rest] == list(range(number + 1, 8))
    for mine, theirs in zip(rest, whole[number + 1 :], strict=True):
        for field in fields(mine):
            np.testing.assert_array_equal(getattr(mine, field.name), getattr(theirs, field.name))


@pytest.mark.parametrize("size", [(119, 159), (37, 64)])
def test_frames_may_have_odd_sizes(size):
    frames = [frame[: size[0], : size[1]] for frame in pan(3)]
    for frame in dreamt(frames):
        assert frame.pixels.shape == (*size, 3)


def test_a_frame_keeps_what_the_next_frame_needs_of_the_film():
    frames = pan(2)
    made = dreamt(frames)
    np.testing.assert_array_equal(made[1].luma, luma_of(frames[1]))
    motion = find_motion(made[1].luma, made[0].luma)
    np.testing.assert_allclose(made[1].new, videos.AGEING * (1 - motion.trust), atol=1e-6)
