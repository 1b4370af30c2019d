"""Make films: a zoom, or a dream over a film. Each is a folder until it is complete, so that it can be resumed.

`new_zoom` and `new_video` open the source, create the folder and find all errors that do not need Keras. `record` then
makes the frames.
"""

import json
import zlib
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dreamscripts.dreams.films.camera import Camera
from dreamscripts.errors import FilmError, OutputError
from dreamscripts.images.files import Photo, open_photo
from dreamscripts.images.resizing import fitted, resize
from dreamscripts.networks.family import check_name
from dreamscripts.objective.memory_budget import check_memory
from dreamscripts.objective.protocol import OnPass
from dreamscripts.regular_files import open_regular
from dreamscripts.runs.film_folder import FilmFolder
from dreamscripts.runs.film_record import FilmFrame, FilmRecord, Ratio
from dreamscripts.runs.run_record import ChoicesRecord, path_text
from dreamscripts.runs.run_state import checksum
from dreamscripts.settings.film_tables import Video, Zoom
from dreamscripts.settings.schema import Settings, check_type

if TYPE_CHECKING:
    from dreamscripts.dreams.films.frames import ZoomFrame
    from dreamscripts.networks.tuning import Choices

SIZE = 640  # pixels: the longer side of a film, if nothing else is said
SMALLEST = 16  # pixels: a side of a film whose motion can be found
SHAPE = 16 / 9  # width by height of a zoom that starts from noise
SAMPLES = 10  # frames of a preview
ENDS = 1 << 20  # bytes at each end of a film that its checksum is of


def new_zoom(photo: str | Path | Photo | None, settings: Settings, film: str | Path) -> FilmFolder:
    """Open the photo and create the folder of a zoom into it, or into noise (None). Raises DreamError."""
    film = Path(film)
    zoom = _checked(settings).zoom or Zoom()
    Camera(zoom)  # raises SettingsError for a loop that is too short
    size = settings.size or SIZE
    source: str | None = None
    notes: tuple[str, ...] = ()
    if photo is None:
        height, width = even(round(size / SHAPE), size)
        picture = (np.random.default_rng(settings.seed).random((height, width, 3)) + 100).astype(np.float32)
    else:
        photo = photo if isinstance(photo, Photo) else open_photo(photo, size)
        height, width = even(*fitted(photo.pixels.shape[0], photo.pixels.shape[1], size))
        picture, source, notes = resize(photo.pixels, height, width), path_text(photo.path), photo.notes
    check_memory(height, width, settings.optimizer, octaves=settings.octaves)
    rate = Fraction(zoom.fps).limit_denominator(1001)
    record = FilmRecord(
        kind="zoom",
        source=source,
        checksum=checksum(picture),
        settings={},
        **_facts(height, width, 1 / rate, rate, zoom.frames),
    )
    settings = settings.model_copy(update={"zoom": zoom, "video": None, "size": size})
    folder = _create(film, settings, record, picture)
    folder.notes += notes
    return folder


def new_video(source: str | Path, settings: Settings, film: str | Path) -> FilmFolder:
    """Open a film and create the folder of a dream over it. Raises DreamError."""
    from dreamscripts.film_files.reading import open_film

    source, film = Path(source), Path(film)
    video = _checked(settings).video or Video()
    if _same_file(source, film):
        raise OutputError(f"{film}: is the film that is dreamt of; choose another --output")
    with open_film(source, size=settings.size, start=video.start, end=video.end) as opened:
        size = settings.size or min(SIZE, max(opened.size))
    with open_film(source, size=size, start=video.start, end=video.end) as opened:
        height, width = opened.size
        facts = _facts(height, width, opened.time_base, opened.rate, opened.count)
        notes = list(opened.notes)
    if min(height, width) < SMALLEST:
        raise FilmError(f"{source}: frames of {width}×{height} are too small; {SMALLEST} pixels per side are needed")
    check_memory(height, width, settings.optimizer, octaves=settings.octaves)
    record = FilmRecord(
        kind="video", source=path_text(source), checksum=_checksum_of_film(source), settings={}, **facts
    )
    settings = settings.model_copy(update={"video": video, "zoom": None, "size": size})
    folder = _create(film, settings, record, None)
    folder.notes += notes
    return folder


def even(height: int, width: int) -> tuple[int, int]:
    """Return the nearest even sides that are not larger, at least 2, because most kinds of films need them."""
    return max(2, height - height % 2), max(2, width - width % 2)


def record(folder: FilmFolder, *, on_pass: OnPass | None = None) -> Generator[FilmFrame]:
    """Make the frames of a film from the first or the next one on, and yield each after it is saved.

    At the end, also at an early one, the film of all frames so far is written. Only a complete film loses its folder.
    on_pass: called as `on_pass(passes, loss)` after each pass through the network. Raises DreamError.
    """
    complete = False
    try:
        for frame, shown in _frames(folder, on_pass):
            folder.save(frame, shown)
            yield frame
        complete = True
    finally:
        try:
            folder.finish(complete)
        finally:
            folder.release()


