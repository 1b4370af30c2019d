"""The text inside a film, usually its settings in TOML: a comment, or a description in XMP in a WebP file."""

import re
from pathlib import Path
from typing import BinaryIO
from xml.sax.saxutils import escape, unescape

from PIL import Image

from dreamscripts.errors import FilmError, PictureError
from dreamscripts.images.file_kinds import kind_of
from dreamscripts.images.pillow import quiet, refusals
from dreamscripts.regular_files import open_regular

COMMENT = "comment"  # FFmpeg's and Pillow's name of it
LONGEST = 10_000_000  # characters of a text that is read
RETURN = {"\r": "&#13;"}  # readers of XML would turn it into a newline
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description><rdf:Alt>'
    '<rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt></dc:description></rdf:Description></rdf:RDF></x:xmpmeta>'
)


def as_xmp(text: str) -> bytes:
    """Return a text as the description in XMP, the metadata of WebP."""
    return XMP.format(escape(text, RETURN)).encode()


def from_xmp(xmp: bytes) -> str | None:
    """Return the description in XMP, or None."""
    found = re.search(r'<rdf:li xml:lang="x-default">([^<]*)</rdf:li>', xmp.decode(errors="replace"))
    return unescape(found[1], {escaped: plain for plain, escaped in RETURN.items()}) if found else None


def read_metadata(path: str | Path) -> str | None:
    """Return the text that `join` or `write_animation` put into a film, or the comment of another film, or None.

    No frame is decoded. Raises FilmError if the file is not a film that can be read, or if the text is too long.
    """
    path = Path(path)
    with open_regular(path, FilmError, "film") as file:
        is_animation = kind_of(file).name in ("GIF", "WEBP")
        text = _of_animation(path, file) if is_animation else _of_film(path)
    if text and len(text) > LONGEST:
        raise FilmError(f"{path}: the text inside it is too long to be settings")
    return text or None


def _of_film(path: Path) -> str | None:
    from dreamscripts.film_files.opening import opened

    with opened(path) as film:
        tags = {name.lower(): text for name, text in film.container.metadata.items()}
    return tags.get(COMMENT)


def _of_animation(path: Path, file: BinaryIO) -> str | None:
    try:
        with quiet(), refusals(path), Image.open(file, formats=("GIF", "WEBP")) as image:
            comment, xmp = image.info.get(COMMENT, b""), image.info.get("xmp", b"")
    except PictureError as error:
        raise FilmError(str(error)) from None
    return from_xmp(xmp) if xmp else comment.decode(errors="replace")
