"""Files that are not films, or not films that can be read: each is refused in one line."""

import errno
import io
import os
import re
import struct
import sys

import numpy as np
import pytest
from PIL import Image
from small_films import LOSSLESS, pictures, write_film, write_tone

from dreamscripts.errors import FilmError
from dreamscripts.film_files import opening
from dreamscripts.film_files.reading import open_film

av = pytest.importorskip("av")


def refusal(path):
    """Return the message with which a file is refused, without its name. It has one line."""
    with pytest.raises(FilmError) as error, open_film(path) as source:
        list(source.frames())
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


@pytest.fixture
def film(tmp_path):
    return write_film(tmp_path / "film.mp4", pictures(10))


def test_what_is_not_a_file_is_refused(tmp_path):
    assert refusal(tmp_path / "none.mp4") == "there is no such film"
    assert refusal(tmp_path).startswith("is a folder")
    assert refusal("/dev/null").startswith("is a device")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.mp4")
        assert refusal(tmp_path / "pipe.mp4").startswith("is a pipe")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif", "a.bmp"])
def test_of_a_picture_the_right_command_is_named(name, tmp_path):
    Image.fromarray(next(pictures(1))).save(tmp_path / name)
    assert refusal(tmp_path / name) == f"is a picture, not a film; use: dreamscripts dream {tmp_path / name}"


def test_an_animated_webp_is_refused(tmp_path):
    first, *others = map(Image.fromarray, pictures(3))
    first.save(tmp_path / "a.webp", save_all=True, append_images=others)
    assert "animated WebP" in refusal(tmp_path / "a.webp")


def test_sound_is_not_a_film(tmp_path):
    with av.open(str(tmp_path / "a.m4a"), "w") as container:
        write_tone(container, container.add_stream("aac", rate=48000))
    with av.open(str(tmp_path / "a.wav"), "w") as container:
        write_tone(container, container.add_stream("pcm_f32le", rate=48000, layout="stereo"))
    assert refusal(tmp_path / "a.m4a") == "contains only sound, no film"
    assert refusal(tmp_path / "a.wav") == "contains only sound, no film"


def test_empty_files_and_files_of_other_kinds_are_refused(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"")
    assert refusal(tmp_path / "a.mp4") == "is an empty file"
    (tmp_path / "a.mp4").write_bytes(np.random.default_rng(0).bytes(50_000))
    assert refusal(tmp_path / "a.mp4").startswith("is damaged, or not a film")
    (tmp_path / "a.mp4").write_text("Dear diary,\n" * 300)
    assert refusal(tmp_path / "a.mp4").startswith("is a text, not a film")
    (tmp_path / "a.mp4").write_bytes(("€" * 1000).encode())
    assert refusal(tmp_path / "a.mp4").startswith("is a text, not a film")


PLAYLISTS = {
    "hls.m3u8": "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{film}\n#EXT-X-ENDLIST\n",
    "concat.txt": "ffconcat version 1.0\nfile '{film}'\n",
    "dash.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet>'
    '<Representation id="1" mimeType="video/mp4"><BaseURL>{film}</BaseURL></Representation></AdaptationSet></Period>'
    "</MPD>",
    "session.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
    "a=rtpmap:96 H264/90000\n",
}


@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_playlist_is_not_followed(name, film, tmp_path):
    path = tmp_path / name
    path.write_text(PLAYLISTS[name].format(film=film))
    assert "if it is a playlist, give the name of a film in it" in refusal(path)


def test_a_film_in_another_file_is_not_opened(film, tmp_path, monkeypatch):
    """Even if a format that is allowed asked for another file."""
    monkeypatch.setattr(opening, "FILMS", (*opening.FILMS, "hls", "concat"))
    for name in ("hls.m3u8", "concat.txt"):
        (tmp_path / name).write_text(PLAYLISTS[name].format(film=film.name))
        with pytest.raises(FilmError), open_film(tmp_path / name):
            pass


def test_no_other_file_is_opened_for_a_film(film, monkeypatch):
    opened = []
    real = os.open
    monkeypatch.setattr(os, "open", lambda path, *rest, **more: opened.append(str(path)) or real(path, *rest, **more))
    with open_film(film) as source:
        list(source.frames())
    assert set(opened) == {str(film)}


def test_a_film_without_its_table_of_frames_is_refused(film):
    content = film.read_bytes()
    film.write_bytes(content[: int(len(content) * 0.6)])
    assert refusal(film) == "is damaged or cut off: the table of its frames is missing, so nothing can be read"


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.avi"])
def test_a_film_without_frames_is_refused(name, tmp_path):
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    assert refusal(tmp_path / name) == "contains no frames"


