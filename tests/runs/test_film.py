import itertools
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import changed

pytest.importorskip("av")
pytest.importorskip("cv2")

from small_films import decode, pictures, write_film

from dreamscripts.dreams.films.dreamer import Dreamer
from dreamscripts.errors import DreamError, FilmError, OutputError
from dreamscripts.film_files.metadata import read_metadata
from dreamscripts.film_files.opening import opened
from dreamscripts.runs import film as films
from dreamscripts.runs import film_folder
from dreamscripts.runs.film import new_video, new_zoom, record
from dreamscripts.runs.film_folder import FilmFolder
from dreamscripts.runs.find_film import new_film, parts_of
from dreamscripts.settings.film_tables import Video, Zoom
from dreamscripts.settings.schema import Settings

ZOOM = {"zoom": {"seconds": 1.0, "fps": 10.0}, "size": 64}


@pytest.fixture(autouse=True)
def short_segments(monkeypatch):
    monkeypatch.setattr(film_folder, "SEGMENT", 4)


@pytest.fixture
def source(tmp_path):
    return write_film(tmp_path / "source.mp4", pictures(10), rate=20, sound=True)


def pixels(path):
    return [frame.to_ndarray(format="rgb24") for frame in decode(path)]


def luma(picture):
    return picture @ [0.2126, 0.7152, 0.0722]


def sound(path):
    with opened(path) as film:
        return [bytes(packet) for packet in film.container.demux(audio=0) if packet.size]


def make(folder, frames=None):
    """Make a film, or its next frames. Return them."""
    stream = record(folder)
    made = list(itertools.islice(stream, frames))
    stream.close()
    return made


def test_a_zoom_is_a_film_with_its_settings_inside(photo, settings, tmp_path):
    film = tmp_path / "zoom.mp4"
    frames = make(new_zoom(photo, changed(settings, **ZOOM), film))
    assert [frame.number for frame in frames] == list(range(10))
    decoded = pixels(film)
    assert len(decoded) == 10
    for frame, shown in zip(frames, decoded, strict=True):
        assert np.abs(luma(frame.pixels) - luma(shown)).mean() < 6  # films have half the resolution for colours
    (tmp_path / "copy.toml").write_text(read_metadata(film))
    inside = Settings.load(tmp_path / "copy.toml")
    assert inside.zoom == Zoom(seconds=1.0, fps=10.0)
    assert inside == Settings.load(film)
    assert list(tmp_path.glob("*.parts")) == []


def test_a_film_made_from_the_settings_inside_another_has_the_same_bytes(photo, settings, tmp_path):
    make(new_zoom(photo, changed(settings, **ZOOM), tmp_path / "one.mp4"))
    make(new_zoom(photo, Settings.load(tmp_path / "one.mp4"), tmp_path / "two.mp4"))
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


def test_a_zoom_out_of_noise_is_wide(settings, tmp_path):
    (frame,) = make(new_zoom(None, changed(settings, zoom={"seconds": 0.1}, size=96), tmp_path / "n.gif"), 1)
    assert frame.pixels.shape == (54, 96, 3)


def test_a_dream_over_a_film_keeps_its_times_and_its_sound(source, settings, tmp_path):
    film = tmp_path / "dream.mp4"
    made = make(new_video(source, settings, film))
    assert [frame.pts * frame.time_base for frame in decode(film)] == [Fraction(number, 20) for number in range(10)]
    assert sound(film) == sound(source) != []
    differences = [
        np.abs(ours.astype(float) - theirs).mean() for ours, theirs in zip(pixels(film), pixels(source), strict=True)
    ]
    assert len(made) == 10
    assert min(differences) > 3  # each frame is dreamt
    assert Settings.load(film).video == Video()


def test_irregular_times_are_kept(settings, tmp_path):
    times = [0, 1, 5, 6, 13, 14]
    source = write_film(tmp_path / "s.mkv", pictures(6), times=times, time_base=Fraction(1, 20))
    film = tmp_path / "dream.mp4"
    make(new_video(source, settings, film))
    assert [frame.pts * frame.time_base * 20 for frame in decode(film)] == times


def test_a_part_of_a_film_begins_at_zero(source, settings, tmp_path):
    film = tmp_path / "part.mp4"
    make(new_video(source, changed(settings, video={"start": 0.2, "end": 0.35}), film))
    assert [float(frame.pts * frame.time_base) for frame in decode(film)] == pytest.approx([0, 0.05, 0.1])


