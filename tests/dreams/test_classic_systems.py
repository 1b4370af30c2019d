"""The suite against independent statements of the systems that it reproduces, with random weights.

Each takes a step in every octave, or more: enough to tell the sizes, what goes from one to the next, the shifts, the
tiles, the score, the norm of the gradient, the step and the limits. The networks' kinks are smoothed: at a kink a
float32 rounding turns into a hundredth of the gradient, and no two implementations agree to less.
"""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from classic_systems import (
    caffe_deepdream,
    keras_inception_example,
    notebook_deepdream,
    notebook_graph,
    notebook_lapnorm,
    notebook_multiscale,
    notebook_naive,
    objective_guide,
    objective_l2,
    score_and_gradient,
    tutorial_octaves,
    tutorial_score,
    tutorial_simple,
    tutorial_tiled,
    visstd,
)

from dreamscripts.dreams import prepare
from dreamscripts.dreams.dream import dream
from dreamscripts.images.files import save_picture
from dreamscripts.images.preprocessing import PREPROCESSINGS
from dreamscripts.images.resizing import noise
from dreamscripts.networks.cut import cut
from dreamscripts.networks.family import family_of, names
from dreamscripts.networks.loading import build
from dreamscripts.networks.network import Network
from dreamscripts.networks.weights import fill_at_random
from dreamscripts.settings.schema import Settings

MEAN = np.array([103.939, 116.779, 123.68])  # BGR
TUTORIAL = {"normalise": "std", "step": 1.275, "clip": True}  # 0.01 in −1..1
ASCENT = {"name": "gradient_ascent", "iterations": 1, "passes": 1}

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the statements ask TensorFlow")


@pytest.fixture(scope="module")
def inception():
    return smooth("inception_v3", ["mixed0", "mixed1", "mixed2"])


@pytest.fixture(scope="module")
def pocket():
    return smooth("pocket", ["block2_conv2", "block3_conv1", "block3_conv1_pre_relu"])


def smooth(name, layers):
    """A network with random weights, softplus in the place of ReLU and averages in the place of maxima."""

    def without_kinks(layer):
        config = layer.get_config()
        if isinstance(layer, keras.layers.ReLU):
            return keras.layers.Activation("softplus", name=layer.name)
        if config.get("activation") == "relu":
            config["activation"] = "softplus"
        kind = keras.layers.AveragePooling2D if isinstance(layer, keras.layers.MaxPooling2D) else type(layer)
        return kind.from_config(config)

    model = keras.models.clone_model(cut(build(name), layers, name), clone_function=without_kinks)
    fill_at_random(model, 0)
    return Network(name, model, PREPROCESSINGS[family_of(name).preprocessing if name in names() else "caffe"])


@pytest.fixture
def ours(monkeypatch):
    """Our iterates with a network that is already there."""

    def run(network, picture, named=None, /, **settings):
        monkeypatch.setattr(prepare, "open_network", lambda settings, loss: network)
        return list(dream(picture, Settings.load(named, **settings) if named else Settings(**settings)))

    return run


def photograph(height, width):
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / 9 + phase) * np.cos(y / 6 - phase) for phase in (0, 1, 2)]
    grain = np.random.default_rng(5).normal(0, 30, (height, width, 3))
    return (127.5 + 90 * np.stack(waves, axis=2) + grain).clip(0, 255).astype(np.float32)


def draws(seed, low, high):
    """Our draws of pairs from low to high: one for each step."""
    number = 0
    while True:
        yield np.random.default_rng([seed, number]).integers(low, high, 2, endpoint=True)
        number += 1


def agree(ours, theirs, before):
    """To 1e-4 of what the system made of the picture, which is less than of the picture."""
    assert ours.shape == theirs.shape
    made = np.linalg.norm(theirs - before)
    assert made > 0.01 * np.linalg.norm(before)
    assert np.linalg.norm(ours - theirs) <= 1e-4 * made


def test_the_keras_inception_example(ours, inception):
    picture = photograph(120, 140)
    features = {"mixed0": 0.2, "mixed1": 0.5, "mixed2": 2.0}
    *_, last = ours(
        inception,
        picture,
        features=features,
        octaves={"kind": "reinjected", "count": 3, "scale": 1.4},
        optimizer=ASCENT | {"normalise": "mean", "step": 1.275},
    )
    before = picture / 127.5 - 1
    shape = {"num_octave": 3, "octave_scale": 1.4, "iterations": 1, "max_loss": None}
    agree(last.x, keras_inception_example(inception.model, features, before, step=0.01, **shape), before)


