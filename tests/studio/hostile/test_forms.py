"""Uploads that are no pictures, and forms and ranges in floods."""

import os
import struct
import zlib

import pytest
from studio.hostile.attacks import is_harmless, png
from studio_requests import HOST, OWN, ask, form, upload

from dreamscripts.studio.routes import guard

PICTURES = {
    "an SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "HTML": b"<!doctype html><script>alert(1)</script>",
    "HTML with the start of a PNG": b"\x89PNG\r\n\x1a\n<script>alert(1)</script>",
    "a GIF that is a script": b"GIF89a/*" + b"\0" * 20 + b"*/=1;alert(1)",
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n(/etc/passwd) (r) file",
    "PDF": b"%PDF-1.4\n",
    "nothing": b"",
    "a zip": b"PK\x03\x04" + bytes(100),
    "half a PNG": png()[:40],
    "a link to a file": b"/etc/passwd",
    "ImageMagick's language": b"push graphic-context\nimage over 0,0 0,0 'ephemeral:/etc/passwd'\n",
}


@pytest.mark.parametrize("kind", PICTURES)
def test_what_is_no_picture_is_refused(app, kind):
    assert is_harmless(upload(app, PICTURES[kind], "photo.png")).status == 400


def test_a_bomb_is_refused_before_it_is_decoded(app):

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )
    assert is_harmless(upload(app, bomb)).status == 400


PART = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n'
FILE = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a.png"\r\n\r\n' + png() + b"\r\n"
FLOODS = {
    "many fields": PART * 10_000 + b"--x--\r\n",
    "many files": FILE * 100 + b"--x--\r\n",
    "a field that is long": b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n'
    + b"b" * 3_000_000
    + b"\r\n--x--\r\n",
    "many headers": b"--x\r\n" + b"A: b\r\n" * 10_000 + b"\r\n\r\n--x--\r\n",
    "a header that is long": b"--x\r\nContent-Disposition: " + b"a" * 1_000_000 + b"\r\n\r\n\r\n--x--\r\n",
    "no end": FILE,
    "no start": b"nothing",
    "nothing": b"",
    "only ends": b"--x--\r\n" * 1000,
    "no name": b"--x\r\nContent-Disposition: form-data\r\n\r\nb\r\n--x--\r\n",
    "a text as the photo": b'--x\r\nContent-Disposition: form-data; name="photo"\r\n\r\nb\r\n--x--\r\n',
    "another field": FILE.replace(b'"photo"', b'"other"') + b"--x--\r\n",
    "bytes": os.urandom(100_000),
    "many dashes": b"-" * 500_000,
    "many line ends": b"\r\n" * 200_000,
}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flooded_form_is_refused(app, studio, kind):
    before = len(studio.photographs.all())
    answer = ask(app, "POST", "/api/photos", OWN | {"content-type": "multipart/form-data; boundary=x"}, FLOODS[kind])
    assert is_harmless(answer).status in (400, 413, 415)
    assert len(studio.photographs.all()) == before


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "; boundary",
        "; boundary=",
        "; boundary=" + "x" * 10_000,
        "; charset=../../x; boundary=x",
        '; boundary="\xff"',
    ],
)
def test_a_form_with_an_odd_boundary_is_refused(app, kind):
    answer = ask(app, "POST", "/api/photos", OWN | {"content-type": f"multipart/form-data{kind}"}, b"--y\r\n\r\n--y--")
    assert is_harmless(answer).status == 400


def test_a_form_in_many_parts_that_stops_is_given_up(app, monkeypatch):

    monkeypatch.setattr(guard, "PATIENCE", 0.1)
    headers, body = form(png((100, 100)))
    answer = ask(app, "POST", "/api/photos", OWN | headers, chunks=[body[:50], None])
    assert is_harmless(answer).status == 408


RANGES = [
    "bytes=0-0," * 5000 + "1-1",
    "bytes=" + "9" * 100_000 + "-",
    "bytes=0-" * 1000,
    "bytes=-0",
    "bytes=a-b",
    "\xff=0-1",
]


@pytest.mark.parametrize("range_", RANGES)
def test_a_flood_of_ranges_sends_the_file_at_most_once(app, studio, photo, range_):
    url = studio.links.sign(f"/files/{photo}/photograph.png")
    size = len(ask(app, target=url, headers={"host": HOST}).body)
    answer = is_harmless(ask(app, target=url, headers={"host": HOST, "range": range_}))
    assert len(answer.body) <= size
