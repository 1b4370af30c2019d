import hashlib
from collections import namedtuple
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from small_films import pictures, write_film

av = pytest.importorskip("av")
from dreamscripts.errors import FilmError, OutputError  # noqa: E402
from dreamscripts.film_files.copying import Track  # noqa: E402
from dreamscripts.film_files.encoding import encode  # noqa: E402
from dreamscripts.film_files.frame import Frame  # noqa: E402
from dreamscripts.film_files.joining import join  # noqa: E402
from dreamscripts.film_files.kinds import KINDS  # noqa: E402
from dreamscripts.film_files.metadata import read_metadata  # noqa: E402
from dreamscripts.film_files.reading import open_film  # noqa: E402

CONTAINERS = [ending for ending, kind in KINDS.items() if not kind.is_animation]
TOML = 'name = "Grüße, ∂ and 日本"  # <&>\n\n[table]\nlines = """\n\ta\\\\\n"""\n'
UNIT = Fraction(1, 12800)
Heard = namedtuple("Heard", "start content")


def make_segments(folder, kind, lengths=(5, 3, 4), first=0, step=512, unit=UNIT, size=(48, 64)):
    """Encode segments of frames, `step` units apart."""
    frames = pictures(sum(lengths), *size)
    times = iter(range(first, first + step * sum(lengths), step))
    segments = []
    for number, length in enumerate(lengths):
        segments.append(folder / f"{number}.mp4")
        part = [Frame(next(frames), next(times)) for _ in range(length)]
        encode(segments[-1], part, unit, Fraction(1) / (step * unit), kind)
    return segments


def shown(path):
    """Return the times in seconds, the pixels, and which are keyframes."""
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        frames = list(film.decode(stream))
        pixels = [frame.to_ndarray() for frame in frames]
        return [frame.pts * stream.time_base for frame in frames], pixels, [frame.key_frame for frame in frames]


def packets_of(path, kind="audio", number=0):
    """Return the times in seconds and the bytes of the packets of sound or subtitles."""
    with av.open(str(path)) as film:
        stream = [stream for stream in film.streams if stream.type == kind][number]
        return [Heard(packet.pts * packet.time_base, bytes(packet)) for packet in film.demux(stream) if packet.size]


@pytest.mark.parametrize("ending", CONTAINERS)
def test_a_film_is_its_segments_one_after_the_other(ending, tmp_path):
    segments = make_segments(tmp_path, KINDS[ending])
    film = tmp_path / f"film{ending}"
    assert join(film, segments, KINDS[ending]) == []
    parts = [shown(segment) for segment in segments]
    times, pixels, keys = shown(film)
    assert times == [time for part in parts for time in part[0]] == [Fraction(n, 25) for n in range(12)]
    assert np.array_equal(pixels, [picture for part in parts for picture in part[1]])
    assert [number for number, key in enumerate(keys) if key] == [0, 5, 8]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.mp4", "1.mp4", "2.mp4", film.name]


@pytest.mark.parametrize("ending", [".mp4", ".mov"])
@pytest.mark.parametrize(
    ("first", "step", "unit"), [(7, 513, UNIT), (1001, 1001, Fraction(1, 30000)), (10**9 + 1, 3003, Fraction(1, 90000))]
)
def test_times_are_kept_exactly(ending, first, step, unit, tmp_path):
    segments = make_segments(tmp_path, KINDS[ending], first=first, step=step, unit=unit)
    source = write_film(tmp_path / "source.mp4", pictures(5), sound=True)  # its unit is 1/48000 s
    assert join(tmp_path / f"film{ending}", segments, KINDS[ending], sound_of=source) == []
    assert shown(tmp_path / f"film{ending}")[0] == [(first + step * number) * unit for number in range(12)]


@pytest.mark.parametrize("ending", [".mkv", ".webm"])
def test_rounded_times_are_said(ending, tmp_path):
    segments = make_segments(tmp_path, KINDS[ending], step=1001, unit=Fraction(1, 30000))
    notes = join(tmp_path / f"film{ending}", segments, KINDS[ending])
    assert notes == [f"the times of the frames are rounded to milliseconds, as in every {KINDS[ending].name} film"]
    for number, time in enumerate(shown(tmp_path / f"film{ending}")[0]):
        assert abs(time - Fraction(1001 * number, 30000)) <= Fraction(1, 2000)