def samples(folder: FilmFolder, *, on_pass: OnPass | None = None) -> Iterator[tuple[float, np.ndarray, np.ndarray]]:
    """Dream of SAMPLES frames from all parts of the film under a video, each by itself.

    Yields the seconds from the start, the frame, and the dream: uint8 (H, W, 3). If the film was cut off, later frames
    are left out. Raises DreamError, also if all frames are left out.
    """
    from dreamscripts.dreams.films.dreamer import Dreamer
    from dreamscripts.film_files.reading import open_film

    record, settings = folder.record, folder.settings
    source, video = Path(record.source or ""), settings.video or Video()
    dreamer = Dreamer(settings, record.height, record.width, on_pass=on_pass, **_choices(folder))
    found = False
    for number in range(SAMPLES):
        seconds = float(record.frames / record.rate.value) * (number + 0.5) / SAMPLES
        with suppress(FilmError), open_film(source, size=settings.size, start=video.start + seconds) as opened:
            frame = next(opened.frames()).pixels
            picture = frame.astype(np.float32)
            dreamt = picture + video.strength * (dreamer.dream(picture) - picture)
            yield seconds, frame, np.rint(np.clip(dreamt, 0, 255)).astype(np.uint8)
            found = True
    if not found:
        raise FilmError(f"{source}: ends too early for a preview; make the film without --preview")


def _frames(folder: FilmFolder, on_pass: OnPass | None) -> Iterator[tuple[FilmFrame, int]]:
    """Yield the new frames of a film, each with its time."""
    record, settings = folder.record, folder.settings
    if settings.video is not None:
        yield from _video_frames(folder, settings.video, on_pass)
    elif settings.zoom is not None and folder.frames < record.frames:
        from dreamscripts.dreams.films.journey import Journey
        from dreamscripts.dreams.films.zoom import dream_zoom

        journey = Journey(settings, record.height, record.width, on_pass=on_pass, **_choices(folder))
        after: ZoomFrame | None = folder.last  # type: ignore[assignment]
        for frame in dream_zoom(folder.start, journey, settings.zoom, after):
            yield frame, frame.number


def _video_frames(folder: FilmFolder, video: Video, on_pass: OnPass | None) -> Iterator[tuple[FilmFrame, int]]:
    from dreamscripts.dreams.films.dreamer import Dreamer
    from dreamscripts.dreams.films.video import dream_video
    from dreamscripts.film_files.reading import open_film

    record, settings = folder.record, folder.settings
    source = Path(record.source or "")
    if _checksum_of_film(source) != record.checksum:
        raise FilmError(f"{source}: has changed since the dream over it was begun, so it cannot go on")
    with open_film(source, size=settings.size, start=video.start, end=video.end) as opened:
        frames = opened.frames(folder.frames)
        if (first := next(frames, None)) is not None:
            dreamer = Dreamer(settings, record.height, record.width, on_pass=on_pass, **_choices(folder))
            times: deque[int] = deque()

            def pixels() -> Iterator[np.ndarray]:
                for frame in chain([first], frames):
                    times.append(frame.pts)
                    yield frame.pixels

            dark = 0
            for frame in dream_video(pixels(), dreamer, video, folder.last):  # type: ignore[arg-type]
                yield frame, times.popleft()
                dark += not frame.strength
            if dark:
                folder.notes.append(f"{dark} of {folder.frames} frames are nearly black, so nothing was dreamt of them")
        folder.notes += [note for note in opened.notes if note not in folder.notes]


def _choices(folder: FilmFolder) -> dict:
    """Return the arguments `choices` and `on_choices` of a dreamer. The folder keeps the choices for resuming."""
    from dreamscripts.backends import compiling, host
    from dreamscripts.networks.tuning import Choices

    record = folder.record
    record.device, record.versions = host.device(), host.versions()

    def on_choices(choices: "Choices") -> None:
        record.choices = ChoicesRecord.model_validate_json(
            json.dumps({"onednn": compiling.onednn(), **choices.record()})
        )

    chosen = None if record.choices is None else Choices.read(record.choices.model_dump())
    return {"choices": chosen, "on_choices": on_choices}


def _checked(settings: Settings) -> Settings:
    """Check what can be checked before Keras is imported. Raises DreamError."""
    check_type(settings)
    settings.check_pictures(1)
    check_name(settings.network)
    return settings


def _facts(height: int, width: int, time_base: Fraction, rate: Fraction, frames: int) -> dict:
    return {
        **{"height": height, "width": width, "frames": frames},
        **{"time_base": Ratio.of(time_base), "rate": Ratio.of(rate)},
    }


def _create(film: Path, settings: Settings, record: FilmRecord, start: np.ndarray | None) -> FilmFolder:
    record.settings = settings.model_dump()
    return FilmFolder.create(film, settings, record, start)


def _same_file(one: Path, other: Path) -> bool:
    with suppress(OSError):
        return one.samefile(other)
    return False


def _checksum_of_film(path: Path) -> int:
    """Return the CRC-32 of the size and of both ends of a film, because reading all of it could take minutes."""
    with open_regular(path, FilmError, "film") as file:
        size = file.seek(0, 2)
        file.seek(0)
        found = zlib.crc32(file.read(ENDS), zlib.crc32(str(size).encode()))
        file.seek(max(0, size - ENDS))
        return zlib.crc32(file.read(ENDS), found)
