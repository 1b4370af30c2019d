"""`dreamscripts distil`, as a person calls it."""

import numpy as np
import pytest
from conftest import NO_KERAS, mistake
from small_teachers import chain, save_photographs

from dreamscripts.errors import Diverged
from dreamscripts.networks.origin import read_origin, save_with_origin
from dreamscripts.reports import distillation_dreams
from dreamscripts.scripts.distil_progress import DistilWatch
from dreamscripts.training import agreement
from dreamscripts.training import distil as distil_module
from dreamscripts.training.checkpoint import Checkpoint

SMALL = ["--width", "0.5", "--set", "batch=4", "--set", "crop=32", "--set", "dreams=4"]


@pytest.fixture
def folder(command_here, monkeypatch):
    """The working directory, with a teacher and photographs. Little is measured and dreamt."""
    save_with_origin(chain(), command_here.folder / "teacher.keras", {"preprocessing": "caffe"})
    save_photographs(command_here.folder / "photos", 6)
    monkeypatch.setattr(agreement, "SIDE", 48)
    monkeypatch.setattr(distillation_dreams, "SIZE", 64)
    return command_here.folder


def distil(command_here, *arguments, **options):
    return command_here("distil", "teacher.keras", "--photos", "photos", *SMALL, *arguments, **options)


def test_a_student_is_taught_and_dreams(command_here, folder):
    (folder / "photos" / "photo001.png").write_bytes(b"no picture")
    done = distil(command_here, "--steps", "3", "-o", "small.keras", check=0)
    lines = done.stdout.splitlines()
    assert done.stderr == ""
    assert lines[0] == "5 photographs to teach with; 1 held out for measuring"
    assert any(line.startswith("step 1, ") and "agreement conv2 " in line for line in lines)
    assert [line.split()[0] for line in lines[-7:-2]] == ["layer", "conv2", "conv3", "small.keras", "small.html"]
    assert "left out: photos/photo001.png: " in done.stdout
    assert sorted(path.name for path in folder.iterdir()) == ["photos", "small.html", "small.keras", "teacher.keras"]

    origin = read_origin(folder / "small.keras")
    assert (origin["teacher"], origin["steps"], origin["preprocessing"]) == ("teacher.keras", 3, "caffe")
    page = (folder / "small.html").read_text("utf-8")
    assert "dreamscripts distil teacher.keras --photos photos --width 0.5" in page
    assert page.count("<img") == 6  # one photograph that is held out, at two layers
    listed = command_here("layers", "small.keras", check=0).stdout
    assert "conv3" in listed
    assert "distilled from teacher.keras: width 0.5, steps 3" in listed

    use = next(line for line in lines if line.startswith("Use it: dreamscripts dream PHOTO "))
    assert use == """Use it: dreamscripts dream PHOTO -s caffe -n small.keras --set 'features={"conv3" = 1}'"""
    features = ["-s", "caffe", "-n", "small.keras", "--set", 'features={"conv3" = 1}']
    dreamt = command_here("dream", "photos/photo000.png", *features, "-i", "1", "--size", "64", "-o", "dream", check=0)
    assert "dream/final.png" in dreamt.stdout


def test_an_interrupted_training_is_continued(command_here, folder, monkeypatch):
    def stop_at_the_second(self, moment):
        if moment.step == 2:
            raise KeyboardInterrupt

    def stop_at_the_second_stage(self, stage):
        if stage != "starting Keras":
            raise KeyboardInterrupt

    with monkeypatch.context() as interrupted:
        interrupted.setattr(DistilWatch, "on_moment", stop_at_the_second)
        stopped = distil(command_here, "--steps", "5", "-o", "small.keras", check=130)
    first, second = stopped.stderr.splitlines()
    assert first == "dreamscripts: stopped after step 2; small.keras is the student so far"
    command = f"dreamscripts distil teacher.keras --photos photos {' '.join(SMALL)} --steps 5 -o small.keras --resume"
    assert second == f"Continue with: {command}"
    assert read_origin(folder / "small.keras")["steps"] == 2
    assert Checkpoint.read(folder / "small.checkpoint.npz").record["step"] == 2

    says = mistake(distil(command_here, "--steps", "5", "-o", "small.keras"))
    assert "small.keras: already exists; choose another --output" in says
    (folder / "small.keras").unlink()
    assert "an interrupted training; add --resume" in mistake(distil(command_here, "--steps", "5", "-o", "small.keras"))
    says = mistake(distil(command_here, "--steps", "5", "--seed", "3", "-o", "small.keras", "--resume"))
    assert "small.keras: this training was started with seed = 0, not 3" in says

    with monkeypatch.context() as interrupted:
        interrupted.setattr(DistilWatch, "on_stage", stop_at_the_second_stage)
        stopped = distil(command_here, "--steps", "5", "-o", "small.keras", "--resume", check=130)
    assert stopped.stderr.splitlines() == ["dreamscripts: stopped; the training is still at step 2", second]

    done = distil(command_here, "--steps", "5", "-o", "small.keras", "--resume", check=0)
    assert "continuing after step 2" in done.stdout
    assert read_origin(folder / "small.keras")["steps"] == 5
    assert not (folder / "small.checkpoint.npz").exists()


