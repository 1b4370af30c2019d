"""The files of a run: killed, full, cut, edited and replaced by something else. No network is loaded."""

import errno
import json
import os
import re
import shutil
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
from conftest import changed
from PIL import Image

from dreamscripts.backends import host
from dreamscripts.dreams import dream as dreaming
from dreamscripts.dreams.iterate import Iterate
from dreamscripts.errors import Diverged, DreamError, OutputError
from dreamscripts.reports.loss_curve import write_loss_curve
from dreamscripts.runs import run_folder
from dreamscripts.runs.find_run import interrupted_run
from dreamscripts.runs.run import resume, run
from dreamscripts.runs.run_folder import RunFolder
from dreamscripts.runs.run_record import RunRecord
from dreamscripts.settings.schema import Settings

STEPS = ("write", "fsync", "replace", "unlink", "mkdir", "rmdir")  # the functions of `os` that change a disk


def iterate(iteration, x, last=3, **changes) -> Iterate:
    values = {
        "octave": 0,
        "iteration": iteration,
        "loss": -float(iteration),
        "terms": {"block2_conv1": -float(iteration)},
        "passes": 1 + 3 * iteration,
        "seconds": iteration / 10,
        "x": x,
        "preprocessing": "none",
        "drawn": iteration,
        "ends_octave": iteration == last,
        "state": {},
    }
    return Iterate(**values | changes)


@pytest.fixture
def fake(monkeypatch):
    """Replace the dream: each picture is brighter than the last. Return the settings of three iterations."""

    def dream(picture, settings, *, after, **others):
        last = settings.optimizer.iterations
        if after is None:
            after = iterate(0, picture, last)
            yield after
        for number in range(after.iteration + 1, last + 1):
            after = iterate(number, after.x + np.float32(1), last)
            yield after

    monkeypatch.setattr(dreaming, "dream", dream)
    monkeypatch.setattr(host, "device", lambda: "CPU: none")
    monkeypatch.setattr(run_folder, "COST", inf)  # a checkpoint at each iterate
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # a test has no power cut, and many writes
    return Settings(features={"block2_conv1": 1}, optimizer={"iterations": 3})


def content(folder: Path) -> dict[str, bytes]:
    """Return the files of a complete run, without what depends on the time."""
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    files["run.json"] = re.sub(rb'"seconds": [\d.e-]+', b"", files["run.json"])
    return files


def completed(folder: Path) -> dict[str, bytes]:
    """Resume a run, and return its files. The run may lack only the deletion of its state."""
    try:
        list(resume(folder))
    except OutputError as error:
        assert "this run is complete; there is nothing to resume" in str(error)
    return content(folder)


@pytest.fixture
def stopped(fake, photo, tmp_path) -> Path:
    """Return the folder of a run that was stopped after its second iteration."""
    iterates = run(photo, fake, tmp_path / "run")
    for found in iterates:
        if found.iteration == 2:
            break
    iterates.close()
    return tmp_path / "run"


class Killed(BaseException):
    pass


def fail_at(monkeypatch, number, error, names=STEPS, *, forever):
    """Let the step with this number fail and, if `forever`, all steps after it. Return the list of the steps."""
    steps = []

    def counted(name, function):
        def step(*arguments, **options):
            steps.append(name)
            if len(steps) == number or (forever and len(steps) > number):
                raise error
            return function(*arguments, **options)

        return step

    for name in names:
        monkeypatch.setattr(os, name, counted(name, getattr(os, name)))
    return steps


def test_killed_at_any_step_a_run_resumes_to_the_same_files(fake, photo, tmp_path, monkeypatch):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    with monkeypatch.context() as patched:
        steps = fail_at(patched, inf, Killed, forever=True)
        list(run(photo, fake, whole))
    assert steps.count("fsync") > 25
    for number in range(1, len(steps) + 1):
        shutil.rmtree(killed, ignore_errors=True)
        with monkeypatch.context() as patched, pytest.raises(Killed):
            fail_at(patched, number, Killed, forever=True)
            list(run(photo, fake, killed))
        if not (killed / "run.json").exists():
            assert number < 15  # it was killed before there was a run
            continue
        assert completed(killed) == content(whole), number


