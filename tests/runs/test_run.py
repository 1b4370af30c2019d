import csv
import json
from contextlib import closing
from functools import partial
from math import inf
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import changed
from PIL import Image

from dreamscripts.dreams import dream as dreaming
from dreamscripts.errors import Diverged, NetworkError, OutputError, PictureError
from dreamscripts.images.files import open_picture
from dreamscripts.objective import memory_budget
from dreamscripts.optimizers.protocol import OptimizerResult
from dreamscripts.reports.loss_curve import write_loss_curve
from dreamscripts.runs import run as run_module
from dreamscripts.runs import run_folder
from dreamscripts.runs.find_run import latest_folder
from dreamscripts.runs.run_folder import RunFolder
from dreamscripts.settings.schema import Settings
from dreamscripts.settings.tables import Feature

run = partial(run_module.run, on_end=write_loss_curve)  # as the command does
resume = partial(run_module.resume, on_end=write_loss_curve)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "runs" / "one"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


SNAPSHOTS = {f"iteration_{i:03d}.png" for i in range(5)}
ALWAYS = {"run.json", "settings.toml", "loss.csv", "loss.png", "final.png"}
FOR_RESUMING = {"state.npz", "start.npy"}


def test_a_run_leaves_its_whole_record(photo, settings, folder):
    iterates = list(run(photo, settings, folder))
    assert names(folder) == SNAPSHOTS | ALWAYS
    np.testing.assert_allclose(open_picture(folder / "final.png"), iterates[-1].picture, atol=0.5)
    assert (folder / "final.png").read_bytes() == (folder / "iteration_004.png").read_bytes()
    assert Settings.load(folder / "settings.toml") == Settings.load(folder / "iteration_002.png") == settings

    record = json.loads((folder / "run.json").read_text())
    assert record["status"] == "complete"
    assert record["picture"] == str(photo)
    assert Settings.model_validate(record["settings"]) == settings
    assert {"keras", "numpy", "scipy", "python"} <= set(record["versions"])
    assert "CPU" in record["device"] or "GPU" in record["device"]
    assert [row["loss"] for row in record["iterates"]] == [iterate.loss for iterate in iterates]

    with (folder / "loss.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        *("octave", "iteration", "passes", "seconds", "loss"),
        *("block2_conv1", "continuity", "dream_l2"),
    ]
    assert [float(row["loss"]) for row in rows] == [iterate.loss for iterate in iterates]
    with Image.open(folder / "loss.png") as curve:
        assert curve.size == (960, 600)
        assert len(curve.convert("L").getcolors()) > 50  # something is drawn


def test_of_the_snapshots_every_nth_is_kept(photo, settings, folder):
    list(run(photo, settings, folder, keep_every=3))
    assert names(folder) == {"iteration_000.png", "iteration_003.png"} | ALWAYS


def test_each_iterate_is_on_disk_before_it_is_yielded(photo, settings, folder):
    for iterate in run(photo, settings, folder):
        assert {f"iteration_{iterate.iteration:03d}.png", *FOR_RESUMING} <= names(folder)
        rows = (folder / "loss.csv").read_text().splitlines()
        assert len(rows) == iterate.iteration + 2
        assert json.loads((folder / "run.json").read_text())["status"] == "running"


@pytest.mark.usefixtures("compiled_once")
@pytest.mark.parametrize("stop_after", [0, 2, 4])
def test_a_consumer_that_leaves_can_come_back_to_the_same_pictures(stop_after, photo, settings, folder, tmp_path):
    whole = tmp_path / "whole"
    list(run(photo, settings, whole))
    for iterate in run(photo, settings, folder):
        if iterate.iteration == stop_after:
            break
    assert json.loads((folder / "run.json").read_text())["status"] == "stopped"
    assert {*FOR_RESUMING, "final.png", "loss.png"} <= names(folder)
    photo.unlink()  # nothing of it is needed any more
    assert [iterate.iteration for iterate in resume(folder)] == list(range(stop_after + 1, 5))
    assert names(folder) == names(whole)
    for name in SNAPSHOTS | {"final.png", "settings.toml"}:
        assert (folder / name).read_bytes() == (whole / name).read_bytes()
    mine, theirs = (json.loads((f / "run.json").read_text()) for f in (folder, whole))
    for row in mine["iterates"] + theirs["iterates"]:
        del row["seconds"]
    assert mine["iterates"] == theirs["iterates"]
    assert mine["status"] == "complete"


