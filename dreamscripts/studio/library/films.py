"""Read films, films in the making and single pictures for the history. Anybody may have changed them."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, BinaryIO

from PIL import Image

from dreamscripts.errors import DreamError, SettingsError, short, shown
from dreamscripts.film_files.kinds import KINDS
from dreamscripts.film_files.metadata import read_metadata
from dreamscripts.film_files.opening import opened
from dreamscripts.images.files import SETTINGS_CHUNK
from dreamscripts.images.pillow import quiet, refusals
from dreamscripts.images.png_chunks import SIGNATURE, read_text
from dreamscripts.runs.film_record import FilmRecord
from dreamscripts.runs.records import Damaged, parse_record
from dreamscripts.settings.loading import parse_toml
from dreamscripts.studio.library import within
from dreamscripts.studio.library.dreams import INTERRUPTED, network_of, settings_text, version, with_picture
from dreamscripts.studio.library.locks import is_written
from dreamscripts.studio.library.names import look_of, title
from dreamscripts.studio.library.run import Details, FileLink, Run
from dreamscripts.studio.library.scanning import PARTS

MOST_OF_RECORD = 16_000_000  # bytes of film.json
MOST_OF_SETTINGS = 200_000  # characters of the text in a film or picture
PICTURE = "picture.png"


def summarize_film(base: Path, name: str, id: str, looks: Collection[str]) -> Run | None:
    """Return the summary of a film. None: dreamscripts did not make it, or it cannot be read."""
    try:
        with within.open_file(base, name) as file:
            path = within.path_of(file, base / name)
            settings = _table(read_metadata(path) or "")
            if settings is None:
                return None
            width, height, frames = _size(name, path, file)
    except (DreamError, OSError):
        return None
    number = version(base, name)
    link = FileLink(id, film_file(name), number)
    run = Run(id, "film", name, "complete", number / 1000, title(name), network=network_of(settings), picture=link)
    return replace(
        run,
        look=look_of(PurePosixPath(name).stem, looks),
        width=width,
        height=height,
        iterations=frames,
        thumbnail=FileLink(id, "thumbnail.jpg", number),
    )


def summarize_begun(base: Path, name: str, id: str, looks: Collection[str]) -> Run:
    """Return the summary of a film in the making. `name` is that of the film."""
    parts = name + PARTS
    run = Run(id, "film", name, "damaged", version(base, parts, "settings.toml") / 1000, title(name))
    run = replace(run, look=look_of(PurePosixPath(name).stem, looks))
    try:
        content = within.read(base, parts, "film.json", most=MOST_OF_RECORD)
        record = parse_record(content, base / parts / "film.json", FilmRecord, "")
    except Damaged as error:
        return replace(run, message=f"film.json is damaged: {shown(short(error.problem))}")
    except DreamError:
        return replace(run, message="film.json cannot be read")
    is_running = is_written(base, parts)
    return replace(
        run,
        state="running" if is_running else "stopped",
        message="" if is_running else INTERRUPTED,
        network=network_of(record.settings),
        photo_name=shown(PurePath(record.source).name) if record.source else "",
        width=record.width,
        height=record.height,
        resumable=record.kind == "zoom" and not is_running,
    )


def summarize_picture(base: Path, name: str, id: str, looks: Collection[str]) -> Run | None:
    """Return the summary of a single PNG, for example of `visualize`. None: it contains no settings of dreamscripts."""
    settings = _table(picture_settings(base, name))
    if settings is None:
        return None
    run = Run(id, "dream", name, "complete", version(base, name) / 1000, title(name), network=network_of(settings))
    run = replace(run, look=look_of(PurePosixPath(name).stem, looks))
    return with_picture(run, base, [name], PICTURE)


def film_details(base: Path, run: Run) -> Details:
    """Return what the page of a film shows. It may be in the making."""
    if run.picture is None:
        return Details(run, settings=settings_text(base, [run.folder + PARTS]))
    try:
        with within.open_file(base, run.folder) as file:
            settings = read_metadata(within.path_of(file, base / run.folder)) or ""
    except DreamError:
        settings = ""
    return Details(run, settings=settings[:MOST_OF_SETTINGS], downloads={"film": run.picture})


def picture_details(base: Path, run: Run) -> Details:
    """Return what the page of a single picture shows."""
    downloads = {"picture": run.picture} if run.picture else {}
    return Details(run, settings=picture_settings(base, run.folder), downloads=downloads)


def picture_settings(base: Path, name: str) -> str:
    """Return the settings in a PNG, or "" if there are none, or none of a usual length."""
    try:
        with within.open_file(base, name) as file:
            if file.read(len(SIGNATURE)) != SIGNATURE:
                return ""
            text = read_text(file, SETTINGS_CHUNK) or ""
    except (DreamError, OSError, ValueError):
        return ""
    return text if len(text) <= MOST_OF_SETTINGS else ""


def film_file(name: str) -> str:
    """Return the fixed name of a film: film.mp4, or with its own ending."""
    return f"film{PurePosixPath(name).suffix.lower()}"


def _table(text: str) -> dict[str, Any] | None:
    """Return the table of settings in a text, or None if it contains something else."""
    if "features" not in text or len(text) > MOST_OF_SETTINGS:
        return None
    try:
        table = parse_toml(text, "")
    except SettingsError:
        return None
    return table if isinstance(table.get("features"), dict) else None


def _size(name: str, path: Path, file: BinaryIO) -> tuple[int, int, int]:
    """Return width, height and number of frames of a film. Raises DreamError."""
    if KINDS[PurePosixPath(name).suffix.lower()].is_animation:
        file.seek(0)
        with quiet(), refusals(path), Image.open(file, formats=("GIF", "WEBP")) as image:
            return image.width, image.height, getattr(image, "n_frames", 1)
    with opened(path) as film:
        return film.decoder.width, film.decoder.height, film.stream.frames