@pytest.mark.parametrize("forever", [True, False])
def test_full_at_any_write_the_disk_costs_no_iterate(forever, fake, photo, tmp_path, monkeypatch):
    whole, full = tmp_path / "whole", tmp_path / "full"
    with monkeypatch.context() as patched:
        steps = fail_at(patched, inf, None, ("write", "fsync"), forever=forever)
        list(run(photo, fake, whole))
    for number in range(1, len(steps) + 1):
        shutil.rmtree(full, ignore_errors=True)
        with (
            monkeypatch.context() as patched,
            pytest.raises(OutputError, match="the disk is full; files written before"),
        ):
            error = OSError(errno.ENOSPC, "No space left on device")
            fail_at(patched, number, error, ("write", "fsync"), forever=forever)
            list(run(photo, fake, full))
        if full.exists():
            assert completed(full) == content(whole), number
        else:
            assert number < 15


def test_what_a_checkpoint_depends_on_is_on_the_disk_first(fake, photo, tmp_path, monkeypatch):
    """A power cut then finds an old state with its files, or the new one with its files."""
    done = []
    sync, replace, fsync = run_folder.sync, os.replace, os.fsync
    monkeypatch.setattr(run_folder, "sync", lambda path: [done.append(("sync", path.name)), sync(path)])
    monkeypatch.setattr(os, "replace", lambda a, b: [done.append(("replace", Path(b).name)), replace(a, b)])
    monkeypatch.setattr(os, "fsync", lambda descriptor: [done.append(("fsync", "")), fsync(descriptor)])
    iterates = run(photo, fake, tmp_path / "run")
    next(iterates)
    done.clear()
    next(iterates)
    assert done == [
        *(("replace", "iteration_001.png"), ("replace", "loss.csv")),
        *(("sync", "iteration_001.png"), ("fsync", "")),
        *(("fsync", ""), ("replace", "run.json")),
        *(("sync", "run"), ("fsync", "")),
        *(("fsync", ""), ("replace", "state.npz")),
        *(("sync", "run"), ("fsync", "")),
    ]


def test_on_a_slow_disk_checkpoints_are_rarer_and_nothing_is_lost(fake, photo, tmp_path, monkeypatch):
    now = 0.0
    monkeypatch.setattr(run_folder.time, "monotonic", lambda: now)
    monkeypatch.setattr(run_folder, "COST", 0.01)
    sync = run_folder.sync

    def slow(path):
        nonlocal now
        now += 0.1
        sync(path)

    monkeypatch.setattr(run_folder, "sync", slow)
    found = []
    folder = tmp_path / "run"
    settings = changed(fake, optimizer={"iterations": 100})
    for current in run(photo, settings, folder):
        now += 1
        with np.load(folder / "state.npz") as state:
            found.append(json.loads(str(state["rest"]))["iteration"])
        if current.iteration == 100:
            break
    assert found[0] == 0
    assert 3 < len(set(found)) < 6  # a checkpoint takes 0.3 s and more, so one is made every 30 s
    assert RunFolder.reopen(folder).last.iteration == 100


def test_a_run_whose_iterations_are_all_there_is_completed_without_a_network(
    stopped, fake, monkeypatch, tmp_path, photo
):
    list(run(photo, fake, tmp_path / "whole"))
    with monkeypatch.context() as killed:
        killed.setattr(RunFolder, "close", lambda self, status: None)
        list(resume(stopped))
    monkeypatch.setattr(dreaming, "dream", None)
    assert list(resume(stopped)) == []
    assert content(stopped) == content(tmp_path / "whole")


def test_after_an_interruption_the_best_picture_of_a_divergence_is_found(stopped, monkeypatch):
    def worse(picture, settings, *, after, **others):
        yield iterate(3, after.x, loss=9.0)
        raise Diverged("the loss diverged")

    best = (stopped / "iteration_002.png").read_bytes()
    monkeypatch.setattr(dreaming, "dream", worse)
    with pytest.raises(Diverged):
        list(resume(stopped))
    assert (stopped / "final.png").read_bytes() == best


@pytest.mark.parametrize("loss", [inf, -inf, nan, 1e308, np.float32(1e38)])
def test_any_loss_leaves_a_valid_record(loss, stopped, monkeypatch):
    monkeypatch.setattr(
        dreaming,
        "dream",
        lambda picture, settings, *, after, **others: (
            one for one in [iterate(3, after.x, 4, loss=loss, terms={"block2_conv1": loss})]
        ),
    )
    record = changed(Settings.load(stopped / "settings.toml"), optimizer={"iterations": 4})
    (stopped / "settings.toml").write_text(record.to_toml())
    written = json.loads((stopped / "run.json").read_text())
    (stopped / "run.json").write_text(json.dumps(written | {"settings": record.model_dump()}))
    iterates = resume(stopped)
    next(iterates)
    iterates.close()

    def refuse(constant):
        raise AssertionError(constant)

    json.loads((stopped / "run.json").read_text(), parse_constant=refuse)
    again = RunFolder.reopen(stopped)
    np.testing.assert_equal([again.last.loss, again.record.iterates[-1].loss], [float(loss)] * 2)


