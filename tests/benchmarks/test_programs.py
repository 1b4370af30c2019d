"""The measured programs, without processes of their own."""

import sys
from importlib.util import find_spec
from itertools import pairwise

import keras
import numpy as np
import pytest
from conftest import changed

from dreamscripts.benchmarks import other_programs, program
from dreamscripts.benchmarks.matrices import open_matrices
from dreamscripts.benchmarks.ours import open_ours
from dreamscripts.benchmarks.preparing import prepare
from dreamscripts.benchmarks.process import MeasuringError
from dreamscripts.benchmarks.program import noise, peak_mib, resident_mib
from dreamscripts.errors import NetworkError, PictureError
from dreamscripts.settings.schema import Settings
from dreamscripts.settings.tables import Jitter

SIDE = 64


@pytest.fixture(scope="module")
def task_of(tmp_path_factory):
    """The task for some settings, with what was prepared for it."""

    def build(settings, side=SIDE):
        weights = tmp_path_factory.mktemp("weights") / "weights.npz"
        task = {"settings": settings.model_dump(mode="json"), "side": side, "weights": str(weights)}
        about, _ = prepare(task | {"sides": [side]})
        return task | about

    return build


def bad_trip(**overrides):
    settings = Settings.load("bad_trip", **{"network": "pocket", "weights": "random", "size": SIDE} | overrides)
    return settings.model_copy(update={"jitter": Jitter()})


def features(settings, **weights):
    return changed(settings, features=weights)


def other(name):
    if name == "tensorflow":
        if keras.backend.backend() != "tensorflow":
            pytest.skip("runs on Keras's own backend")
        from dreamscripts.benchmarks.plain_tensorflow import open_plain_tensorflow

        return open_plain_tensorflow
    if find_spec("torch") is None:
        pytest.skip("PyTorch is not installed")
    from dreamscripts.benchmarks.plain_torch import open_plain_torch

    return lambda task: open_plain_torch({"channels_last": True, "compile": False, **task})


def compared(requests, path):
    loss = requests["compare"](0, str(path))["loss"]
    return loss, np.load(path)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("tensorflow", bad_trip()),
        ("torch", changed(bad_trip(size=160), tiles={"kind": "exact", "size": 128}, convolutions="winograd")),
        ("torch", bad_trip()),
        ("torch", features(bad_trip(network="vgg19"), block1_conv2=0.2, block3_pool=0.1)),
        ("tensorflow", changed(bad_trip(weights=None), penalties={"continuity": 3.0, "dream_l2": 0.0})),
        ("torch", changed(bad_trip(weights=None), penalties={"continuity": 3.0, "dream_l2": 0.0})),
        ("tensorflow", features(bad_trip(network="squeezenet"), fire4=0.1)),  # it branches
        ("tensorflow", features(bad_trip(network="mobilenet"), conv_pw_3=0.1)),  # dreamscripts folds its normalisation
    ],
)
def test_the_other_programs_find_the_same_loss_and_gradient(name, settings, task_of, tmp_path):
    """They write the loss again and, in PyTorch, the network: the comparison checks both."""
    side = settings.size
    task = task_of(settings, side)
    _, ours = open_ours(task)
    about, theirs = other(name)(task)
    loss, gradient = compared(ours, tmp_path / "gradient.npy")
    other_loss, other_gradient = compared(theirs, tmp_path / "gradient.npy")
    assert other_loss == pytest.approx(loss, rel=1e-5)
    assert other_gradient.shape == gradient.shape == (side, side, 3)
    assert np.linalg.norm(other_gradient - gradient) <= 2e-5 * np.linalg.norm(gradient)
    assert about["versions"]
    timed = theirs["pass"]()
    assert timed["seconds"] > 0
    assert timed["on_device"] > 0


@pytest.mark.parametrize(
    ("precision", "how", "loss_error", "gradient_error"),
    [
        ("float32", {"channels_last": False}, 1e-5, 2e-5),
        ("mixed_bfloat16", {}, 1e-3, 0.1),
        pytest.param("float32", {"compile": True}, 1e-5, 2e-5, marks=pytest.mark.slow),  # compiling takes long
    ],
)
def test_pytorch_finds_the_same_in_every_layout_and_precision(
    precision, how, loss_error, gradient_error, task_of, tmp_path
):
    if how.get("compile") and not other_programs._has_compiler():
        pytest.skip("there is no C++ compiler")
    task = task_of(changed(bad_trip(), precision=precision))
    _, ours = open_ours(task)
    _, theirs = other("torch")(task | how)
    loss, gradient = compared(ours, tmp_path / "gradient.npy")
    other_loss, other_gradient = compared(theirs, tmp_path / "gradient.npy")
    assert other_loss == pytest.approx(loss, rel=loss_error)
    assert np.linalg.norm(other_gradient - gradient) <= gradient_error * np.linalg.norm(gradient)