def test_the_time_between_two_segments_is_kept(tmp_path):
    """The duration that a segment has for its last frame does not count."""
    frames = [Frame(pixels, pts) for pixels, pts in zip(pictures(4), (0, 10, 500, 505), strict=True)]
    for number in (0, 1):
        encode(tmp_path / f"{number}.mp4", frames[2 * number :][:2], Fraction(1, 1000), Fraction(100), KINDS[".mp4"])
    join(tmp_path / "film.mp4", [tmp_path / "0.mp4", tmp_path / "1.mp4"], KINDS[".mp4"])
    with av.open(str(tmp_path / "film.mp4")) as film:
        packets = [packet for packet in film.demux(video=0) if packet.size]
    assert [(packet.pts, packet.duration) for packet in packets[:3]] == [(0, 10), (10, 490), (500, 5)]


@pytest.mark.parametrize("ending", CONTAINERS)
def test_a_film_says_what_its_pictures_are(ending, tmp_path):
    segments = make_segments(tmp_path, KINDS[ending], (20, 30))
    join(tmp_path / f"film{ending}", segments, KINDS[ending])
    with av.open(str(tmp_path / f"film{ending}")) as film:
        context = film.streams.video[0].codec_context
        assert (context.pix_fmt, context.width, context.height) == ("yuv420p", 64, 48)
        assert (context.color_range, context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1, 1)
    with open_film(tmp_path / f"film{ending}") as film:
        assert (film.size, film.rate, film.count, film.notes) == ((48, 64), 25, 50, [])
        assert [frame.pts * film.time_base for frame in film.frames()] == [Fraction(n, 25) for n in range(50)]


@pytest.mark.parametrize("text", [TOML, "a", 'x = "' + "ä" * 200_000 + '"'])
@pytest.mark.parametrize("ending", CONTAINERS)
def test_the_settings_come_back_exactly(ending, text, tmp_path):
    segments = make_segments(tmp_path, KINDS[ending], (2,))
    join(tmp_path / f"film{ending}", segments, KINDS[ending], metadata=text)
    assert read_metadata(tmp_path / f"film{ending}") == text


@pytest.mark.parametrize("ending", CONTAINERS)
def test_the_same_segments_are_the_same_bytes(ending, tmp_path):
    segments = make_segments(tmp_path, KINDS[ending])
    source = write_film(tmp_path / f"source{ending}", pictures(5), sound=True, codec=KINDS[ending].encoders[-1])
    hashes = set()
    for name in ("a", "b"):
        join(tmp_path / name, segments, KINDS[ending], metadata=TOML, sound_of=source)
        hashes.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(hashes) == 1


def test_players_find_what_they_need(tmp_path):
    segments = make_segments(tmp_path, KINDS[".mp4"])
    source = write_film(tmp_path / "source.mp4", pictures(5), sound=True)
    join(tmp_path / "film.mp4", segments, KINDS[".mp4"], sound_of=source)
    content = (tmp_path / "film.mp4").read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")  # the index before the pictures
    with av.open(str(tmp_path / "film.mp4")) as film:
        assert [stream.codec_context.codec_tag for stream in film.streams] == ["avc1", "mp4a"]