SNAPSHOT = r"iteration_002\.png is whole; to start a new dream from it: dreamscripts dream (\S+) --from \1"


@pytest.mark.parametrize("name", ["run.json", "settings.toml", "state.npz", "start.npy"])
@pytest.mark.parametrize("damage", ["empty", "half", "link", "folder", "pipe", "noise"])
def test_a_damaged_file_is_named_and_what_is_left_is_said(damage, name, stopped, tmp_path):
    path = stopped / name
    whole = path.read_bytes()
    path.unlink()
    if damage in ("empty", "half", "noise"):
        path.write_bytes({"empty": b"", "half": whole[: len(whole) // 2], "noise": os.urandom(2000)}[damage])
    elif damage == "link":
        (tmp_path / "elsewhere").write_bytes(whole)
        path.symlink_to(tmp_path / "elsewhere")
    elif damage == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    with pytest.raises(OutputError, match=rf"{re.escape(str(path))}: is damaged: .*; {SNAPSHOT}$"):
        next(resume(stopped))


def test_without_a_whole_snapshot_it_is_said_to_start_again(stopped):
    for path in stopped.glob("iteration_*"):
        path.write_bytes(path.read_bytes()[:100])
    (stopped / "state.npz").write_bytes(b"")
    with pytest.raises(OutputError, match=r"state\.npz: is damaged: it is empty.*; start again in another --output$"):
        next(resume(stopped))


def put(state, sealed=False, **changes):
    """Change arrays of a state, and facts in its `rest`. None removes them.

    The state has no checksum then, as those of older versions. If it is `sealed`, the old checksum stays in it.
    """
    with np.load(state) as file:
        arrays = dict(file)
    rest = json.loads(str(arrays["rest"]))
    if not sealed:
        del rest["checksum"]
    for key, value in changes.items():
        table, key = (arrays, key.replace("memory_", "memory ")) if isinstance(value, np.ndarray) else (rest, key)
        table[key] = value
        if value is None:
            del table[key]
    arrays["rest"] = np.array(json.dumps(rest))
    np.savez(state, **arrays)


SHAPE = (48, 64, 3)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"x": np.zeros((48, 63, 3), np.float32)}, "shape"),
        ({"x": np.zeros((1, *SHAPE), np.float32)}, "shape"),
        ({"x": np.full(SHAPE, np.nan, np.float32)}, "not finite"),
        ({"x": np.zeros(SHAPE, np.int32)}, "not finite numbers"),
        ({"memory_0": np.zeros(3)}, "arrays are not those of lbfgs"),
        ({"memory_stuck": np.array(7)}, "arrays are not those of lbfgs"),
        ({"memory_stuck": np.array("1")}, "something else than numbers"),
        ({"another": np.zeros(3)}, "something else than a state"),
        ({"octave": 1}, "no iteration 2 in octave 1"),
        ({"octave": -1}, "octave"),
        ({"iteration": 10**30}, "iteration"),
        ({"iteration": 1}, "run.json has other values for iteration 1"),
        ({"iteration": 2.0}, "iteration"),
        ({"iteration": True}, "iteration"),
        ({"iteration": 3}, "wrong place"),
        ({"loss": "-2"}, "loss"),
        ({"loss": -2.5}, "other values"),
        ({"terms": {"a": []}}, "terms"),
        ({"preprocessing": "../../etc"}, "preprocessing"),
        ({"drawn": -1}, "drawn"),
        ({"ends_octave": 1}, "ends_octave"),
        ({"ends_octave": None}, "ends_octave"),
        ({"more": 1}, "more"),
    ],
)
def test_a_state_that_fits_nothing_is_refused(change, says, stopped):
    put(stopped / "state.npz", **change)
    with pytest.raises(OutputError, match=rf"state\.npz: is damaged: .*{says}.*; {SNAPSHOT}$"):
        next(resume(stopped))


