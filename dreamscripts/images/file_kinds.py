"""Recognise the kind of a file by its first bytes, to say why it cannot be opened."""

import os
from typing import BinaryIO, NamedTuple

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif", ".heic", ".jp2", ".ppm"}
"""Of the files in a folder that are taken for photographs. A file that is named can have any."""
HEAD = 512  # bytes
HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"heif", b"mif1", b"msf1"}
AVIF = {b"avif", b"avis"}
# The names of formats, by the bytes at the beginning.
NAMES = (
    ("PNG", b"\x89PNG\r\n\x1a\n"),
    ("JPEG", b"\xff\xd8\xff"),
    ("GIF", b"GIF8"),
    ("TIFF", b"II*\0"),
    ("TIFF", b"MM\0*"),
    ("BMP", b"BM"),
    ("ICO", b"\0\0\1\0"),
    ("ICNS", b"icns"),
    ("DDS", b"DDS "),
    ("PSD", b"8BPS"),
)
DRAWINGS = (
    ("PostScript", b"%!PS"),
    ("PostScript", b"\xc5\xd0\xd3\xc6"),
    ("PDF", b"%PDF"),
    ("Windows Metafile", b"\xd7\xcd\xc6\x9a\0\0"),
    ("Windows Metafile", b"\1\0\0\0\x6c\0\0\0"),
)


class Kind(NamedTuple):
    """The kind of a file: the name of its format, or "", and the reason why it cannot be opened, or ""."""

    name: str
    refusal: str = ""


def kind_of(file: BinaryIO) -> Kind:
    """Return the kind of a file. The position in the file is 0 afterwards."""
    head = file.read(HEAD)
    file.seek(0)
    if not head:
        return Kind("", "is an empty file")
    if head[4:8] == b"ftyp":
        return _kind_by_brands(head)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Kind("WEBP")
    for name, magic in DRAWINGS:
        if head.startswith(magic):
            return _drawing(name)
    if head.lstrip().startswith((b"<svg", b"<?xml", b"<!")) and b"<svg" in head:
        return _drawing("SVG")
    return Kind(next((name for name, magic in NAMES if head.startswith(magic)), ""))


def _drawing(name: str) -> Kind:
    return Kind(name, f"is a drawing in the format {name}; export it as PNG first")


def _kind_by_brands(head: bytes) -> Kind:
    """Tell HEIC from AVIF: both are boxes, and the first box lists the brands that the file conforms to."""
    length = int.from_bytes(head[:4], "big")
    brands = {head[start : start + 4] for start in (8, *range(16, min(length, len(head)), 4))}
    if brands & AVIF:
        return Kind("AVIF")
    if brands & HEIC:
        return Kind("HEIC", "is in Apple's HEIC format; export it as JPEG first")
    return Kind("")


def length_of(file: BinaryIO) -> int:
    """Return the number of bytes in a file, and keep the position in it."""
    position = file.tell()
    length = file.seek(0, os.SEEK_END)
    file.seek(position)
    return length
