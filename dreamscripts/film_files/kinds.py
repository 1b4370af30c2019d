"""What the ending of a film's name means: the container, and the encoders of its pictures."""

from pathlib import Path
from typing import NamedTuple

from dreamscripts.errors import OutputError


class Kind(NamedTuple):
    """A kind of film file."""

    name: str
    """The name for messages, for example "WebM"."""
    container: str = ""
    """FFmpeg's name of the container. It is empty for an animation, which Pillow writes."""
    encoders: tuple[str, ...] = ()
    """FFmpeg's names of the encoders, the best first. The first that PyAV contains is used."""

    @property
    def is_animation(self) -> bool:
        """Whether Pillow writes the file, without PyAV."""
        return not self.container


KINDS = {
    ".mp4": Kind("MP4", "mp4", ("libx264",)),
    ".mov": Kind("QuickTime", "mov", ("libx264",)),
    ".mkv": Kind("Matroska", "matroska", ("libx264",)),
    ".webm": Kind("WebM", "webm", ("libsvtav1", "libvpx-vp9")),
    ".gif": Kind("GIF"),
    ".webp": Kind("WebP"),
}


def kind_of(path: str | Path) -> Kind:
    """Return the kind of film that a name's ending stands for, in small or capital letters.

    Raises OutputError if the ending is unknown, or if the kind needs PyAV and PyAV is not installed.
    """
    *others, last = KINDS
    kind = KINDS.get(Path(path).suffix.lower())
    if kind is None:
        raise OutputError(f"{path}: is not the name of a film; use a name that ends in {', '.join(others)} or {last}")
    if not kind.is_animation:
        try:
            import av  # noqa: F401
        except ImportError:
            raise OutputError(
                f'{path}: {kind.name} films need PyAV; run pip install "dreamscripts[video]", or use a name that ends'
                " in .gif or .webp"
            ) from None
    return kind
