"""The chunks of a PNG file: read a text without decoding the pixels, and leave out texts that Pillow refuses."""

import io
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from dreamscripts.images.file_kinds import length_of

SIGNATURE = b"\x89PNG\r\n\x1a\n"
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
NEEDED = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")  # they may contain the orientation
SHORT = 100_000  # bytes: Pillow reads texts of this length without complaint
LONGEST = 10_000_000  # characters of a text that is read


class Chunk(NamedTuple):
    """A chunk: its type, the position of its data, and the length of the data."""

    name: bytes
    start: int
    length: int


def chunks(file: BinaryIO) -> Iterator[Chunk]:
    """Yield the chunks of a PNG file. If the file is cut, the last chunk is shorter than it says."""
    position, end = len(SIGNATURE), length_of(file)
    while True:
        file.seek(position)
        header = file.read(8)
        if len(header) < 8:
            return
        start = position + 8
        chunk = Chunk(header[4:], start, min(int.from_bytes(header[:4], "big"), end - start))
        yield chunk
        if chunk.name == b"IEND":
            return
        position = chunk.start + chunk.length + 4  # 4 for the checksum


def without_long_texts(file: BinaryIO) -> BinaryIO:
    """Return the PNG file, or a copy without its texts if some are long or compressed. Pillow refuses long texts.

    The texts that may contain the orientation are kept.
    """
    found = list(chunks(file))
    texts = {chunk for chunk in found if chunk.name in TEXTS and not _read(file, chunk, 32).startswith(NEEDED)}
    harmless = sum(chunk.length for chunk in texts) <= SHORT and not any(_is_compressed(file, text) for text in texts)
    file.seek(0)
    if harmless:
        return file
    copy = io.BytesIO()
    copy.write(SIGNATURE)
    for chunk in found:
        if chunk not in texts:
            file.seek(chunk.start - 8)
            copy.write(file.read(chunk.length + 12))
    copy.seek(0)
    return copy


def read_text(file: BinaryIO, keyword: str) -> str | None:
    """Return the text with this keyword in a PNG file, or None. Raises ValueError if it is damaged or too long."""
    for chunk in chunks(file):
        if chunk.name in TEXTS and _read(file, chunk, 80).startswith(keyword.encode("latin-1") + b"\0"):
            if chunk.length > LONGEST:
                raise ValueError("the text is too long")
            return _decoded(chunk.name, _read(file, chunk, chunk.length))
    return None


def _read(file: BinaryIO, chunk: Chunk, count: int) -> bytes:
    file.seek(chunk.start)
    return file.read(min(count, chunk.length))


def _is_compressed(file: BinaryIO, chunk: Chunk) -> bool:
    if chunk.name != b"iTXt":
        return chunk.name == b"zTXt"
    return _read(file, chunk, 82).partition(b"\0")[2][:1] == b"\1"


def _decoded(name: bytes, data: bytes) -> str:
    """Decode the data of a text chunk: a keyword, a null, then what the type of the chunk says."""
    _, _, rest = data.partition(b"\0")
    if name == b"tEXt":
        return rest.decode("latin-1")
    if name == b"zTXt":
        return _unpacked(rest[1:]).decode("latin-1")
    text = rest[2:].split(b"\0", 2)[-1]  # after the language, and the keyword in this language
    return (_unpacked(text) if rest[:1] == b"\1" else text).decode("utf-8")


def _unpacked(data: bytes) -> bytes:
    """Decompress a text of at most LONGEST bytes. Raises ValueError."""
    decompressor = zlib.decompressobj()
    try:
        text = decompressor.decompress(data, LONGEST)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if decompressor.unconsumed_tail or not decompressor.eof:
        raise ValueError("the text is too long, or cut")
    return text