@pytest.mark.parametrize("stop", [1, 4, 9])
@pytest.mark.parametrize("kind", ["zoom", "video"])
def test_stopped_and_resumed_a_film_has_the_same_bytes(kind, stop, photo, source, settings, tmp_path):
    def begin(film):
        if kind == "zoom":
            return new_zoom(photo, changed(settings, **ZOOM), film)
        return new_video(source, settings, film)

    make(begin(tmp_path / "whole.mp4"))
    film = tmp_path / "stopped.mp4"
    make(begin(film), stop)
    assert len(decode(film)) == stop  # what there is can be played
    folder = FilmFolder.reopen(film)
    assert folder.frames == stop
    make(folder)
    assert film.read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert not parts_of(film).exists()


def test_a_killed_film_goes_on_from_its_last_checkpoint(photo, settings, tmp_path, monkeypatch):
    """As after kill -9 between any two files, nothing is done at the end."""
    make(new_zoom(photo, changed(settings, **ZOOM), tmp_path / "whole.mp4"))
    real = film_folder.write_atomically
    for number in range(0, 40, 8):
        film = tmp_path / f"killed{number}.mp4"
        folder = new_zoom(photo, changed(settings, **ZOOM), film)
        writes = itertools.count()

        def killed_later(path, content, *, durable=True, writes=writes, number=number):
            if next(writes) == number:
                raise KeyboardInterrupt
            real(path, content, durable=durable)

        with monkeypatch.context() as patch:
            patch.setattr(film_folder, "write_atomically", killed_later)
            patch.setattr(FilmFolder, "finish", lambda *arguments: None)
            patch.setattr(film_folder, "COST", 1e9)  # a checkpoint at each frame
            try:
                for _ in record(folder):
                    pass
            except KeyboardInterrupt:
                pass
        make(FilmFolder.reopen(film))
        assert film.read_bytes() == (tmp_path / "whole.mp4").read_bytes(), number


def test_a_film_that_is_complete_but_not_joined_needs_no_network(photo, settings, tmp_path, monkeypatch):
    film = tmp_path / "film.mp4"
    make(new_zoom(photo, changed(settings, **ZOOM), tmp_path / "whole.mp4"))
    make(new_zoom(photo, changed(settings, **ZOOM), film), 10)
    film.unlink()
    monkeypatch.setattr(Dreamer, "__init__", lambda *arguments, **named: pytest.fail("built a network"))
    make(FilmFolder.reopen(film))
    assert film.read_bytes() == (tmp_path / "whole.mp4").read_bytes()


def test_the_sound_of_a_stopped_film_ends_with_its_pictures(source, settings, tmp_path):
    film = tmp_path / "dream.mp4"
    make(new_video(source, settings, film), 4)
    for _ in range(2):  # the second time, no frame is added
        with opened(film) as part:
            ends = [float(packet.pts * packet.time_base) for packet in part.container.demux(audio=0) if packet.size]
        assert 0.15 < max(ends) < 0.2
        folder = FilmFolder.reopen(film)
        folder.finish(complete=False)
        folder.release()


def test_a_film_that_has_changed_is_not_continued(source, settings, tmp_path):
    film = tmp_path / "dream.mp4"
    make(new_video(source, settings, film), 2)
    source.write_bytes(source.read_bytes() + b"\0")
    with pytest.raises(FilmError, match=r"source\.mp4: has changed since"):
        make(FilmFolder.reopen(film))


def test_frames_without_a_dream_are_said(settings, tmp_path):
    frames = [np.full((48, 64, 3), 2, np.uint8), *pictures(2)]
    folder = new_video(write_film(tmp_path / "s.mp4", frames), settings, tmp_path / "film.mp4")
    make(folder)
    assert folder.notes == ["1 of 3 frames are nearly black, so nothing was dreamt of them"]


def test_the_film_itself_is_never_overwritten(source, settings):
    with pytest.raises(OutputError, match="is the film that is dreamt of"):
        new_video(source, settings, source)
    assert decode(source)


def test_an_existing_film_is_kept(photo, settings, tmp_path):
    film = tmp_path / "mine.mp4"
    film.write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"mine\.mp4: already exists"):
        new_zoom(photo, changed(settings, **ZOOM), film)
    assert film.read_bytes() == b"mine"