@pytest.mark.parametrize(("name", "codec", "tag"), [("a.mp4", "libx264", b"avc1"), ("a.mkv", "ffv1", b"V_FFV1")])
def test_an_unknown_codec_is_refused(name, codec, tag, tmp_path):
    path = write_film(tmp_path / name, pictures(5), codec=codec)
    content = path.read_bytes()
    assert tag in content
    path.write_bytes(content.replace(tag, tag[:-1] + b"~"))
    assert refusal(path) == "its pictures are in a format that FFmpeg cannot decode; convert it to MP4 first"


def test_nothing_but_damaged_frames_is_refused(tmp_path):
    path = write_film(tmp_path / "a.avi", pictures(5), codec="png", pix_fmt="rgb24")
    path.write_bytes(path.read_bytes().replace(b"\x89PNG", b"\x89PNX"))
    assert refusal(path) == "is damaged: none of its frames can be read"


def test_enormous_frames_are_refused_before_memory_is_taken(tmp_path, monkeypatch):
    path = write_film(tmp_path / "a.avi", pictures(3), **LOSSLESS)
    content = path.read_bytes()
    size = struct.pack("<II", 64, 48)
    assert content.count(size) >= 2
    path.write_bytes(content.replace(size, struct.pack("<II", 16_000, 16_000)))
    monkeypatch.setattr(opening, "free_memory", lambda: 2_000_000_000)
    assert refusal(path) == (
        "a film of 16000×16000 needs about 7.7 GB of memory to be read, and 2.0 GB are free: make it smaller first"
    )


def test_a_film_that_becomes_enormous_is_read_up_to_there(tmp_path, monkeypatch):
    small = write_film(tmp_path / "64.h264", pictures(60, 64, 64), options={"bf": "0"})
    large = write_film(tmp_path / "400.h264", pictures(3, 400, 400), options={"bf": "0"})
    (tmp_path / "a.h264").write_bytes(small.read_bytes() + large.read_bytes())
    monkeypatch.setattr(opening, "free_memory", lambda: 100 * 100 * opening.DECODING)
    with open_film(tmp_path / "a.h264") as source:
        assert len(list(source.frames())) == 60
    assert any("it is damaged" in note for note in source.notes)


def test_scaling_counts_towards_the_memory(film, monkeypatch):
    monkeypatch.setattr(opening, "free_memory", lambda: 100_000_000)
    with open_film(film):
        pass
    with pytest.raises(FilmError, match=r"needs about 0\.9 GB"), open_film(film, size=10_000):
        pass


def test_without_pyav_the_command_to_install_it_is_named(film, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(FilmError, match=re.escape('pip install "dreamscripts[video]"')), open_film(film):
        pass


def test_the_default_stream_is_read(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("ffv1", rate=25) for _ in range(2)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 64, 48, "bgr0"
        streams[1].disposition = av.stream.Disposition.default
        for number, picture in enumerate(pictures(6)):
            frame = av.VideoFrame.from_ndarray(picture)
            frame.pts = number // 2
            container.mux(streams[number % 2].encode(frame))
        for stream in streams:
            container.mux(stream.encode())
    with open_film(path) as source:
        frames = [frame.pixels for frame in source.frames()]
    assert all(np.array_equal(a, b) for a, b in zip(frames, list(pictures(6))[1::2], strict=True))
    assert source.notes == ["it contains 2 streams of pictures, of which the default or the first is used"]


def test_a_cover_is_not_a_film(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        film, cover = container.add_stream("libx264", rate=25), container.add_stream("mjpeg", rate=25)
        film.width, film.height, film.pix_fmt = 64, 48, "yuv420p"
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        for number, picture in enumerate((next(pictures(1, 32, 32)), *pictures(5))):
            frame = av.VideoFrame.from_ndarray(picture)
            frame.pts = max(0, number - 1)
            container.mux((film if number else cover).encode(frame))
        container.mux(cover.encode())
        container.mux(film.encode())
    with open_film(path) as source:
        assert source.size == (48, 64)
        assert len(list(source.frames())) == 5
        assert source.notes == []


def test_a_disk_that_fails_is_one_line_or_a_note(tmp_path, monkeypatch):
    path = write_film(tmp_path / "a.mkv", pictures(50), **LOSSLESS)

    class Failing(io.BytesIO):
        def read(self, size=-1):
            if self.tell() + size > limit:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return super().read(size)

    monkeypatch.setattr(opening, "open_regular", lambda path, *rest: Failing(path.read_bytes()))
    limit = 600
    assert refusal(path) == "cannot be read: Input/output error"
    limit = path.stat().st_size // 2
    with open_film(path) as source:
        frames = list(source.frames())
    assert 5 < len(frames) < 45
    assert source.notes[0].startswith("it is cut off or damaged")
