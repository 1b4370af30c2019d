"""Dream over a film, so that the dream moves with what the film shows.

What a dream adds to a frame is moved to the next frame and fades a little. One step in each octave then renews it. So
creatures keep their places on things, and nothing of the photograph itself is ever moved.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from dreamscripts.dreams.films.evenness import around
from dreamscripts.dreams.films.frames import VideoFrame
from dreamscripts.dreams.films.motion import Motion, find_motion, luma_of
from dreamscripts.settings.film_tables import Video

if TYPE_CHECKING:
    from dreamscripts.dreams.films.dreamer import Dreamer

GAIN = 2.0  # part of the missing strength that a step tries to add
NEW = 4.0  # pixel values by which the mean change of a step may be larger where the film shows something new
AGEING = 0.9  # of what is new, from frame to frame
DARK = 12.0  # mean luma of a frame below which nothing is dreamt, as in fades to and from black
FADING = 0.9  # of a dream over dark frames, from frame to frame
LEAST_TRUST = 0.35  # share of a frame that must have been in the frame before; with less, it is another shot
LEAST_LIKENESS = 0.5  # correlation of luma with that of the frame before, after the motion. With less, and a mean
LARGEST_CHANGE = 16.0  # change of luma of more than this, it is another shot


def dream_video(
    frames: Iterable[np.ndarray], dreamer: "Dreamer", video: Video, after: VideoFrame | None = None
) -> Iterator[VideoFrame]:
    """Dream of the frames of a film, uint8 (H, W, 3), one after the other.

    after: a frame of an earlier run. `frames` then begin with the next one, and the film goes on as without the
        interruption.
    """
    last = after
    for frame in frames:
        last = _first(frame, dreamer, video, 0) if last is None else _next(frame, dreamer, video, last)
        yield last


def _first(frame: np.ndarray, dreamer: "Dreamer", video: Video, number: int) -> VideoFrame:
    """Dream of the first frame of a shot, by the optimizer of the settings."""
    picture = frame.astype(np.float32)
    dreamt = picture if luma_of(frame).mean() < DARK else dreamer.dream(picture)
    pixels, added = _within(picture, video.strength * (dreamt - picture))
    new = np.zeros(frame.shape[:2], np.float32)
    return VideoFrame(number, number, float(np.abs(added).mean()), pixels, luma_of(frame), added, new)


def _next(frame: np.ndarray, dreamer: "Dreamer", video: Video, last: VideoFrame) -> VideoFrame:
    """Move the dream to the next frame, and renew it. If the frame is of another shot, dream of it from the start."""
    number, luma = last.number + 1, luma_of(frame)
    motion = find_motion(luma, last.luma)
    if not last.strength or is_cut(luma, last.luma, motion):
        return _first(frame, dreamer, video, number)
    picture = frame.astype(np.float32)
    added = motion.moved(last.added) * motion.trust[..., None]
    new = np.clip(np.maximum(1 - motion.trust, motion.moved(last.new)), 0, 1)
    if luma.mean() < DARK:
        added *= FADING
    elif (number - last.first) % video.every == 0:
        added *= video.persistence
        step = missing(added, last.strength, video.flicker + NEW * video.strength * new)
        added += step[..., None] * dreamer.direction(picture + added, number)
        new *= AGEING
    pixels, added = _within(picture, added)
    return VideoFrame(number, last.first, last.strength, pixels, luma, added, new)


def _within(picture: np.ndarray, added: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the dreamt frame, uint8, and what was added to the picture so that no value left 0..255."""
    dreamt = np.clip(picture + added, 0, 255)
    return np.rint(dreamt).astype(np.uint8), dreamt - picture


def missing(added: np.ndarray, strength: float, most: float | np.ndarray) -> np.ndarray:
    """Return the step that each pixel needs for a dream of this strength: float32 (H, W), from 0 to `most`."""
    return np.clip(GAIN * (strength - around(added)), 0, most)


def is_cut(luma: np.ndarray, before: np.ndarray, motion: Motion) -> bool:
    """Return whether a frame shows something else than the frame before: both luma, uint8 (H, W).

    A flash is not a cut, because it changes the light only. A cut to black is, though black is trusted everywhere.
    """
    if motion.trust.mean() < LEAST_TRUST:
        return True
    moved = motion.moved(before.astype(np.float32))
    if np.abs(luma - moved).mean() <= LARGEST_CHANGE:
        return False
    deviations = luma.std() * moved.std()
    likeness = ((luma - luma.mean()) * (moved - moved.mean())).mean() / deviations if deviations else 0.0
    return bool(likeness < LEAST_LIKENESS)
