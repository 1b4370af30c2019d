"""Whole trainings of small students: they learn, can be interrupted and continued, and keep what they know."""

import _thread
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import BACKENDS
from small_teachers import as_network, chain, save_photographs

from dreamscripts.errors import Diverged, NetworkError
from dreamscripts.networks.loading import load_network
from dreamscripts.networks.origin import save_with_origin
from dreamscripts.settings.recipe import Recipe
from dreamscripts.training import distil as module
from dreamscripts.training.checkpoint import Checkpoint
from dreamscripts.training.distil import Distillation
from dreamscripts.training.photographs import Photographs, find_photographs
from dreamscripts.training.record import origin_of
from dreamscripts.training.student import narrow

SMALL = {"width": 0.5, "batch": 4, "crop": 32, "dreams": 4}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a teacher and photographs."""
    folder = tmp_path_factory.mktemp("distil")
    save_with_origin(chain(), folder / "teacher.keras", {"preprocessing": "caffe"})
    save_photographs(folder / "photos", 8)
    return folder


@pytest.fixture
def start(folder, monkeypatch):
    """Return a function that starts a training by a recipe, or continues it after a checkpoint."""
    monkeypatch.setattr(module.agreement, "SIDE", 48)

    def start(checkpoint=None, **changes):
        recipe = Recipe.load(None, {"network": str(folder / "teacher.keras"), **SMALL, **changes})
        return Distillation(recipe, Photographs(find_photographs(folder / "photos")), checkpoint)

    return start


def arrays(distillation):
    return distillation.checkpoint().arrays


def test_a_resumed_training_gives_the_same_weights_as_an_uninterrupted_one(start, tmp_path):
    whole = start(steps=8)
    moments = list(whole.steps())
    assert [moment.step for moment in moments] == list(range(1, 9))
    interrupted = start(steps=8)
    for moment in interrupted.steps():
        if moment.step == 5:
            break
    interrupted.checkpoint().write(tmp_path / "c.npz")
    resumed = start(Checkpoint.read(tmp_path / "c.npz"), steps=8)
    assert (resumed.step, resumed.curve) == (5, interrupted.curve)
    assert [moment.step for moment in resumed.steps()] == [6, 7, 8]
    expected, found = arrays(whole), arrays(resumed)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        assert np.array_equal(value, found[name]), name
    both = [distillation.finished().model.get_weights() for distillation in (whole, resumed)]
    assert all(np.array_equal(one, other) for one, other in zip(*both, strict=True))


def parts_of_two_steps(folder):
    """The parts of the loss and the agreement in a training of two steps, with the files in a folder."""
    from dreamscripts.training import agreement

    agreement.SIDE = 48
    recipe = Recipe.load(None, {"network": str(folder / "teacher.keras"), **SMALL, "steps": 2})
    training = Distillation(recipe, Photographs(find_photographs(folder / "photos")))
    moments = list(training.steps())
    student = training.finished()
    return [moment.parts for moment in moments], list(training.measure(student).values())


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_training_on_every_backend(backend, on_backend, folder, monkeypatch):
    monkeypatch.setattr(module.agreement, "SIDE", 48)
    expected, found = parts_of_two_steps(folder), on_backend(backend, parts_of_two_steps, folder)
    np.testing.assert_allclose(found[0], expected[0], rtol=0.02)
    np.testing.assert_allclose(found[1], expected[1], atol=0.02)


def test_a_student_learns_and_is_as_loud_as_its_teacher(start):
    training = start(steps=60, batch=8, dreams=8)
    before = training.measure(training.pair.student)
    parts = [moment.parts for moment in training.steps()]
    first, last = np.mean(parts[:5], axis=0), np.mean(parts[-5:], axis=0)
    assert (last < first)[1:].all()  # the first part grows with the dreams, in which the features are louder
    student = training.finished()
    after = training.measure(student)
    assert after["conv3"] > before["conv3"] + 0.1
    x = training.teacher.preprocessing.normalise(training.held_out).astype(np.float32)
    own, theirs = (np.asarray(network.features(x)["conv3"]) for network in (student, training.teacher))
    assert np.sqrt((own**2).mean()) == pytest.approx(np.sqrt((theirs**2).mean()), rel=1e-3)
    assert training.curve[0].agreement.keys() == training.curve[-1].agreement.keys() == {"conv2", "conv3"}


def test_the_finished_student_is_a_network_for_every_command(start, tmp_path):
    training = start(steps=1)
    list(training.steps())
    student = training.finished()
    origin = origin_of(training, training.measure(student))
    save_with_origin(student.model, tmp_path / "small.keras", origin)
    assert (origin["teacher"], origin["width"], origin["layers"]) == ("teacher.keras", 0.5, ["conv2", "conv3"])
    assert (origin["photographs"], origin["held_out"], origin["steps"], origin["seed"]) == (7, 1, 1, 0)
    assert origin["weights"].startswith("sha256:")
    network = load_network(str(tmp_path / "small.keras"), layers=["conv3"])
    assert network.preprocessing.name == "caffe"
    x = np.random.default_rng(0).normal(0, 60, (1, 24, 40, 3)).astype(np.float32)
    np.testing.assert_array_equal(network.features(x)["conv3"], student.features(x)["conv3"])


def test_a_student_is_continued_with_what_it_knows(start, tmp_path):
    first = start(steps=2)
    list(first.steps())
    student = first.finished()
    save_with_origin(student.model, tmp_path / "first.keras", origin_of(first, {}))
    second = start(student=str(tmp_path / "first.keras"), steps=1, rate=1e-9)
    assert not second.pair.is_new
    assert second.before == pytest.approx(first.measure(student), abs=1e-4)
    (moment,) = second.steps()
    assert moment.parts[0] < 1.5  # the projections were solved: without, it is 2
    for one, other in zip(second.finished().model.get_weights(), student.model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_a_student_from_a_weights_file(start, tmp_path):
    first = start(steps=1)
    list(first.steps())
    model = first.finished().model
    weights = {f"{layer.name}/{w.name}": np.asarray(w) for layer in model.layers for w in layer.weights}
    np.savez(tmp_path / "first.npz", **weights)
    second = start(student=str(tmp_path / "first.npz"), steps=1)
    assert second.before == pytest.approx(first.measure(first.finished()), abs=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0.25}, "its layer 'conv2' has 8 channels, but --width 0.25 means 4; remove --width"),
        ({"layers": ["pool1"]}, "has no layer 'pool1'"),
    ],
)
def test_a_student_that_does_not_fit_is_refused(start, tmp_path, changes, message):
    teacher = as_network(chain(), "conv2", "conv3")
    student = narrow(teacher, 0.5, 0, normalised=False)
    if "layers" in changes:
        student = keras.Model(student.inputs[0], student.get_layer("conv1").output)
    save_with_origin(student, tmp_path / "other.keras", {"preprocessing": "caffe"})
    with pytest.raises(NetworkError, match=message):
        start(student=str(tmp_path / "other.keras"), **changes)


def test_a_student_with_other_preprocessing_is_refused(start, folder, tmp_path):
    save_with_origin(chain(), tmp_path / "other.keras", {"preprocessing": "tf"})
    with pytest.raises(NetworkError, match=r"takes its pictures as 'tf', but .*teacher\.keras as 'caffe'"):
        start(student=str(tmp_path / "other.keras"), width=None)


def test_a_checkpoint_is_written_once_a_minute(start, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "EVERY", 0)
    training = start(steps=3)
    path = tmp_path / "c.npz"
    seen = [path.exists() and Checkpoint.read(path).record["step"] for _ in training.steps(path)]
    assert seen == [1, 2, 2]  # none after the last step
    assert [moment.step for moment in training.curve] == [1, 2, 3]


def test_an_interruption_comes_after_the_step(start, monkeypatch):
    training = start(steps=4)
    made = module.Trainer.step

    def interrupted(self, number, *arguments):
        if number == 2:
            _thread.interrupt_main()
        return made(self, number, *arguments)

    monkeypatch.setattr(module.Trainer, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(training.steps())
    assert training.step == 2


def test_a_training_that_diverges_says_so(start):
    training = start(steps=40, rate=1.0)
    training.pair.student.model.get_layer("conv1-convolution").kernel.assign(np.full((3, 3, 3, 4), np.nan))
    with pytest.raises(Diverged, match="step 1: the loss became infinite or NaN; use a smaller rate"):
        list(training.steps())


def test_the_size_of_pictures_is_what_the_teacher_takes(start, tmp_path):
    for size, message in (((48, 48), None), ((32, 48), "takes pictures of 48×32 only, but training needs squares")):
        inputs = keras.Input((*size, 3))
        x = keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="conv")(inputs)
        x = x + np.ones((*size, 1), np.float32)
        x = keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="deep")(x)
        file = str(Path(tmp_path) / f"fixed{size[0]}.keras")
        save_with_origin(keras.Model(inputs, x), Path(file), {"preprocessing": "tf"})
        if message:
            with pytest.raises(NetworkError, match=message):
                start(network=file, width=1.0, steps=1)
        else:
            assert start(network=file, width=1.0, steps=1).side == 48