def test_the_keras_inception_example_stops_an_octave_once_the_score_passes(ours, pocket):
    picture = photograph(48, 64)
    features, steps = {"block2_conv2": 0.02, "block3_conv1": 0.1}, {"iterations": 12, "step": 2}
    octave = {"features": features, "octaves": {"kind": "reinjected"}}
    losses = [iterate.loss for iterate in ours(pocket, picture, **octave, optimizer=ASCENT | steps)]
    limit = -(losses[6] + losses[7]) / 2
    assert -losses[0] < limit < -losses[-1]
    *stopped, last = ours(pocket, picture, **octave, optimizer=ASCENT | steps | {"max_score": limit})
    assert len(stopped) == 7
    before = picture[:, :, ::-1] - MEAN
    shape = {"num_octave": 1, "octave_scale": 1.4, "max_loss": limit}
    agree(last.x, keras_inception_example(pocket.model, features, before, **steps, **shape), before)


def test_the_tutorials_simple_dream_for_one_step_and_for_ten(ours, inception):
    picture = photograph(72, 90)
    layers = ["mixed0", "mixed2"]
    options = {"measure": "mean", "features": dict.fromkeys(layers, 1)}
    iterates = ours(inception, picture, **options, optimizer=ASCENT | TUTORIAL | {"iterations": 10})
    before = picture / 127.5 - 1
    agree(iterates[1].x, tutorial_simple(inception.model, layers, before, steps=1, step_size=0.01)[0], before)
    img, scores = tutorial_simple(inception.model, layers, before, steps=10, step_size=0.01)
    scores.append(score_and_gradient(inception.model, tutorial_score(layers), img)[0])
    gain = scores[-1] - scores[0]
    assert gain > 0.02 * scores[0]
    np.testing.assert_allclose([-iterate.loss for iterate in iterates], scores, atol=1e-3 * gain)


def test_the_tutorials_octaves(ours, inception):
    picture = photograph(88, 104)
    layers = ["mixed0", "mixed2"]
    *_, last = ours(
        inception,
        picture,
        measure="mean",
        features=dict.fromkeys(layers, 1),
        octaves={"kind": "plain", "count": 3, "scale": 1.3, "above": 1},
        optimizer=ASCENT | TUTORIAL,
    )
    before = picture / 127.5 - 1
    shape = {"octaves": range(-1, 2), "octave_scale": 1.3, "steps": 1, "step_size": 0.01}
    agree(last.x, tutorial_octaves(inception.model, layers, before, **shape), before)


def test_the_tutorials_tiles_under_a_random_roll(ours, inception):
    picture = photograph(88, 132)
    layers = ["mixed0", "mixed2"]
    *_, last = ours(
        inception,
        picture,
        measure="mean",
        features=dict.fromkeys(layers, 1),
        octaves={"kind": "plain", "count": 2, "scale": 1.3, "above": 1},
        tiles={"kind": "tutorial", "size": 64},
        optimizer=ASCENT | TUTORIAL,
        seed=3,
    )
    before = picture / 127.5 - 1
    shape = {"octaves": range(2), "octave_scale": 1.3, "steps": 1, "step_size": 0.01, "tile_size": 64}
    agree(last.x, tutorial_tiled(inception.model, layers, before, **shape, shifts=draws(3, -64, 64)), before)


CAFFE = {
    "jitter": {"shift": 32},
    "octaves": {"kind": "carried", "count": 4, "scale": 1.4},
    "optimizer": ASCENT | {"normalise": "mean", "step": 1.5, "clip": True},
    "seed": 4,
}


def test_the_caffe_notebook(ours, pocket):
    picture = photograph(80, 100)
    *_, last = ours(pocket, picture, measure="energy", features={"block3_conv1": 1}, **CAFFE)
    before = picture[:, :, ::-1] - MEAN
    shape = {"iter_n": 1, "octave_n": 4, "octave_scale": 1.4, "mean": MEAN, "shifts": draws(4, -32, 32)}
    agree(last.x, caffe_deepdream(pocket.model, "block3_conv1", before, **shape, objective=objective_l2), before)


def test_the_caffe_notebook_guided_by_a_picture(ours, pocket, tmp_path):
    picture, guide = photograph(80, 100), np.rint(photograph(64, 48)[::-1])
    save_picture(guide, tmp_path / "guide.png")
    *_, last = ours(
        pocket,
        picture,
        measure="guide",
        features={"block3_conv1": 1},
        guide={"picture": str(tmp_path / "guide.png"), "size": 64},
        **CAFFE,
    )
    before = picture[:, :, ::-1] - MEAN
    activation = pocket.model(tf.constant((guide[:, :, ::-1] - MEAN)[None], tf.float32))["block3_conv1"].numpy()
    shape = {"iter_n": 1, "octave_n": 4, "octave_scale": 1.4, "mean": MEAN, "shifts": draws(4, -32, 32)}
    theirs = caffe_deepdream(pocket.model, "block3_conv1", before, **shape, objective=objective_guide(activation))
    agree(last.x, theirs, before)