@pytest.mark.parametrize("change", [{"x": np.zeros(SHAPE, np.float32)}, {"drawn": 3}, {"seconds": 5.0}])
def test_a_state_with_other_numbers_that_could_be_right_is_refused(change, stopped):
    put(stopped / "state.npz", sealed=True, **change)
    with pytest.raises(
        OutputError, match=rf"state\.npz: is damaged: its numbers are not those that the run wrote; {SNAPSHOT}$"
    ):
        next(resume(stopped))


@pytest.mark.parametrize(
    ("optimizer", "arrays", "fits"),
    [
        ({"name": "adam"}, {"first": (), "steps": (), "mean": SHAPE, "square": SHAPE}, True),
        ({"name": "adam"}, {"first": (), "steps": (), "mean": SHAPE}, False),
        ({"name": "adam"}, {"first": (), "steps": (), "mean": SHAPE, "square": (48, 64)}, False),
        ({"name": "adam"}, {}, False),
        ({"name": "gradient_ascent"}, {"first": ()}, True),
        ({"name": "gradient_ascent"}, {"first": (1,)}, False),
        ({"name": "gradient_ascent"}, {}, False),
        ({"name": "lbfgs", "parameters": "fourier"}, {"coefficients": (48, 66, 3)}, True),
        ({"name": "lbfgs", "parameters": "fourier"}, {"coefficients": SHAPE}, False),
        ({"name": "lbfgs", "parameters": "fourier"}, {}, False),
    ],
)
def test_the_state_must_be_one_of_the_optimizer(optimizer, arrays, fits, fake, photo, tmp_path, monkeypatch):
    state = {name: np.zeros(shape) for name, shape in arrays.items()}

    def dream(picture, settings, **others):
        yield iterate(0, picture)
        yield iterate(1, picture, state=state)

    monkeypatch.setattr(dreaming, "dream", dream)
    iterates = run(photo, changed(fake, optimizer=optimizer), tmp_path / "run")
    next(iterates), next(iterates)
    iterates.close()
    if fits:
        assert RunFolder.reopen(tmp_path / "run").last.state.keys() == state.keys()
    else:
        with pytest.raises(OutputError, match=rf"its arrays are not those of {optimizer['name']}"):
            RunFolder.reopen(tmp_path / "run")


def test_a_header_that_asks_for_a_terabyte_gets_nothing(stopped):
    start = (stopped / "start.npy").read_bytes()
    huge = start.replace(b"(48, 64, 3), }         ", b"(480000, 640000, 3), }")
    (stopped / "start.npy").write_bytes(huge)
    with pytest.raises(OutputError, match=r"start\.npy: is damaged: its (size|header)"):
        next(resume(stopped))


def test_a_compressed_state_is_not_unpacked(stopped):
    with np.load(stopped / "state.npz") as state:
        np.savez_compressed(stopped / "state.npz", **dict(state) | {"x": np.zeros((1000, 1000, 3))})
    with pytest.raises(OutputError, match=r"state\.npz: is damaged: it is compressed"):
        next(resume(stopped))


@pytest.mark.parametrize("name", ["state.npz", "start.npy"])
def test_one_wrong_bit_in_a_picture_is_noticed(name, stopped):
    content = bytearray((stopped / name).read_bytes())
    content[5000] ^= 1
    (stopped / name).write_bytes(content)
    with pytest.raises(OutputError, match=rf"{name}: is damaged"):
        next(resume(stopped))


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("status", "finished", "status"),
        ("picture", 5, "picture"),
        ("keep_every", 0, "keep_every"),
        ("keep_every", "1", "keep_every"),
        ("iterates", {}, "iterates"),
        ("iterates", [None], "iterates.0"),
        ("choices", {"xla": "yes"}, "choices"),
        ("versions", {"keras": 3}, "versions.keras"),
        ("notes", "none", "notes"),
        ("more", 1, "more"),
        ("settings", None, "settings"),
    ],
)
def test_a_record_with_a_wrong_value_is_refused(key, value, says, stopped):
    record = json.loads((stopped / "run.json").read_text())
    (stopped / "run.json").write_text(json.dumps(record | {key: value}))
    with pytest.raises(OutputError, match=rf"run\.json: is damaged: {says}.*; {SNAPSHOT}$"):
        next(resume(stopped))


def test_rows_must_rise(stopped):
    record = json.loads((stopped / "run.json").read_text())
    record["iterates"].reverse()
    (stopped / "run.json").write_text(json.dumps(record))
    with pytest.raises(OutputError, match=r"run\.json: is damaged: .*iteration 1 cannot follow iteration 2"):
        next(resume(stopped))


