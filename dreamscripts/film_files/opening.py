"""Open a film with FFmpeg (PyAV), choose its video stream, and say in one line why a file cannot be used."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, NoReturn

from dreamscripts.backends.host import free_memory
from dreamscripts.errors import FilmError, quoted
from dreamscripts.images.file_kinds import kind_of, length_of
from dreamscripts.regular_files import open_regular

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

# FFmpeg's names of the formats that are opened. Playlists (hls, concat, dash, sdp, …) and numbered pictures (image2)
# are not among them, because they name other files. Sounds are, to be able to say that a file contains only sound.
FILMS = (
    *("mov", "matroska", "webm", "avi", "mpegts", "mpeg", "mpegvideo", "m4v", "flv", "live_flv", "asf", "ogg", "gif"),
    *("apng", "mxf", "dv", "ivf", "obu", "av1", "h263", "h264", "hevc", "vvc", "vc1", "yuv4mpegpipe", "nut", "rm"),
    *("wtv", "gxf"),
)
SOUNDS = ("mp3", "wav", "w64", "flac", "aac", "ac3", "eac3", "aiff", "amr", "au", "caf", "ape", "wv", "dts", "truehd")
TRANSPARENT = {"vp8": "libvpx", "vp9": "libvpx-vp9"}  # decoders that read transparency
DECODING = 30  # bytes per pixel: up to 17 frames that a decoder keeps, and one in the filters
RESULT = 12  # bytes per pixel of a frame in RGB, while it is scaled, turned and copied
TEXT_HEAD = 2048  # bytes


class OpenFilm(NamedTuple):
    """An open film, the stream with its pictures, and the decoder for it."""

    path: Path
    container: "InputContainer"
    stream: "VideoStream"
    decoder: "VideoCodecContext"


def pyav() -> ModuleType:
    """Import and return PyAV. Raises FilmError, which says how to install it."""
    try:
        import av
        import av.filter
    except ImportError:
        raise FilmError('films need PyAV, which is not installed: pip install "dreamscripts[video]"') from None
    return av


@contextmanager
def opened(path: Path) -> Iterator[OpenFilm]:
    """Open a film for reading. Raises FilmError, also if its frames do not fit in the free memory.

    No other file is opened, whatever the film contains.
    """
    with open_regular(path, FilmError, "film") as file:
        _refuse_pictures(path, file)
        with _container(path, file, max_pixels=_most_pixels()) as container:
            stream = _video_stream(path, container)
            yield OpenFilm(path, container, stream, _decoder(stream))


def _container(path: Path, file: BinaryIO, **options: str) -> "InputContainer":
    """Open a file with FFmpeg. Raises FilmError."""
    av = pyav()
    # Without a protocol, FFmpeg cannot open any file by itself, whatever a film refers to.
    options |= {"format_whitelist": ",".join(FILMS + SOUNDS), "protocol_whitelist": ""}
    try:
        return av.open(file, options=options, metadata_errors="replace")
    except MemoryError:
        raise FilmError(f"{path}: is damaged, or the memory is too small to open it") from None
    except (av.FFmpegError, OSError, ValueError) as error:
        raise FilmError(f"{path}: {_reason(path, file, error)}") from None


def refuse_too_large(path: Path, width: int, height: int, result: int = 0) -> None:
    """Raise FilmError if frames of this size, and of `result` pixels after scaling, need more than the free memory."""
    needed, free = width * height * DECODING + result * RESULT, free_memory()
    if needed > free:
        raise FilmError(
            f"{path}: a film of {width}×{height} needs about {needed / 1e9:.1f} GB of memory to be read, "
            f"and {free / 1e9:.1f} GB are free: make it smaller first"
        )


def _most_pixels() -> str:
    """Return the number of pixels of the largest frame that fits in memory. FFmpeg does not decode larger frames."""
    return str(max(1, min(free_memory() // DECODING, 2**31 - 1)))


def _refuse_pictures(path: Path, file: BinaryIO) -> None:
    """Raise FilmError if the first bytes of a file are those of a picture without motion, or if there are none."""
    kind = kind_of(file)
    if not length_of(file):
        raise FilmError(f"{path}: {kind.refusal}")
    if kind.name == "WEBP" and _is_animated_webp(file):
        raise FilmError(f"{path}: is an animated WebP, which FFmpeg cannot read; convert it to GIF or MP4 first")
    if kind.name not in ("", "GIF", "PNG"):  # an animated PNG is a film
        raise FilmError(f"{path}: {_is_a_picture(path)}")


def _is_animated_webp(file: BinaryIO) -> bool:
    head = file.read(21)
    file.seek(0)
    return head[12:16] == b"VP8X" and bool(head[20] & 2)


def _is_a_picture(path: Path) -> str:
    return f"is a picture, not a film; use: dreamscripts dream {quoted(str(path))}"


def _reason(path: Path, file: BinaryIO, error: Exception) -> str:
    """Return why FFmpeg could not open a file."""
    if isinstance(error, EOFError):
        return "contains no frames"
    if isinstance(error, OSError) and not isinstance(error, pyav().FFmpegError):  # the system could not read it
        return f"cannot be read: {error.strerror}"
    file.seek(0)
    head = file.read(TEXT_HEAD)
    file.seek(0)
    if kind_of(file).name == "PNG":
        return _is_a_picture(path)
    if _is_text(head):
        return "is a text, not a film; if it is a playlist, give the name of a film in it"
    if head[4:8] in (b"ftyp", b"mdat", b"wide", b"moov"):
        return "is damaged or cut off: the table of its frames is missing, so nothing can be read"
    return "is damaged, or not a film in a format that can be read (MP4, MOV, MKV, WebM, AVI, GIF, …)"


def _is_text(head: bytes) -> bool:
    text = head.decode("utf-8", "ignore")
    return len(text.encode()) > len(head) - 4 and not re.search("[\x00-\x08\x0e-\x1a\x7f]", text)


def _video_stream(path: Path, container: "InputContainer") -> "VideoStream":
    """Return the default or first video stream that is not a cover. Raises FilmError if it cannot be decoded."""
    streams = video_streams(container)
    if not streams:
        if container.streams.audio:
            raise FilmError(f"{path}: contains only sound, no film")
        raise FilmError(f"{path}: contains no frames")
    default = [stream for stream in streams if stream.disposition & pyav().stream.Disposition.default]
    stream = (default or streams)[0]
    if stream.codec_context is None:
        raise FilmError(f"{path}: its pictures are in a format that FFmpeg cannot decode; convert it to MP4 first")
    if not stream.codec_context.width:
        _refuse_without_size(path, stream.index)
    refuse_too_large(path, stream.codec_context.width, stream.codec_context.height)
    return stream


def _refuse_without_size(path: Path, index: int) -> NoReturn:
    """Raise FilmError for a stream whose size is 0: FFmpeg did not decode its first frame.

    The size in the header is still there if FFmpeg may use no decoder.
    """
    with open_regular(path, FilmError, "film") as file, _container(path, file, codec_whitelist="none") as container:
        header = next(stream for stream in container.streams.video if stream.index == index).codec_context
        refuse_too_large(path, header.width, header.height)
    raise FilmError(f"{path}: is damaged, or its frames are too large for the memory: they have no size")


def _decoder(stream: "VideoStream") -> "VideoCodecContext":
    """Return the decoder for a stream. FFmpeg's own decoders of VP8 and VP9 ignore the transparency of WebM."""
    decoder, av = stream.codec_context, pyav()
    own = TRANSPARENT.get(decoder.name)
    if own in av.codecs_available and "1" in (stream.metadata.get(key) for key in ("alpha_mode", "ALPHA_MODE")):
        decoder = av.CodecContext.create(own, "r")
    decoder.options = {"max_pixels": _most_pixels()}
    return decoder


def video_streams(container: "InputContainer") -> "list[VideoStream]":
    """Return the video streams of a film without covers and thumbnails."""
    kinds = pyav().stream.Disposition
    covers = kinds.attached_pic | kinds.timed_thumbnails
    return [stream for stream in container.streams.video if not stream.disposition & covers]
