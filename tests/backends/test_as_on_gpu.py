"""PyTorch as on a GPU: no tensor becomes an array unless it is asked to.

On a CPU, PyTorch computes with a tensor and an array together. On a GPU, that is an error.
"""

import sys
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from conftest import BACKENDS

pytestmark = pytest.mark.skipif("torch" not in BACKENDS, reason="PyTorch is not installed")


@contextmanager
def as_on_gpu():
    """Refuse to convert tensors to arrays, except by Keras. Functions take the way of a GPU, but are not recorded."""
    import torch

    from dreamscripts.backends import host, on_torch

    convert = torch.Tensor.__array__

    def array(self, *arguments, **options):
        frame = sys._getframe(1)
        callers = []
        while frame and len(callers) < 4:
            callers.append(frame.f_code.co_name)
            frame = frame.f_back
        if "convert_to_numpy" in callers:
            return convert(self, *arguments, **options)
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "__array__", array)
        patch.setattr(host, "on_gpu", lambda: True)
        patch.setattr(on_torch, "gpu_name", lambda: "a GPU")
        yield


def dreamt(name, optimizer, tiles):
    """The losses of two iterations."""
    from dreamscripts.losses.build import build_loss
    from dreamscripts.networks.loading import load_network
    from dreamscripts.objective.evaluator import Evaluator
    from dreamscripts.optimizers.optimize import begin, optimize
    from dreamscripts.registry import OPTIMIZERS
    from dreamscripts.settings.schema import Settings
    from dreamscripts.settings.tables import Jitter, Tiles

    settings = Settings(features={"block2_conv1": 1}, penalties={"continuity": 0.02, "dream_l2": 0.1})
    with as_on_gpu():
        network = load_network("pocket", layers=settings.features)
        evaluator = Evaluator(
            network,
            build_loss(settings, network),
            jitter=Jitter() if tiles else Jitter(noise=3, shift=4, rotate=5),
            tiles=Tiles(**tiles) if tiles else None,
        )
        table = OPTIMIZERS[name].settings(passes=3, **optimizer)
        x = np.zeros((44, 48, 3), np.float32)
        first = begin(evaluator, x, table)
        return [first.loss, *(result.loss for result in islice(optimize(evaluator, x, table), 2))]


@pytest.mark.parametrize(
    ("name", "optimizer", "tiles"),
    [
        ("gradient_ascent", {"laplacian": 2, "clip": True}, {}),
        ("gradient_ascent", {}, {"kind": "exact", "size": 40}),
        ("gradient_ascent", {}, {"kind": "notebook", "size": 40}),
        ("adam", {"max_change": 8}, {}),
        ("adam", {"parameters": "fourier", "step": 0.05}, {}),
        ("lbfgs", {"where": "device", "max_change": 8}, {}),
        ("lbfgs", {"where": "device"}, {"kind": "exact", "size": 40}),
        ("lbfgs", {}, {}),
    ],
)
def test_every_optimizer_lowers_the_loss(name, optimizer, tiles, on_backend):
    first, _, last = on_backend("torch", dreamt, name, optimizer, tiles)
    assert last < first


def taught():
    """The loss of a student before and after some steps."""
    import keras
    from small_teachers import as_network, chain

    from dreamscripts.backends.training import compile_step
    from dreamscripts.training.lesson import Lesson
    from dreamscripts.training.projections import channel_sizes, make_projections, solve
    from dreamscripts.training.student import narrow

    teacher = as_network(chain(), "conv2", "conv3")
    with as_on_gpu():
        student = replace(teacher, model=narrow(teacher, 0.5, 0, normalised=True))
        x = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)).astype(np.float32)
        sizes, projections = channel_sizes(teacher, [x]), make_projections(teacher, student)
        solve(projections, teacher, student, sizes, [x])
        lesson = Lesson(teacher, student, projections, sizes)
        step = compile_step(
            lambda x, weights: lesson.loss(x, weights, training=True), lesson.variables, keras.optimizers.AdamW(1e-3)
        )
        return [float(step(x, np.array([[0.5, 0.5], [1, 0]], np.float32))[0]) for _ in range(6)]


def test_a_student_learns(on_backend):
    losses = on_backend("torch", taught)
    assert losses[-1] < losses[0]


def trained():
    """The losses of some steps of a training."""
    from small_teachers import as_network, chain

    from dreamscripts.images.preprocessing import PREPROCESSINGS
    from dreamscripts.settings.recipe import Recipe
    from dreamscripts.training.pair import Pair
    from dreamscripts.training.student import narrow
    from dreamscripts.training.trainer import Trainer

    teacher = replace(as_network(chain(), "conv2", "conv3"), preprocessing=PREPROCESSINGS["torch"])

    def crops(count, *seed):
        return np.random.default_rng(seed).uniform(0, 255, (count, 32, 32, 3)).astype(np.float32)

    with as_on_gpu():
        student = replace(teacher, model=narrow(teacher, 0.5, 0, normalised=True))
        recipe = Recipe(network="pocket", batch=4, dreams=4)
        trainer = Trainer(Pair(teacher, student, is_new=True, width=0.5), teacher, recipe, crops)
        return [sum(trainer.step(number, number / 6, crops(2, number, 1))) for number in range(1, 6)]


def test_a_trainer_makes_steps(on_backend):
    assert np.isfinite(on_backend("torch", trained)).all()