def write_source(path, codec="aac", *, picture_at=0, sound_at=0, texts=(), text_codec=None, sounds=1):
    """Write two seconds of pictures with B-frames, of sound, and of subtitles, which begin at times in seconds.

    `texts` are tuples of time, duration (both in milliseconds) and content.
    """
    with av.open(str(path), "w") as film:
        vp9 = path.suffix == ".webm"
        stream = film.add_stream("libvpx-vp9" if vp9 else "libx264", rate=25, options={} if vp9 else {"bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        audio = [film.add_stream(codec, rate=48000) for _ in range(sounds)]
        subtitles = film.add_stream(text_codec) if text_codec else None
        if subtitles:
            subtitles.codec_context.subtitle_header = ASS_HEADER
            subtitles.time_base = Fraction(1, 1000)
        for number, pixels in enumerate(pictures(50)):
            frame = av.VideoFrame.from_ndarray(pixels)
            frame.pts, frame.time_base = number + round(25 * picture_at), Fraction(1, 25)
            film.mux(stream.encode(frame))
        film.mux(stream.encode())
        for number, track in enumerate(audio):
            wave = (np.sin(np.arange(96_000) / (20 + number)) * 10_000).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(np.stack([wave, wave], 1).reshape(1, -1), "s16", "stereo")
            frame.sample_rate, frame.pts, frame.time_base = 48000, round(48000 * sound_at), Fraction(1, 48000)
            size = track.codec_context.frame_size or 1024
            resampler = av.AudioResampler(track.format.name, "stereo", 48000, frame_size=size)
            for part in (*resampler.resample(frame), *resampler.resample(None), None):
                film.mux(track.encode(part))
        for time, duration, content in texts:
            packet = av.Packet(content)
            packet.pts, packet.dts, packet.duration, packet.time_base = time, time, duration, Fraction(1, 1000)
            packet.stream = subtitles
            film.mux(packet)
    return path


ASS_HEADER = (
    b"[Script Info]\r\nScriptType: v4.00+\r\n\r\n[V4+ Styles]\r\nFormat: Name\r\nStyle: Default\r\n\r\n[Events]\r\n"
    b"Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\r\n"
)


@pytest.fixture
def segments(tmp_path):
    """Return a function that makes two seconds of segments for a kind of film, with 25 frames per second."""
    return lambda kind, **settings: make_segments(tmp_path, kind, (20, 30), **settings)


@pytest.mark.parametrize(
    ("codec", "source", "endings"),
    [
        ("aac", ".mp4", ".mp4 .mov .mkv"),
        ("aac", ".mkv", ".mp4 .mov .mkv"),
        ("aac", ".flv", ".mp4 .mov .mkv"),
        ("libmp3lame", ".mp4", ".mp4 .mov .mkv"),
        ("libmp3lame", ".avi", ".mp4 .mov .mkv"),
        ("mp2", ".mkv", ".mp4 .mov .mkv"),
        ("ac3", ".mp4", ".mp4 .mov .mkv"),
        ("eac3", ".mkv", ".mp4 .mov .mkv"),
        ("alac", ".mov", ".mp4 .mov .mkv"),
        ("flac", ".mkv", ".mp4 .mkv"),
        ("libopus", ".webm", ".mp4 .mkv .webm"),
        ("pcm_s16le", ".mov", ".mp4 .mov .mkv"),
        ("pcm_s16le", ".mkv", ".mp4 .mov .mkv"),  # which does not say that two channels are left and right
        ("pcm_s16le", ".avi", ".mp4 .mov .mkv"),
    ],
)
def test_the_sound_is_copied_byte_for_byte(codec, source, endings, tmp_path, segments):
    source = write_source(tmp_path / f"source{source}", codec)
    for ending in endings.split():
        kind, film = KINDS[ending], tmp_path / f"film{ending}"
        assert join(film, segments(kind), kind, sound_of=source) == []
        before, after = packets_of(source), packets_of(film)
        assert [heard.content for heard in after] == [heard.content for heard in before]
        assert len(before) > 15
        assert max(abs(a.start - b.start) for a, b in zip(after, before, strict=True)) <= Fraction(1, 2000)
        assert shown(film)[0] == [Fraction(number, 25) for number in range(50)]


def sound_of(path):
    """Decode all samples of the first sound."""
    with av.open(str(path)) as film:
        return np.concatenate([frame.to_ndarray().ravel() for frame in film.decode(audio=0)])


def test_sound_from_a_transport_stream_loses_only_its_headers(tmp_path, segments):
    """MP4 keeps once what a transport stream repeats in the 7 bytes before every packet of AAC."""
    source = write_source(tmp_path / "source.ts")
    join(tmp_path / "film.mp4", segments(KINDS[".mp4"]), KINDS[".mp4"], sound_of=source)
    before, after = packets_of(source), packets_of(tmp_path / "film.mp4")
    assert [heard.content for heard in after] == [heard.content[7:] for heard in before]
    assert np.array_equal(sound_of(tmp_path / "film.mp4"), sound_of(source))


@pytest.mark.parametrize(("picture_at", "sound_at"), [(0, 0), (0, 0.5), (0.6, 0), (0.2, 0.1), (0, 1.9)])
@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv"])
def test_sound_and_picture_stay_together(ending, picture_at, sound_at, tmp_path, segments):
    source = write_source(tmp_path / "source.mp4", picture_at=picture_at, sound_at=sound_at)
    kind, film = KINDS[ending], tmp_path / f"film{ending}"
    assert join(film, segments(kind, first=round(12800 * picture_at)), kind, sound_of=source) == []
    assert shown(film)[0] == shown(source)[0]
    starts = [[heard.start for heard in packets_of(path)] for path in (source, film)]
    assert max(abs(a - b) for a, b in zip(*starts, strict=True)) <= Fraction(0 if ending != ".mkv" else 1, 2000)
    assert abs(starts[1][0] - Fraction(sound_at)) < Fraction(1, 40)


@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
@pytest.mark.parametrize(("start", "end"), [(0, 1), (0.7, None), (0.71, 1.5), (1.9, 3)])
def test_a_part_of_the_sound_moves_with_the_picture(ending, start, end, tmp_path, segments):
    source = write_source(tmp_path / "source.mp4")
    kind, film = KINDS[ending], tmp_path / f"film{ending}"
    start = Fraction(start).limit_denominator(1000)
    assert join(film, segments(kind), kind, sound_of=source, start=start, end=end) == []
    shift = start // UNIT * UNIT
    wanted = [heard for heard in packets_of(source) if not start or heard.start >= start]
    wanted = [heard for heard in wanted if end is None or heard.start < end]
    found = packets_of(film)
    assert [heard.content for heard in found] == [heard.content for heard in wanted]
    assert max(abs(a.start + shift - b.start) for a, b in zip(found, wanted, strict=True)) <= Fraction(1, 1500)
    assert shown(film)[0] == [Fraction(number, 25) for number in range(50)]


def test_a_part_is_counted_from_the_beginning_of_the_film(tmp_path, segments):
    """The times in a transport stream do not begin at 0."""
    source = write_source(tmp_path / "source.ts", picture_at=10, sound_at=10)
    origin = origin_of(source)
    assert origin > 9
    join(tmp_path / "film.mkv", segments(KINDS[".mkv"]), KINDS[".mkv"], sound_of=source, start=Fraction(1, 2))
    wanted = [heard.content[7:] for heard in packets_of(source) if heard.start >= origin + Fraction(1, 2)]
    found = packets_of(tmp_path / "film.mkv")
    assert [heard.content for heard in found] == wanted
    assert 0 <= found[0].start < Fraction(1, 40)


def test_a_film_with_the_clock_of_a_recorder_begins_at_0(tmp_path, segments):
    """And its sound and pictures stay together."""
    source, copy, kind = (
        write_source(tmp_path / "source.ts", picture_at=5000, sound_at=5000),
        tmp_path / "a.mp4",
        KINDS[".mp4"],
    )
    with open_film(source) as film:
        times = [frame.pts for frame in film.frames()]
        unit = film.time_base
    join(copy, segments(kind, first=times[0], step=3600, unit=unit), kind, sound_of=source)
    assert shown(copy)[0] == [pts * unit for pts in times]
    assert times[0] * unit < Fraction(1, 10)
    for stream in ("video", "audio"):
        before, after = (min(packet.start for packet in packets_of(path, stream)) for path in (source, copy))
        assert after == before - origin_of(source)


def origin_of(path):
    with av.open(str(path)) as film:
        unit = film.streams.video[0].time_base
        return Fraction(film.start_time, 1_000_000) // unit * unit


def test_all_sounds_keep_their_names(tmp_path, segments):
    plain = write_source(tmp_path / "plain.mkv", sounds=2)
    source = tmp_path / "source.mkv"
    with av.open(str(plain)) as film, av.open(str(source), "w") as output:
        tracks = {stream: output.add_stream_from_template(stream, opaque=True) for stream in film.streams}
        for number, language in ((1, "deu"), (2, "jpn")):
            output.streams[number].metadata.update(language=language, title=f"Ton {number}")
        output.streams[2].disposition = av.stream.Disposition.forced
        for packet in film.demux():
            if packet.size:
                packet.stream = tracks[packet.stream]
                output.mux(packet)
    for ending in (".mp4", ".mkv"):
        join(tmp_path / f"film{ending}", segments(KINDS[ending]), KINDS[ending], sound_of=source)
        with av.open(str(tmp_path / f"film{ending}")) as film:
            assert [stream.language for stream in film.streams.audio] == ["deu", "jpn"]
            assert film.streams.audio[1].disposition == av.stream.Disposition.forced
        for number in (0, 1):
            before, after = (packets_of(path, number=number) for path in (source, tmp_path / f"film{ending}"))
            assert [heard.content for heard in after] == [heard.content for heard in before]


TEXTS = {"srt": b"Hello", "mov_text": b"\0\5Hello", "ass": b"0,0,Default,,0,0,0,,Hello", "webvtt": b"Hello"}


@pytest.mark.parametrize(
    ("codec", "source", "ending"),
    [
        ("mov_text", ".mp4", ".mp4"),
        ("mov_text", ".mp4", ".mov"),
        ("srt", ".mkv", ".mkv"),
        ("ass", ".mkv", ".mkv"),
        ("webvtt", ".mkv", ".webm"),
    ],
)
def test_subtitles_are_copied(codec, source, ending, tmp_path, segments):
    text = TEXTS[codec]
    sound = "libopus" if ending == ".webm" else "aac"
    source = write_source(
        tmp_path / f"source{source}", sound, texts=[(100, 500, text), (1200, 400, text)], text_codec=codec
    )
    film = tmp_path / f"film{ending}"
    assert join(film, segments(KINDS[ending]), KINDS[ending], sound_of=source) == []
    subtitles = [heard for heard in packets_of(film, "subtitle") if heard.content != b"\0\0"]
    assert subtitles == [(Fraction(1, 10), text), (Fraction(12, 10), text)]
    assert packets_of(film, "subtitle") == packets_of(source, "subtitle")
    assert len(packets_of(film)) > 80


def test_a_subtitle_on_the_cut_is_shown_for_the_rest_of_its_time(tmp_path, segments):
    texts = [(100, 100, b"gone"), (200, 500, b"cut"), (1200, 400, b"later"), (1900, 50, b"after")]
    source = write_source(tmp_path / "source.mkv", texts=texts, text_codec="srt")
    start, end = Fraction(1, 2), Fraction(18, 10)
    join(tmp_path / "film.mkv", segments(KINDS[".mkv"]), KINDS[".mkv"], sound_of=source, start=start, end=end)
    with av.open(str(tmp_path / "film.mkv")) as film:
        packets = [packet for packet in film.demux(film.streams.subtitles) if packet.size]
    found = [(packet.pts, packet.duration, bytes(packet)) for packet in packets]
    assert found == [(0, 200, b"cut"), (700, 400, b"later")]


@pytest.mark.parametrize(
    ("codec", "source", "ending", "note"),
    [
        ("aac", ".mp4", ".webm", "WebM cannot contain the sound (AAC); use a name that ends in .mp4 or .mov or .mkv"),
        ("flac", ".mkv", ".mov", "QuickTime cannot contain the sound (FLAC); use a name that ends in .mp4 or .mkv"),
        ("pcm_mulaw", ".mov", ".mp4", "MP4 cannot contain the sound (PCM); use a name that ends in .mov"),
        ("adpcm_ms", ".avi", ".mkv", "Matroska cannot contain the sound (ADPCM)"),
    ],
)
def test_sound_that_does_not_fit_is_left_out_and_said(codec, source, ending, note, tmp_path, segments):
    source = write_source(tmp_path / f"source{source}", codec, sounds=2 if source != ".avi" else 1)
    film = tmp_path / f"film{ending}"
    assert join(film, segments(KINDS[ending]), KINDS[ending], sound_of=source) == [note]
    with av.open(str(film)) as result:
        assert [stream.type for stream in result.streams] == ["video"]
    assert len(shown(film)[0]) == 50


def test_subtitles_that_do_not_fit_are_left_out_and_said(tmp_path, segments):
    source = write_source(tmp_path / "source.mkv", texts=[(100, 500, b"Hello")], text_codec="srt")
    notes = join(tmp_path / "film.mp4", segments(KINDS[".mp4"]), KINDS[".mp4"], sound_of=source)
    assert notes == ["MP4 cannot contain the subtitles (SRT); use a name that ends in .mkv"]
    assert len(packets_of(tmp_path / "film.mp4")) > 80


def test_a_film_without_sound_is_joined(tmp_path, segments):
    source = write_film(tmp_path / "source.mp4", pictures(5))
    assert join(tmp_path / "film.mp4", segments(KINDS[".mp4"]), KINDS[".mp4"], sound_of=source) == []


def test_sound_of_a_film_that_is_cut_off_is_copied_as_far_as_possible(tmp_path, segments):
    source = write_source(tmp_path / "source.mkv")
    whole = packets_of(source)
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    join(tmp_path / "film.mp4", segments(KINDS[".mp4"]), KINDS[".mp4"], sound_of=source)
    found = packets_of(tmp_path / "film.mp4")
    assert 10 < len(found) < len(whole)
    assert [heard.content for heard in found[:-1]] == [heard.content for heard in whole[: len(found) - 1]]


@pytest.mark.parametrize(
    ("error", "notes"),
    [
        (av.InvalidDataError(1, "damaged"), ["{}: is damaged or cut off, and so are its sound and subtitles"]),
        (OSError(5, "Input/output error"), ["{}: is damaged or cut off, and so are its sound and subtitles"]),
        (IndexError("list index out of range"), []),  # PyAV, after the last packet
    ],
)
def test_an_error_while_the_sound_is_read_is_said(error, notes, tmp_path, segments, monkeypatch):
    source = write_source(tmp_path / "source.mp4")
    demux = av.container.InputContainer.demux

    class Failing:
        def __init__(self, film):
            self._film = film

        def __getattr__(self, name):
            return getattr(self._film, name)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self._film.close()

        def demux(self, streams):
            for number, packet in enumerate(demux(self._film, streams)):
                if isinstance(streams, list) and number == 20:
                    raise error
                yield packet

    def opened(file, mode="r", *args, open=av.open, **keys):
        film = open(file, mode, *args, **keys)
        return film if mode == "w" else Failing(film)

    monkeypatch.setattr(av, "open", opened)
    found = join(tmp_path / "film.mp4", segments(KINDS[".mp4"]), KINDS[".mp4"], sound_of=source)
    assert found == [note.format(source) for note in notes]
    assert len(packets_of(tmp_path / "film.mp4")) == 20


def test_decoding_times_that_do_not_increase_are_made_to(tmp_path, segments):
    source = tmp_path / "source.mkv"
    plain = write_source(tmp_path / "plain.mkv")
    with av.open(str(plain)) as film, av.open(str(source), "w") as output:
        tracks = {stream: output.add_stream_from_template(stream, opaque=True) for stream in film.streams}
        for packet in film.demux():
            if packet.size:
                if packet.stream.type == "audio":
                    packet.pts = packet.dts = packet.pts // 100 * 100  # five packets have the same time
                packet.stream = tracks[packet.stream]
                output.mux(packet)
    assert join(tmp_path / "film.mp4", segments(KINDS[".mp4"]), KINDS[".mp4"], sound_of=source) == []
    before, after = packets_of(source), packets_of(tmp_path / "film.mp4")
    assert [heard.content for heard in after] == [heard.content for heard in before]
    assert all(a.start < b.start for a, b in pairwise(after))


def test_sound_that_ffmpeg_refuses_is_left_out_and_said(tmp_path, segments, monkeypatch):
    """A film that took hours is written in any case."""
    source = write_source(tmp_path / "source.mp4")
    write = Track.write

    def refuse(track, timed):
        if track.stream.type == "audio" and timed.dts > 1:
            raise av.InvalidDataError(1, "Invalid data found")
        write(track, timed)

    monkeypatch.setattr(Track, "write", refuse)
    notes = join(tmp_path / "film.mp4", segments(KINDS[".mp4"]), KINDS[".mp4"], sound_of=source)
    assert notes == [
        f"the sound and the subtitles of {source} are left out, because they cannot be copied"
        f" ({tmp_path / 'film.mp4'}: cannot be written: Invalid data found)"
    ]
    with av.open(str(tmp_path / "film.mp4")) as film:
        assert [stream.type for stream in film.streams] == ["video"]
    assert len(shown(tmp_path / "film.mp4")[0]) == 50


def test_pictures_that_ffmpeg_refuses_are_an_error(tmp_path, segments, monkeypatch):
    def refuse(track, timed):
        raise av.InvalidDataError(1, "Invalid data found")

    monkeypatch.setattr(Track, "write", refuse)
    with pytest.raises(OutputError, match=r"film\.mp4: cannot be written: Invalid data found"):
        join(tmp_path / "film.mp4", segments(KINDS[".mp4"]), KINDS[".mp4"])
    assert not (tmp_path / "film.mp4").exists()


def test_packets_with_impossible_times_are_left_out(tmp_path, segments):
    source, plain = tmp_path / "source.mkv", write_source(tmp_path / "plain.mkv")
    with av.open(str(plain)) as film, av.open(str(source), "w") as output:
        tracks = {stream: output.add_stream_from_template(stream, opaque=True) for stream in film.streams}
        for packet in film.demux():
            if packet.size:
                if packet.stream.type == "audio" and packet.pts > 1500:
                    packet.pts = packet.dts = packet.pts + 2**50  # milliseconds
                packet.stream = tracks[packet.stream]
                output.mux(packet)
    join(tmp_path / "film.mp4", segments(KINDS[".mp4"]), KINDS[".mp4"], sound_of=source)
    found = packets_of(tmp_path / "film.mp4")
    assert found == [heard for heard in packets_of(plain) if heard.start <= 1.5]


def test_segments_of_different_sizes_are_refused(tmp_path):
    for name, size in (("a", (48, 64)), ("b", (48, 66))):
        (tmp_path / name).mkdir()
        make_segments(tmp_path / name, KINDS[".mp4"], (2,), size=size)
    parts = [tmp_path / "a" / "0.mp4", tmp_path / "b" / "0.mp4"]
    with pytest.raises(FilmError, match=r"b/0\.mp4: does not fit to 0\.mp4"):
        join(tmp_path / "film.mp4", parts, KINDS[".mp4"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_damaged_segment_is_said(tmp_path):
    parts = make_segments(tmp_path, KINDS[".mp4"])
    parts[1].write_bytes(parts[1].read_bytes()[:500])
    with pytest.raises(FilmError, match=r"1\.mp4: "):
        join(tmp_path / "film.mp4", parts, KINDS[".mp4"])
    assert not (tmp_path / "film.mp4").exists()


@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
@pytest.mark.parametrize("room", [0, 3000, 20_000])
def test_a_full_disk_is_said_and_the_old_film_is_kept(ending, room, tmp_path, segments, full_disk):
    source = write_source(tmp_path / "source.mp4")
    parts = segments(KINDS[ending])
    (tmp_path / f"film{ending}").write_text("old")
    before = sorted(tmp_path.iterdir())
    full_disk(room)
    with pytest.raises(OutputError, match=rf"film\{ending}: the disk is full"):
        join(tmp_path / f"film{ending}", parts, KINDS[ending], sound_of=source)
    assert (tmp_path / f"film{ending}").read_text() == "old"
    assert sorted(tmp_path.iterdir()) == before


def test_ffmpeg_prints_nothing(tmp_path, segments, capfd):
    source = write_source(tmp_path / "source.mkv", texts=[(100, 500, b"Hello")], text_codec="srt")
    source.write_bytes(source.read_bytes()[:-5000])
    for ending in (".mp4", ".mov", ".mkv"):
        join(tmp_path / f"film{ending}", segments(KINDS[ending]), KINDS[ending], sound_of=source)
    assert capfd.readouterr() == ("", "")


def test_packets_are_written_in_the_order_of_their_times(tmp_path, segments, monkeypatch):
    """So neither FFmpeg nor this package must keep many: the memory does not grow with the film."""
    source = write_source(tmp_path / "source.mp4", sound_at=0.3)
    written = []
    write = Track.write
    monkeypatch.setattr(Track, "write", lambda track, timed: [written.append(timed.dts), write(track, timed)])
    join(tmp_path / "film.mp4", segments(KINDS[".mp4"]), KINDS[".mp4"], sound_of=source)
    assert len(written) > 140
    assert written == sorted(written)