def test_on_a_gpu_the_next_iterate_is_computed_while_one_is_saved():
    computed, left = Event(), []

    def iterates():
        try:
            yield 1
            computed.set()
            yield 2
            yield 3
        finally:
            left.append(True)

    with closing(iterates()) as source, closing(run_module.ahead(source)) as coming:
        assert next(coming) == 1
        assert computed.wait(10)
        assert next(coming) == 2
    assert left  # when the consumer leaves
    assert list(run_module.ahead(iterates())) == [1, 2, 3]


def test_an_error_while_one_is_saved_comes_after_it():
    def iterates():
        yield 1
        raise Diverged("too far")

    coming = run_module.ahead(iterates())
    assert next(coming) == 1
    with pytest.raises(Diverged):
        next(coming)


def test_computed_ahead_the_files_are_the_same(photo, settings, folder, tmp_path, monkeypatch):
    list(run_module.run(photo, settings, folder))
    ahead = SimpleNamespace(on_gpu=lambda: True, device=run_module.host.device, versions=run_module.host.versions)
    monkeypatch.setattr(run_module, "host", ahead)
    for _ in run_module.run(photo, settings, tmp_path / "ahead"):
        break  # the consumer leaves while the next is computed
    list(run_module.resume(tmp_path / "ahead"))
    for path in folder.glob("*.png"):
        assert path.read_bytes() == (tmp_path / "ahead" / path.name).read_bytes()


def test_an_output_that_holds_something_is_left_alone(photo, settings, folder):
    list(run(photo, settings, folder))
    before = {name: (folder / name).read_bytes() for name in names(folder)}
    with pytest.raises(OutputError, match=r"already contains a run; choose another folder"):
        next(run(photo, settings, folder))
    with pytest.raises(OutputError, match="complete; there is nothing to resume"):
        next(resume(folder))
    assert {name: (folder / name).read_bytes() for name in names(folder)} == before
    other = folder.parent / "other"
    other.mkdir()
    (other / "thesis.txt").touch()
    with pytest.raises(OutputError, match="is not empty"):
        next(run(photo, settings, other))
    with pytest.raises(OutputError, match="no run to resume"):
        next(resume(other))
    with pytest.raises(OutputError, match="Not a directory"):
        next(run(photo, settings, other / "thesis.txt" / "run"))


def test_where_a_run_was_stopped_it_is_said_that_it_may_be_resumed(photo, settings, folder):
    iterates = run(photo, settings, folder)
    next(iterates)
    iterates.close()
    with pytest.raises(OutputError, match=r"already contains a run; resume it \(--resume\), or choose another"):
        next(run(photo, settings, folder))


@pytest.mark.parametrize(
    ("change", "error"), [({"features": {"mixed3": Feature(weight=1)}}, NetworkError), ({"size": 8}, PictureError)]
)
def test_a_run_that_never_began_leaves_nothing_in_the_way(change, error, photo, settings, folder):
    with pytest.raises(error):
        next(run(photo, settings.model_copy(update=change), folder))
    assert not folder.exists()
    next(run(photo, settings, folder))


def test_two_cannot_dream_in_one_folder(photo, settings, folder):
    iterates = run(photo, settings, folder)
    next(iterates)
    with pytest.raises(OutputError, match="another process is writing to it"):
        next(resume(folder))
    assert [iterate.iteration for iterate in iterates] == [1, 2, 3, 4]


def test_a_run_stopped_before_pictures_grew_out_of_noise_resumes(photo, settings, folder):
    """Its state says nothing of how the picture is shown."""
    whole = list(run(photo, settings, folder.with_name("whole")))
    first = run(photo, settings, folder)
    next(first), next(first)
    first.close()
    with np.load(folder / "state.npz") as file:
        state = dict(file)
    rest = json.loads(str(state["rest"]))
    del rest["stretched"]
    np.savez(folder / "state.npz", **state | {"rest": json.dumps(rest)})
    *_, last = resume(folder)
    np.testing.assert_array_equal(last.x, whole[-1].x)