def test_settings_that_were_changed_in_between_are_refused(stopped):
    text = (stopped / "settings.toml").read_text()
    (stopped / "settings.toml").write_text(text.replace("seed = 0", "seed = 1"))
    with pytest.raises(
        OutputError,
        match=r"settings\.toml: differs from the settings in run\.json, so one of the two files was changed",
    ):
        next(resume(stopped))


def test_links_in_the_place_of_results_are_replaced(stopped, tmp_path):
    (tmp_path / "diary.txt").write_bytes(b"dear diary")
    for name in ("final.png", "loss.csv", "loss.png", "iteration_003.png"):
        (stopped / name).unlink(missing_ok=True)
        (stopped / name).symlink_to(tmp_path / "diary.txt")
    list(resume(stopped, on_end=write_loss_curve))
    assert (tmp_path / "diary.txt").read_bytes() == b"dear diary"
    assert not any(path.is_symlink() for path in stopped.iterdir())


@pytest.mark.parametrize("by", ["nothing", "file"])
def test_a_folder_that_is_gone_contains_no_run(by, stopped):
    shutil.rmtree(stopped)
    if by == "file":
        stopped.touch()
    with pytest.raises(OutputError, match="contains no run to resume"):
        next(resume(stopped))


@pytest.mark.parametrize("by", ["nothing", "file"])
def test_a_folder_that_goes_away_during_the_run_is_one_line(by, fake, photo, tmp_path):
    folder = tmp_path / "run"
    iterates = run(photo, fake, folder)
    next(iterates)
    shutil.rmtree(folder)
    if by == "file":
        folder.touch()
    says = {"nothing": "No such file or directory", "file": "Not a directory"}[by]
    with pytest.raises(OutputError, match=rf"final\.png: cannot be written: {says}|iteration_001\.png.*{says}"):
        next(iterates)


def test_a_snapshot_that_the_person_deleted_is_not_missed(fake, photo, tmp_path):
    folder = tmp_path / "run"
    for found in run(photo, fake, folder):
        (folder / f"iteration_{found.iteration:03d}.png").unlink()
    assert json.loads((folder / "run.json").read_text())["status"] == "complete"


def test_of_two_runs_that_start_at_the_same_moment_each_has_its_folder(fake, photo, tmp_path):
    folders = [RunFolder.create(tmp_path / "a", fake, np.zeros(SHAPE, np.float32), numbered=True) for _ in range(3)]
    assert [folder.folder.name for folder in folders] == ["a", "a-2", "a-3"]
    with pytest.raises(OutputError, match="already contains a run; resume it"):
        RunFolder.create(tmp_path / "a", fake, np.zeros(SHAPE, np.float32))


LEFT = ".dreamscripts-0123456789abcdef.part"