# The feature-visualisation notebook. Its numbers stand in the named settings here, and in the statements as defaults
# there; both are given another layer, smaller pictures and smaller tiles.
LAYER = "block3_conv1_pre_relu"


@pytest.fixture(scope="module")
def notebooks(pocket):
    """The network as the notebook feeds it, RGB − 117; it leaves out no edge of a layer."""
    return replace(pocket, edge=0, preprocessing=PREPROCESSINGS["googlenet"])


def channels(*numbers):
    """The settings' table of a layer's channels, and the notebook's objective: T(layer)[:, :, :, number], summed."""
    table = {LAYER: {"weight": 1, "channels": list(numbers)}}
    return table, lambda activations: sum(activations[LAYER][:, :, :, number] for number in numbers)


def agree_from_noise(last, render, network, objective, size, **shape):
    """Before is the noise, as large as the picture gets; what is shown agrees too."""
    graph, img_noise = notebook_graph(network.model), noise(size)
    theirs = render(graph, objective, img_noise, **shape)
    before = render(graph, objective, img_noise, **shape | {"iter_n": 0})
    agree(last.x, theirs - 117, before - 117)
    np.testing.assert_allclose(last.picture, 255 * visstd(theirs), atol=0.05)


def test_the_notebooks_naive_visualisation_for_one_step_and_for_all(ours, notebooks):
    features, objective = channels(5)
    iterates = ours(notebooks, noise(40), "notebook_naive", network="pocket", size=40, features=features)
    agree_from_noise(iterates[1], notebook_naive, notebooks, objective, 40, iter_n=1)
    agree_from_noise(iterates[-1], notebook_naive, notebooks, objective, 40)


def test_the_notebooks_multiscale_visualisation(ours, notebooks):
    features, objective = channels(5)
    small = {"network": "pocket", "size": 40, "features": features, "tiles.size": 36}
    *_, last = ours(notebooks, noise(40), "notebook_multiscale", **small)
    assert last.x.shape == (78, 78, 3)
    agree_from_noise(last, notebook_multiscale, notebooks, objective, 40, tile_size=36, shifts=draws(0, 0, 35))


@pytest.mark.parametrize("steps", [1, 5])
def test_the_notebooks_laplacian_visualisation(steps, ours, notebooks):
    features, objective = channels(9)
    small = {"network": "pocket", "size": 40, "features": features, "tiles.size": 24, "optimizer.iterations": steps}
    *_, last = ours(notebooks, noise(40), "notebook_lapnorm", **small)
    shape = {"iter_n": steps, "tile_size": 24, "shifts": draws(0, 0, 23)}
    agree_from_noise(last, notebook_lapnorm, notebooks, objective, 40, **shape)


def test_the_notebooks_mixture_of_two_channels(ours, notebooks):
    """Its objective is their sum and ours their mean: the same once every scale of the gradient is made even."""
    features, objective = channels(5, 9)
    small = {"network": "pocket", "size": 32, "features": features, "tiles.size": 40, "optimizer.iterations": 1}
    *_, last = ours(notebooks, noise(32), "notebook_mixture", **small)
    shape = {"iter_n": 1, "octave_n": 4, "tile_size": 40, "shifts": draws(0, 0, 39)}
    agree_from_noise(last, notebook_lapnorm, notebooks, objective, 32, **shape)


DEEPDREAMS = {
    "dogslugs": ({"block3_conv1": 1}, lambda activations: tf.square(activations["block3_conv1"])),
    "notebook_channel": channels(5),
    "notebook_flowers": channels(9),
}


@pytest.mark.parametrize("name", DEEPDREAMS)
def test_the_notebooks_deepdream(name, ours, notebooks):
    picture = photograph(100, 124)
    features, objective = DEEPDREAMS[name]
    small = {"network": "pocket", "size": 124, "features": features, "tiles.size": 48, "optimizer.iterations": 1}
    *_, last = ours(notebooks, picture, name, **small, seed=5)
    graph = notebook_graph(notebooks.model)
    theirs = notebook_deepdream(graph, objective, picture, iter_n=1, tile_size=48, shifts=draws(5, 0, 47))
    agree(last.x, theirs - 117, picture - 117)