def test_passes_on_the_device_wait_once_and_never_repeat_a_picture(monkeypatch):
    """Otherwise a program that keeps its last result would seem to need no time."""
    started, waited = [], []
    monkeypatch.setattr(program, "IN_A_ROW", 1e9)  # as many as allowed
    on_device = program.OnDevice(lambda x: float(x[0, 0, 0]), lambda x: started.append(x) or x, waited.append)
    passes = program.Passes({"side": 4, "limits": [[0] * 3, [1] * 3]}, lambda x: (0.0, x), on_device)
    timed = passes.time_pass()
    assert len(started) == 1 + 1 + 100  # to compile, to see how long one takes, and those that count
    assert all(a != b for a, b in pairwise(started))
    assert len(waited) == 3
    assert 0 < timed["on_device"] < timed["seconds"] + 1


def test_a_torch_that_cannot_be_imported_is_a_user_error(monkeypatch):
    open_plain_torch = other("torch")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(
        MeasuringError, match=r"PyTorch is installed but cannot be imported \(.*\): repair it, or uninst"
    ):
        open_plain_torch({})


def test_ours_makes_a_pass_for_each_request_and_an_iteration_of_the_optimizer(task_of, tmp_path):
    task = task_of(changed(bad_trip(), optimizer={"name": "gradient_ascent", "passes": 3}))
    about, ours = open_ours(task)
    assert about["start_up"] > 0
    assert about["tiles"] is None
    for _ in range(2):
        reply = ours["pass"]()
        assert 0 < reply["seconds"] < 5
        assert about["mib_before"] <= reply["peak_mib"]
    iteration = ours["iterate"]()
    assert iteration["passes"] == 3
    assert 0 < iteration["outside"] < iteration["seconds"]


def test_ours_tells_of_its_tiles(task_of):
    settings = changed(bad_trip(), tiles={"kind": "exact", "size": 128})
    sizes = [open_ours(task_of(settings, side))[0]["tiles"] for side in (160, 96)]
    assert sizes == [128, None]  # the second fits in one


def test_what_is_prepared_describes_a_chain_by_its_layers(task_of):
    task = task_of(features(bad_trip(), block2_conv1=1))
    assert [step["name"] for step in task["chain"]] == ["block1_conv1", "block1_conv2", "block1_pool", "block2_conv1"]
    assert task["not_a_chain"] == task["not_keras"] == ""
    with np.load(task["weights"]) as weights:
        assert weights["block2_conv1:0"].shape == (3, 3, 16, 32)
        assert len(weights.files) == 6
    whole, half, quarter = 3 * 16 + 16 * 16, 16 * 32, SIDE**2 * 9
    assert task["multiplications"] == pytest.approx(quarter * (whole + half / 4))


@pytest.mark.parametrize(
    ("settings", "key", "says"),
    [
        (
            features(bad_trip(network="squeezenet"), fire4=0.1),
            "not_a_chain",
            "squeezenet is not a chain of plain layers: ",
        ),
        (features(bad_trip(), block2_conv1_pre_relu=1), "not_keras", "block2_conv1_pre_relu is not a layer"),
        (
            features(bad_trip(), block2_conv1_pre_relu=1),
            "not_a_chain",
            "pocket is not a chain of plain layers: block2_conv1_pre",
        ),
    ],
)
def test_what_is_prepared_says_what_the_other_programs_cannot_run(settings, key, says, task_of):
    assert task_of(settings)[key].startswith(says)


def test_what_cannot_be_measured_is_a_mistake_before_anything_is(tmp_path):
    settings = bad_trip()
    task = {"settings": settings.model_dump(mode="json"), "weights": str(tmp_path / "weights.npz")}
    with pytest.raises(PictureError, match="8×8 is too small for pocket"):
        prepare(task | {"sides": [64, 8]})
    googlenet = features(bad_trip(network="googlenet"), mixed4c=1)
    with pytest.raises(NetworkError, match="googlenet cannot have random weights"):
        prepare(task | {"settings": googlenet.model_dump(mode="json"), "sides": [64]})


def test_noise_is_the_same_in_every_process_and_within_the_pixels():
    task = {"side": 30, "limits": [[-100, -110, -120], [150, 140, 130]]}
    x = noise(task, 1)
    np.testing.assert_array_equal(x, noise(task, 1))
    assert (x.shape, x.dtype) == ((30, 30, 3), np.float32)
    assert not np.array_equal(x, noise(task, 2))
    low, high = np.array(task["limits"])
    assert ((low <= x) & (x <= high)).all()
    np.testing.assert_allclose(x.mean((0, 1)), (low + high) / 2, atol=20)


def test_matrices_are_multiplied_at_some_rate_another_size_each_round():
    _, requests = open_matrices({})
    products = [requests["multiply"](round_) for round_ in range(4)]
    assert [product["side"] for product in products] == [512, 1024, 2048, 512]
    assert all(0.1 < product["gflops"] < 1e6 for product in products)


def test_memory_is_counted_in_mebibytes():
    before = resident_mib()
    held = np.ones(100 * 2**20, np.uint8)
    assert 90 < resident_mib() - before < 130
    assert peak_mib() >= resident_mib() - 1
    del held
