"""The suite against independent statements of the systems that it reproduces, with random weights.

Each takes one step in every octave: enough to tell the sizes, what goes from one to the next, the shifts, the tiles,
the score, the norm of the gradient, the step and the limits. The networks' kinks are smoothed: at a kink a float32
rounding turns into a hundredth of the gradient, and no two implementations agree to less.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from classic_systems import (
    caffe_deepdream,
    keras_inception_example,
    notebook_deepdream,
    objective_guide,
    objective_l2,
    score_and_gradient,
    tutorial_octaves,
    tutorial_score,
    tutorial_simple,
    tutorial_tiled,
)

from dreamscripts import dreaming
from dreamscripts.dreaming import dream
from dreamscripts.images import save_picture
from dreamscripts.networks import Network, build, cut
from dreamscripts.networks.applications import PREPROCESSING
from dreamscripts.networks.weights import fill_at_random
from dreamscripts.preprocessing import PREPROCESSINGS
from dreamscripts.settings import Settings

MEAN = np.array([103.939, 116.779, 123.68])  # BGR
TUTORIAL = {"normalise": "std", "step": 1.275, "clip": True}  # 0.01 in −1..1
ASCENT = {"name": "gradient_ascent", "iterations": 1, "evaluations": 1}

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the statements ask TensorFlow")


@pytest.fixture(scope="module")
def inception():
    return smooth("inception_v3", ["mixed0", "mixed1", "mixed2"])


@pytest.fixture(scope="module")
def pocket():
    return smooth("pocket", ["block2_conv2", "block3_conv1"])


def smooth(name, layers):
    """A network with random weights, softplus in the place of ReLU and averages in the place of maxima."""

    def without_kinks(layer):
        config = layer.get_config()
        if config.get("activation") == "relu":
            config["activation"] = "softplus"
        kind = keras.layers.AveragePooling2D if isinstance(layer, keras.layers.MaxPooling2D) else type(layer)
        return kind.from_config(config)

    model = keras.models.clone_model(build(name), clone_function=without_kinks)
    fill_at_random(model, 0)
    return Network(name, cut(model, layers, name), PREPROCESSINGS[PREPROCESSING.get(name, "caffe")])


@pytest.fixture
def ours(monkeypatch):
    """Our iterates with a network that is already there."""

    def run(network, picture, **settings):
        monkeypatch.setattr(dreaming, "open_network", lambda settings: network)
        return list(dream(picture, Settings(**settings)))

    return run


def photograph(height, width):
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / 9 + phase) * np.cos(y / 6 - phase) for phase in (0, 1, 2)]
    noise = np.random.default_rng(5).normal(0, 30, (height, width, 3))
    return (127.5 + 90 * np.stack(waves, axis=2) + noise).clip(0, 255).astype(np.float32)


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


def test_the_feature_visualisation_notebooks_deepdream(ours, pocket):
    picture = photograph(100, 124)
    *_, last = ours(
        pocket,
        picture,
        features={"block3_conv1": {"weight": 1, "measure": "mean_square"}},
        octaves={"kind": "split", "count": 4, "scale": 1.4},
        tiles={"kind": "notebook", "size": 48},
        optimizer=ASCENT | {"normalise": "mean", "step": 1.5},
        seed=5,
    )
    before = picture[:, :, ::-1] - MEAN
    objective = lambda layers: tf.reduce_mean(tf.square(layers["block3_conv1"]))  # noqa: E731
    shape = {"iter_n": 1, "step": 1.5, "octave_n": 4, "octave_scale": 1.4, "tile_size": 48, "shifts": draws(5, 0, 47)}
    agree(last.x, notebook_deepdream(pocket.model, objective, before, **shape), before)