def test_a_training_that_diverges_can_go_on_with_a_smaller_rate(command_here, folder, monkeypatch):
    step = distil_module.Trainer.step

    def diverge(self, number, *arguments):
        if number == 3:
            raise Diverged("step 3: the loss became infinite or NaN; use a smaller rate, such as --set rate=1e-4")
        return step(self, number, *arguments)

    monkeypatch.setattr(distil_module, "EVERY", 0)
    with monkeypatch.context() as diverging:
        diverging.setattr(distil_module.Trainer, "step", diverge)
        says = mistake(distil(command_here, "--steps", "4", "-o", "small.keras"))
    assert says.endswith("such as --set rate=1e-4 --resume, to continue after the last checkpoint")
    distil(command_here, "--steps", "4", "-o", "small.keras", "--set", "rate=1e-4", "--resume", check=0)
    assert read_origin(folder / "small.keras")["steps"] == 4


def test_a_training_that_is_interrupted_before_its_first_step_writes_nothing(command_here, folder, monkeypatch):
    def stop(self, stage):
        if "held out" in stage:
            raise KeyboardInterrupt

    monkeypatch.setattr(DistilWatch, "on_stage", stop)
    stopped = distil(command_here, "-o", "small.keras", check=130)
    assert stopped.stderr == "dreamscripts: stopped before the first step; nothing was written\n"
    assert sorted(path.name for path in folder.iterdir()) == ["photos", "teacher.keras"]


def test_a_student_is_continued_and_compared_with_before(command_here, folder):
    distil(command_here, "--steps", "1", "-o", "first.keras", check=0)
    done = distil(command_here, "--steps", "2", "--student", "first.keras", "-q", "-o", "second.keras", check=0)
    assert done.stdout == ""
    assert read_origin(folder / "second.keras")["student"] == "first.keras"
    assert "→" in (folder / "second.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-o", "small.h5"], "small.h5: the name of the student must end in .keras"),
        (["-o", "nowhere/small.keras"], "nowhere/small.keras: the folder 'nowhere' does not exist; create it first"),
        (["-o", "teacher.keras"], "teacher.keras: already exists; choose another --output"),
        (["--width", "2"], "width = 2.0: should be at most 1"),
        (["--photos", "empty"], "empty: there is no photograph in this folder; give a folder with at least two"),
        (["--photos", "missing"], "missing: there is no such folder"),
        (["--minutes", "0"], "minutes = 0.0: should be above 0"),
        (["--set", "bach=3"], "there is no setting 'bach' (did you mean 'batch'?)"),
        (["--weights", "none.h5"], "none.h5: there is no such weights file"),
        (["--student", "poket"], "there is no network called 'poket' (did you mean 'pocket'?)"),
        (["--student", "none.npz"], "none.npz: there is no such weights file"),
        (["--recipe", "poket"], "there is no recipe called 'poket' (did you mean 'pocket'?)"),
        (["--resume"], "teacher-small.checkpoint.npz: there is no interrupted training; remove --resume"),
        (["--layers", "conv1", "--until", "conv2"], "give `layers` or `until`, not both"),
    ],
)
def test_mistakes_found_before_keras_starts(arguments, says, command_here, folder, asleep):
    (folder / "empty").mkdir()
    before = sorted(folder.rglob("*"))
    assert says in mistake(distil(command_here, *arguments))
    assert sorted(folder.rglob("*")) == before


def test_unknown_layers_and_networks(command_here, folder):
    assert "teacher.keras has no layer 'conv9' (did you mean" in mistake(distil(command_here, "--until", "conv9"))
    assert "has no layer 'x'" in mistake(distil(command_here, "--layers", "conv2,x"))
    says = mistake(command_here("distil", "vgg61", "--photos", "photos"))
    assert "there is no network called 'vgg61'" in says
    assert "--photos is missing" in mistake(command_here("distil", "vgg16"))
    assert "the teacher is missing; use: dreamscripts distil NETWORK" in mistake(
        command_here("distil", "--photos", "photos")
    )


def test_a_mistake_is_told_by_a_process_that_imports_no_keras(command):
    save_photographs(command.folder / "photos", 2)
    done = command("distil", "vgg16", "--photos", "photos", "-o", "small.h5", env=NO_KERAS)
    assert "small.h5: the name of the student must end in .keras" in mistake(done)


def test_progress_of_a_training_with_layers_of_any_name(capsys):
    from dreamscripts.scripts.console import CommandConsole
    from dreamscripts.training.moment import Moment

    watch = DistilWatch(CommandConsole())
    with watch:
        watch.on_moment(Moment(1, 61.0, 0.25, (1.0, 2.0, 3.0), {f"[red]{i}": i / 10 for i in range(5)}))
        watch.on_moment(Moment(2, 62.0, 0.26, (2.0, 2.0, 3.0)))
    printed = capsys.readouterr().out.splitlines()
    assert printed == [
        "step 1, 61 s  features 1.000  energies 2.000  direction 3.000  "
        "agreement [red]2 0.200  [red]3 0.300  [red]4 0.400  3 min 3 s left"
    ]
    assert np.allclose(watch._parts, (1.05, 2, 3))