@pytest.fixture
def octaves(settings):
    """Adam over two octaves of two iterations of two steps, shaken."""
    return changed(
        settings,
        jitter={"noise": 2, "shift": 3},
        octaves={"kind": "reinjected", "count": 2},
        optimizer={"name": "adam", "iterations": 2, "passes": 2, "step": 2},
    )


@pytest.mark.usefixtures("compiled_once")
@pytest.mark.parametrize("stop_after", range(5))
def test_killed_in_any_octave_adam_resumes_to_the_same_files(stop_after, photo, octaves, folder, tmp_path, monkeypatch):
    whole = tmp_path / "whole"
    iterates = list(run(photo, octaves, whole))
    assert [iterate.octave for iterate in iterates] == [0, 0, 0, 1, 1]
    assert names(whole) == SNAPSHOTS | ALWAYS
    with monkeypatch.context() as killed:
        killed.setattr(run_folder, "COST", inf)  # a checkpoint at each iterate
        killed.setattr(RunFolder, "save_final", lambda self, status: None)
        killed.setattr(RunFolder, "close", lambda self, status: None)
        for iterate in run(photo, octaves, folder):
            if iterate.iteration == stop_after:
                break
    assert json.loads((folder / "run.json").read_text())["status"] == "running"
    assert names(folder) >= FOR_RESUMING
    rest = list(resume(folder))
    assert [iterate.iteration for iterate in rest] == list(range(stop_after + 1, 5))
    assert names(folder) == names(whole)
    for name in SNAPSHOTS | {"final.png", "settings.toml"}:
        assert (folder / name).read_bytes() == (whole / name).read_bytes()


@pytest.fixture
def out_of_noise(settings):
    """A channel over two octaves of two iterations of two steps, out of noise."""
    return changed(
        settings,
        start="noise",
        size=20,
        seed=3,
        measure="mean",
        features={"block2_conv1_pre_relu": {"weight": 1, "channels": {5: 1, 3: -0.5}}},
        penalties={"continuity": 0, "dream_l2": 0},
        jitter={"noise": 0, "shift": 3},
        octaves={"kind": "grown", "count": 2},
        optimizer={"name": "gradient_ascent", "iterations": 2, "passes": 2, "step": 1, "laplacian": 2},
    )


@pytest.mark.usefixtures("compiled_once")
@pytest.mark.parametrize("change", [{}, {"name": "adam", "parameters": "fourier", "step": 0.1, "laplacian": 0}])
def test_out_of_noise_a_run_needs_no_picture_and_resumes_to_the_same_files(change, out_of_noise, folder, tmp_path):
    settings = changed(out_of_noise, optimizer=change)
    whole = tmp_path / "whole"
    iterates = list(run(None, settings, whole))
    assert names(whole) == SNAPSHOTS | ALWAYS
    assert json.loads((whole / "run.json").read_text())["picture"] is None
    assert Settings.load(whole / "final.png") == settings
    np.testing.assert_allclose(open_picture(whole / "final.png"), iterates[-1].picture, atol=0.5)
    assert iterates[-1].picture.shape == (28, 28, 3)
    assert iterates[0].stretched is not ("parameters" in change)
    first = iterates[0].x[..., ::-1] + [123.68, 116.779, 103.939]
    np.testing.assert_allclose(first, np.random.default_rng(3).random((20, 20, 3)) + 100, atol=1e-4)
    for stop_after in (0, 1, 2, 3):
        stopped = folder / str(stop_after)
        for iterate in run(None, settings, stopped):
            if iterate.iteration == stop_after:
                break
        reopened = RunFolder.reopen(stopped)
        np.testing.assert_array_equal(reopened.last.picture, iterate.picture)
        reopened.release()
        rest = list(resume(stopped))
        assert [iterate.iteration for iterate in rest] == list(range(stop_after + 1, 5))
        assert names(stopped) == names(whole)
        for name in SNAPSHOTS | {"final.png", "settings.toml"}:
            assert (stopped / name).read_bytes() == (whole / name).read_bytes()