@pytest.mark.parametrize("written", [[LEFT], ["settings.toml", LEFT], ["settings.toml", "start.npy"]])
def test_after_a_kill_before_the_record_it_is_said_what_to_do(written, fake, photo, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    for name in written:
        (folder / name).touch()
    if written == [LEFT]:
        assert len(list(run(photo, fake, folder))) == 4
        assert not (folder / LEFT).exists()
        return
    with pytest.raises(OutputError, match="contains no run to resume; if the command was killed when it started, del"):
        next(resume(folder))
    (folder / "letter.txt").touch()
    with pytest.raises(OutputError, match=r"contains no run to resume$"):
        next(resume(folder))


def test_the_latest_interrupted_run_of_a_photograph_is_found(fake, photo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, stop_after in (("one", 1), ("two", 2), ("three", 3)):
        for found in run(photo, fake, name):
            if found.iteration == stop_after:
                break
        os.utime(f"{name}/run.json", (ord(name[0]), ord(name[0])))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "run.json").write_text("{}")
    assert interrupted_run(photo) == Path("two")
    list(resume("two"))
    assert interrupted_run(photo) == Path("three")  # its last iterate came, but it was left before it was complete
    next(run(photo, fake, "one-2"))
    assert interrupted_run(photo, "three") == Path("three")
    list(resume("one-2"))
    assert interrupted_run(photo, "one") == Path("one")  # and not one-2, which is complete
    list(resume("one"))
    assert interrupted_run(photo, "one") == Path("one-2")  # opening it says that it is complete
    with pytest.raises(OutputError, match=r"cat\.jpg: there is no interrupted run of it in this folder; use --output"):
        interrupted_run(Path("cat.jpg"))


def test_a_run_of_an_older_version_opens(stopped):
    """Its rows have `evaluations`, its record no checksum, its state no `stretched`."""
    record = json.loads((stopped / "run.json").read_text())
    for row in record["iterates"]:
        row["evaluations"] = row.pop("passes")
    del record["start_checksum"], record["versions"], record["device"]
    (stopped / "run.json").write_text(json.dumps(record))
    put(stopped / "state.npz", evaluations=7, passes=None, stretched=None)
    assert RunFolder.reopen(stopped).last.passes == 7
    assert RunRecord.model_validate_json(json.dumps(record)).start_checksum is None


def test_a_photograph_whose_name_is_not_utf8_is_resumed(fake, photo, tmp_path):
    odd = photo.with_name(os.fsdecode(b"caf\xe9.jpg"))
    try:
        photo.rename(odd)
    except OSError:
        pytest.skip("this file system has no such names")
    next(run(odd, fake, tmp_path / "run"))
    assert json.loads((tmp_path / "run" / "run.json").read_text())["picture"].endswith(r"caf\xe9.jpg")
    assert len(list(resume(tmp_path / "run"))) == 3
    with Image.open(tmp_path / "run" / "final.png") as final:
        assert final.size == (64, 48)


def test_deep_nesting_is_damage(stopped):
    (stopped / "run.json").write_text("[" * 100_000)
    with pytest.raises(DreamError, match=r"run\.json: is damaged"):
        next(resume(stopped))


def test_a_state_that_was_deleted_does_not_start_the_run_again(stopped):
    (stopped / "state.npz").unlink()
    with pytest.raises(OutputError, match=rf"state\.npz: is damaged: it is missing; {SNAPSHOT}$"):
        next(resume(stopped))


@pytest.fixture
def killed(fake, photo, tmp_path, monkeypatch) -> Path:
    """Return the folder of a run that was killed after iteration 2. Its only checkpoint was made before iteration 1."""
    folder = tmp_path / "killed"
    with monkeypatch.context() as patched:
        patched.setattr(run_folder, "COST", 1e-9)
        patched.setattr(run_folder, "SHARE", inf)
        patched.setattr(RunFolder, "save_final", lambda self, status: None)
        patched.setattr(RunFolder, "close", lambda self, status: None)
        iterates = run(photo, fake, folder)
        for found in iterates:
            if found.iteration == 2:
                break
        iterates.close()
    with np.load(folder / "state.npz") as state:
        assert json.loads(str(state["rest"]))["iteration"] == 0
    return folder


def test_a_killed_process_loses_nothing_since_the_checkpoint(killed, fake, photo, tmp_path):
    list(run(photo, fake, tmp_path / "whole"))
    again = RunFolder.reopen(killed)
    assert again.last.iteration == 2
    assert [row.iteration for row in again.record.iterates] == [0, 1, 2]
    again.release()
    assert [found.iteration for found in resume(killed)] == [3]
    assert content(killed) == content(tmp_path / "whole")


@pytest.mark.parametrize("missing", [("newest.npz",), ("iteration_002.png",)])
def test_after_a_power_cut_the_checkpoint_counts(missing, killed, fake, photo, tmp_path):
    for name in missing:
        (killed / name).unlink()
    list(run(photo, fake, tmp_path / "whole"))
    assert [found.iteration for found in resume(killed)] == [1, 2, 3]
    assert content(killed) == content(tmp_path / "whole")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.99])
def test_a_newest_iterate_that_is_cut_or_changed_is_not_used(share, killed):
    whole = (killed / "newest.npz").read_bytes()
    place = int(share * len(whole))
    for content_ in (whole[:place], whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]):
        (killed / "newest.npz").write_bytes(content_)
        again = RunFolder.reopen(killed)
        assert again.last.iteration in ((0, 2) if len(content_) == len(whole) else (0,))
        if again.last.iteration == 2:  # a byte that has no meaning, as one of a time
            assert [row.iteration for row in again.record.iterates] == [0, 1, 2]
        again.release()


def test_an_older_newest_iterate_is_not_used(killed):
    old = (killed / "newest.npz").read_bytes()
    iterates = resume(killed)
    next(iterates)
    iterates.close()
    (killed / "newest.npz").write_bytes(old)
    assert RunFolder.reopen(killed).last.iteration == 3