def test_a_film_that_was_begun_is_kept(photo, settings, tmp_path):
    film = tmp_path / "film.mp4"
    make(new_zoom(photo, changed(settings, **ZOOM), film), 2)
    film.unlink()
    with pytest.raises(OutputError, match="has been begun"):
        new_zoom(photo, changed(settings, **ZOOM), film)
    assert FilmFolder.reopen(film).frames == 2


def test_new_names_are_numbered(tmp_path):
    name = str(tmp_path / "sky")
    assert new_film(name, ".mp4").name == "sky.mp4"
    (tmp_path / "sky.mp4").touch()
    (tmp_path / "sky-2.mp4.parts").mkdir()
    assert new_film(name, ".mp4").name == "sky-3.mp4"


def test_a_full_disk_is_said_before_the_film_is_begun(photo, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(film_folder.shutil, "disk_usage", lambda path: SimpleNamespace(free=1))
    with pytest.raises(OutputError, match=r"film\.mp4: 10 frames may need .* GB, and the disk has 0\.0 GB left"):
        new_zoom(photo, changed(settings, **ZOOM), tmp_path / "film.mp4")
    assert not parts_of(tmp_path / "film.mp4").exists()


def test_frames_that_are_too_small_are_refused(settings, tmp_path):
    source = write_film(tmp_path / "s.mp4", pictures(2, 48, 64))
    with pytest.raises(FilmError, match="frames of 16×12 are too small"):
        new_video(source, settings.model_copy(update={"size": 16}), tmp_path / "film.mp4")


def test_samples_are_spread_over_the_film(source, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(films, "SAMPLES", 5)
    folder = new_video(source, settings, tmp_path / "film.mp4")
    samples = list(films.samples(folder))
    assert [round(seconds, 2) for seconds, _, _ in samples] == [0.05, 0.15, 0.25, 0.35, 0.45]
    theirs = pixels(source)
    for (_, frame, dream), number in zip(samples, (1, 3, 5, 7, 9), strict=True):
        assert np.abs(frame.astype(float) - theirs[number]).mean() < 4
        assert np.abs(dream.astype(float) - frame).mean() > 3


def test_a_film_that_ends_too_early_for_a_preview_is_refused(source, settings, tmp_path):
    folder = new_video(source, settings, tmp_path / "film.mp4")
    folder.record.frames = 100_000  # as the header of a film that was cut off says
    with pytest.raises(FilmError, match=r"source\.mp4: ends too early for a preview"):
        list(films.samples(folder))


def test_a_stop_before_the_first_frame_leaves_nothing(photo, settings, tmp_path, monkeypatch):
    def stopped(*arguments, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr(Dreamer, "dream", stopped)
    with pytest.raises(KeyboardInterrupt):
        make(new_zoom(photo, changed(settings, **ZOOM), tmp_path / "film.mp4"))
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


@pytest.mark.parametrize("name", ["film.json", "state.npz", "settings.toml", "start.npy", "segment_0000.mp4"])
def test_a_damaged_file_is_named(name, photo, settings, tmp_path):
    film = tmp_path / "film.mp4"
    make(new_zoom(photo, changed(settings, **ZOOM), film), 6)
    damaged = parts_of(film) / name
    damaged.write_bytes(damaged.read_bytes()[:40])
    with pytest.raises(DreamError, match=name) as error:
        make(FilmFolder.reopen(film))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("name", "other"), [("frame_000005.npy", "frame_000004.npy"), ("segment_0000.mp4", None)])
def test_frames_that_the_run_did_not_write_are_refused(name, other, photo, settings, tmp_path):
    film = tmp_path / "film.mp4"
    make(new_zoom(photo, changed(settings, **ZOOM), film), 6)
    content = bytearray((parts_of(film) / (other or name)).read_bytes())
    content[-100] ^= not other
    (parts_of(film) / name).write_bytes(content)
    with pytest.raises(OutputError, match=f"{name}: is damaged: its content is not what was written"):
        FilmFolder.reopen(film)


def test_a_state_with_other_numbers_is_refused(photo, settings, tmp_path):
    film = tmp_path / "film.mp4"
    make(new_zoom(photo, changed(settings, **ZOOM), film), 6)
    state = parts_of(film) / "state.npz"
    with np.load(state) as file:
        arrays = dict(file)
    arrays["picture"] = np.zeros_like(arrays["picture"])
    np.savez(state, **arrays)
    with pytest.raises(OutputError, match=r"state\.npz: is damaged: its numbers are not those that the run wrote"):
        FilmFolder.reopen(film)