def test_a_run_resumes_from_wherever_it_is_called(photo, octaves, folder, tmp_path, monkeypatch):
    """The guide, as the photograph, may have been named from another folder."""
    monkeypatch.chdir(photo.parent)
    next(run("photo.jpg", changed(octaves, measure="guide", guide={"picture": "photo.jpg", "size": 32}), folder))
    monkeypatch.chdir(tmp_path)
    assert [iterate.iteration for iterate in resume(folder)] == [1, 2, 3, 4]


def test_after_a_divergence_the_best_picture_is_the_final_one(photo, settings, folder, monkeypatch):
    original = dreaming.optimize

    def worse_then_nan(*arguments, **options):
        best = next(original(*arguments, **options))
        yield best
        yield OptimizerResult(best.x * 0, best.loss + 1, best.terms)
        raise Diverged("the term 'continuity' of the loss became NaN at pass 12")

    monkeypatch.setattr(dreaming, "optimize", worse_then_nan)
    with pytest.raises(Diverged, match=r"iteration 3: the term 'continuity'.*\[features\].*final\.png is the best"):
        list(run(photo, settings, folder))
    assert (folder / "final.png").read_bytes() == (folder / "iteration_001.png").read_bytes()
    assert json.loads((folder / "run.json").read_text())["status"] == "diverged"


@pytest.mark.parametrize(("name", "step", "kept"), [("gradient_ascent", 1.6 * 48 * 64 * 3, 3), ("adam", 900, 1)])
def test_after_a_step_too_long_the_best_picture_is_the_final_one(name, step, kept, photo, settings, folder):
    """Against dream_l2 alone, which wants grey: each step leaps further beyond it."""
    wild = changed(
        settings,
        features={"block2_conv1": 1e-9},
        penalties={"continuity": 0, "dream_l2": 1},
        jitter={"noise": 0},
        optimizer={"name": name, "step": step, "normalise": "none", "passes": 1},
    )
    with pytest.raises(Diverged, match=r"the loss diverged.*lower optimizer\.step; .*final\.png is the best picture"):
        list(run(photo, wild, folder))
    record = json.loads((folder / "run.json").read_text())
    assert record["status"] == "diverged"
    assert len(record["iterates"]) == kept
    assert (folder / "final.png").read_bytes() == (folder / "iteration_000.png").read_bytes()


@pytest.mark.usefixtures("compiled_once")
def test_a_report_that_fails_costs_the_report_and_not_the_run(photo, settings, folder, caplog):
    def fail(folder):
        raise MemoryError

    settings = changed(settings, optimizer={"iterations": 1})
    list(run_module.run(photo, settings, folder, on_end=fail))
    assert [record.getMessage() for record in caplog.records] == [
        f"{folder}: the report of this run was not written: MemoryError"
    ]
    assert names(folder) == {"iteration_000.png", "iteration_001.png"} | ALWAYS - {"loss.png"}
    assert json.loads((folder / "run.json").read_text())["status"] == "complete"


def test_the_latest_of_the_numbered_folders_is_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert latest_folder("sky-dreamy") == Path("sky-dreamy")
    for expected in ("sky-dreamy", "sky-dreamy-2", "sky-dreamy-3"):
        Path(expected).mkdir()
        assert latest_folder("sky-dreamy") == Path(expected)


@pytest.mark.parametrize("start", ["photograph", "noise"])
def test_a_picture_without_room_is_refused_before_it_is_there(start, photo, settings, folder, monkeypatch, asleep):
    monkeypatch.setattr(memory_budget, "free_memory", lambda: 2e9)
    for makes_it in ("fit", "noise"):
        monkeypatch.setattr(run_module, makes_it, None)
    says = (
        rf"a picture of 8000×{6000 if start == 'photograph' else 8000} needs at least \d+\.\d GB of memory, and 2\.0 GB"
    )
    with pytest.raises(PictureError, match=says):
        next(run(photo if start == "photograph" else None, changed(settings, start=start, size=8000), folder))
    assert not folder.exists()
