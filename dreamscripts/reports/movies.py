"""Plan movies: of the snapshots of a run, of a channel of a gallery, or of the trials of a comparison."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dreamscripts.dreams.movie import Timing, as_frame, beside, cross_faded
from dreamscripts.errors import OutputError
from dreamscripts.film_files.kinds import kind_of
from dreamscripts.images.files import open_photo
from dreamscripts.images.resizing import Size, fitted
from dreamscripts.reports.counted import counted
from dreamscripts.runs.gallery_channel import Channel

Say = Callable[[str], None]
"""Called with each note on a movie, one line in plain words."""

# Frames per second, and most pixels of the longest side of a picture. The files of animations are many times as large.
FILM, ANIMATION = (30.0, 1920), (15.0, 480)
DIFFERENT = 2.0  # mean difference of two pictures, of 255, from which it is said


class Movie(NamedTuple):
    """A movie whose frames are made while it is written."""

    timing: Timing
    frames: Iterator[np.ndarray]
    """uint8 (H, W, 3), all of the same size."""
    settings: str
    """TOML, for the metadata."""
    shows: str
    """What is seen, for example "16 snapshots"."""


class Wishes(NamedTuple):
    """The options that all movies share. None is the default."""

    rate: Fraction
    """Frames per second."""
    largest: int
    """Longest side of a picture if `size` is None."""
    seconds: float | None = None
    hold: float | None = None
    size: int | None = None
    """Longest side of a picture."""

    @classmethod
    def of(
        cls,
        film: Path,
        fps: float | None = None,
        seconds: float | None = None,
        hold: float | None = None,
        size: int | None = None,
    ) -> "Wishes":
        """Return the wishes for the kind of film that the name `film` has. Raises OutputError for an unknown ending."""
        usual, largest = ANIMATION if kind_of(film).is_animation else FILM
        return cls(Fraction(fps or usual).limit_denominator(1001), largest, seconds, hold, size)

    def fitted(self, say: Say, folder: Path, height: int, width: int) -> Size:
        """Return the height and width of pictures that have `height` and `width` in the folder."""
        longest = max(height, width)
        if self.size is None and longest > self.largest:
            say(f"{folder}: the film is made with {self.largest} pixels; --size {longest} makes it as large")
        return fitted(height, width, self.size or min(longest, self.largest))

    def timing(self, pictures: int) -> Timing:
        """Plan a movie of so many pictures. Raises SettingsError."""
        return Timing.of(pictures, self.rate, self.seconds, self.hold)


def of_run(say: Say, folder: Path, wishes: Wishes, photo: Path | None) -> Movie:
    """Plan the movie of a run, with a photograph beside it. Raises DreamError."""
    from dreamscripts.runs.snapshots import read_snapshots

    snapshots = read_snapshots(folder)
    for note in snapshots.notes:
        say(note)
    count = len(snapshots.paths)
    if count < 2:
        raise OutputError(f"{folder}: has only one snapshot ({snapshots.paths[0].name}), and a movie needs two")
    size = wishes.fitted(say, folder, *snapshots.size)
    timing = wishes.timing(count)
    frames = cross_faded(snapshots.pictures(size), timing)
    if photo is not None:
        frames = beside(_still(say, photo, size), frames)
    return Movie(timing, frames, snapshots.settings, f"{count} snapshots")


def _still(say: Say, photo: Path, size: Size) -> np.ndarray:
    """Open a photograph as a frame of the height of `size`. It keeps its shape. Raises PictureError."""
    opened = open_photo(photo)
    for note in opened.notes:
        say(f"{photo}: {note}")
    height, width = size
    tall, wide, _ = opened.pixels.shape
    own = max(1, round(wide * height / tall))
    if abs(own - width) <= 1 + width / 50:
        own = width  # a shape that was rounded
    else:
        say(f"{photo}: has another shape than the dream; is it the photograph of this run?")
    return as_frame(opened.pixels, (height, own))


def of_channel(
    say: Say, folder: Path, wishes: Wishes, name: str, channel: Channel, dreamt: tuple[list[np.ndarray], float]
) -> Movie:
    """Plan the movie of a channel of a gallery from what `channel.pictures` returned. Raises DreamError."""
    pictures, difference = dreamt
    if difference > DIFFERENT:
        say(
            f"{name}: dreamt again, its picture differs by {difference:.0f} of 255 on average, as another machine or "
            "version made that of the gallery; the film ends with the picture of the gallery"
        )
    height, width, _ = channel.picture.shape
    size = wishes.fitted(say, folder, height, width)
    timing = wishes.timing(len(pictures))
    frames = cross_faded((as_frame(picture, size) for picture in pictures), timing)
    return Movie(timing, frames, channel.settings.to_toml(), f"{counted(len(pictures), 'picture')} of {name}")


def of_comparison(say: Say, folder: Path, wishes: Wishes, best: bool) -> Movie:
    """Plan the movie of a comparison: its trials side by side. Raises DreamError."""
    from dreamscripts.reports.trial_panels import Panel, panels_side_by_side
    from dreamscripts.runs.comparison_snapshots import read_comparison

    comparison = read_comparison(folder)
    for note in comparison.notes:
        say(note)
    trials = comparison.best if best else comparison.trials
    passes = [moment.passes for moment in trials[0].record.moments]
    if len(passes) < 2:
        raise OutputError(f"{folder}: its trials have only one snapshot each, and a movie needs two")
    size = wishes.fitted(say, folder, *comparison.size)
    timing = wishes.timing(len(passes))
    panels = [
        Panel(trial.record.name, [moment.lowest for moment in trial.record.moments], trial.pictures(size))
        for trial in trials
    ]
    shows = counted(len(trials), "trial")
    return Movie(timing, panels_side_by_side(panels, passes, size, timing), comparison.settings, shows)
