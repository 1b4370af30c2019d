"""Loss and gradient by exact tiles are those of one pass over the picture."""

import re
from functools import cache
from itertools import pairwise

import keras
import numpy as np
import pytest
from conftest import BACKENDS, changed
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from dreamscripts.dreams import dream as dreaming
from dreamscripts.errors import SettingsError
from dreamscripts.images.files import save_picture
from dreamscripts.images.preprocessing import PREPROCESSINGS
from dreamscripts.losses.build import build_loss
from dreamscripts.losses.diversity import Diversity
from dreamscripts.losses.layers import LayerDirections, LayerMean
from dreamscripts.losses.priors import Continuity
from dreamscripts.losses.term import Term, as_loss, term
from dreamscripts.networks.loading import load_network
from dreamscripts.networks.network import Network
from dreamscripts.networks.plain_keras import plain_keras
from dreamscripts.networks.receptive_field import ReceptiveField
from dreamscripts.networks.weights import fill_at_random
from dreamscripts.objective.evaluator import Evaluator
from dreamscripts.objective.exact_tiles import Axis, exact_crops
from dreamscripts.settings.schema import Settings
from dreamscripts.settings.tables import Jitter, Tiles

PENALTIES = {"continuity": 0.1, "dream_l2": 0.5, "total_variation": 3}


def difference(network, loss, shape, size, **how):
    """How far apart tiles and one pass are: of the gradient in relative L2, and of the term that is furthest."""
    return compare(Evaluator(network, loss, **how), Evaluator(network, loss, tiles=exact(size), **how), shape)


def compare(whole, tiled, shape):
    """The same, of two evaluators, which may be used again."""
    whole.reset(), tiled.reset()
    x = np.random.default_rng(0).normal(0, 50, shape).astype(np.float32)
    expected, gradient = whole.gradient(x), tiled.gradient(x)
    terms, tiled_terms = whole.terms(x), tiled.terms(x)
    assert len(exact_crops(tiled.network, *shape[-3:-1], tiled.exact.size)) > 1
    assert tiled.passes == 1
    assert (gradient.dtype, gradient.shape) == (np.float32, shape)
    assert all(terms.values())
    worst = max(abs(tiled_terms[name] / terms[name] - 1) for name in terms)
    return np.linalg.norm(gradient - expected) / np.linalg.norm(expected), worst


def exact(size):
    return Tiles(kind="exact", size=size)


def loss_of(network, penalties=None, **said):
    return build_loss(Settings(**said, penalties=penalties or {}), network)


NETWORKS = {
    "vgg16": ("block3_conv3", (141, 96), 96),
    "squeezenet": ("fire4", (131, 98), 96),
    "inception_v3": ("mixed0", (270, 230), 252),
    "resnet50": ("conv3_block1_out", (181, 110), 144),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_tiles_give_the_loss_and_the_gradient_of_every_network_that_sees_but_a_part(name):
    layer, size, tile = NETWORKS[name]
    network = load_network(name, "random", [layer])
    assert max(difference(network, loss_of(network, features={layer: 0.1}), (*size, 3), tile)) < 1e-5


def test_tiles_give_the_loss_and_the_gradient_of_googlenet(googlenet_graph):
    layers = ["localresponsenorm1", "mixed3a"]
    network = load_network("googlenet", str(googlenet_graph), layers)
    loss = loss_of(network, features=dict.fromkeys(layers, 1.0), measure="mean_square")
    assert max(difference(network, loss, (140, 121, 3), 104)) < 1e-5


def own(graph, shape=(None, None, 3)):
    with plain_keras():
        inputs = keras.Input(shape)
        model = keras.Model(inputs, {"end": graph(inputs)})
    fill_at_random(model, 0)
    return Network("own", model, PREPROCESSINGS["caffe"], edge=0)


def strides(x):
    x = keras.layers.Conv2D(4, 5, strides=2, padding="same", activation="relu")(x)
    return keras.layers.Conv2D(4, 4, strides=2, padding="same")(x)


def dilated(x):
    x = keras.layers.Conv2D(4, 3, dilation_rate=2, padding="same", activation="relu")(x)
    return keras.layers.AveragePooling2D(3, strides=2, padding="same")(x)


def padded(x):
    x = keras.layers.ZeroPadding2D(((1, 2), (3, 0)))(x)
    x = keras.layers.Conv2D(4, 3, strides=2, activation="relu")(keras.layers.Cropping2D(((0, 3), (5, 1)))(x))
    return keras.layers.Conv2D(4, 3, padding="same", activation="tanh")(x)


def threes(x):
    return keras.layers.Conv2D(4, 3, strides=3, padding="same")(keras.layers.MaxPooling2D(2, strides=1)(x))


def points(x):
    return keras.layers.Conv2D(4, 1, activation="relu")(x)  # only the penalty reads the next pixel


OWN = {graph.__name__: own(graph) for graph in (strides, dilated, padded, threes, points)}


@cache
def evaluators(name, size):
    """Two evaluators of a network of one's own: of one pass, and of tiles of that size."""
    loss = loss_of(OWN[name], {"total_variation": 1}, features={"end": 1.0}, measure="mean_square")
    return Evaluator(OWN[name], loss), Evaluator(OWN[name], loss, tiles=exact(size))


@pytest.mark.parametrize("name", OWN)
@settings(max_examples=6, deadline=None)
@given(height=st.integers(49, 70), width=st.integers(20, 70), tile=st.sampled_from([36, 43, 48]))
def test_tiles_suit_own_networks_however_they_pad(name, height, width, tile):
    assert max(compare(*evaluators(name, tile), (height, width, 3))) < 1e-5


@pytest.fixture(scope="module")
def pocket():
    return load_network("pocket", layers=["block2_conv1", "block3_conv1"])


MEASURES = {
    "l2": {"measure": "l2"},
    "mean": {"measure": "mean"},
    "mean_square": {"measure": "mean_square"},
    "energy": {"measure": "energy"},
    "neuron": {"measure": "neuron"},
    "channels": {"features": {"block3_conv1": {"weight": 1, "channels": {3: 1.0, 40: -0.5}}}},
    "penalties": {"penalties": PENALTIES},
}


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_and_penalty_adds_up(measure, pocket):
    said = {"features": {"block2_conv1": 0.3, "block3_conv1": 0.1}} | MEASURES[measure]
    shape = (2, 48, 77, 3) if measure == "penalties" else (61, 50, 3)
    assert max(difference(pocket, loss_of(pocket, **said), shape, 45)) < 1e-5


@pytest.mark.parametrize("measure", ["l2", "mean"])
def test_diversity_adds_up_though_it_is_no_sum_over_positions(measure, pocket):
    features = {"block2_conv1": 0.3, "block3_conv1": {"weight": 0.1, "channels": [3, 40]}}
    loss = loss_of(pocket, {"diversity": 1, "continuity": 0.1}, features=features, measure=measure)
    assert max(difference(pocket, loss, (3, 61, 50, 3), 45, jitter=Jitter(noise=5, shift=20))) < 1e-5


def test_a_guide_adds_up(pocket, picture, tmp_path):
    save_picture(picture, tmp_path / "guide.png")
    guide = {"picture": str(tmp_path / "guide.png"), "size": 40}
    loss = loss_of(pocket, features={"block3_conv1": 1}, measure="guide", guide=guide)
    assert max(difference(pocket, loss, (61, 50, 3), 40)) < 1e-5


def test_directions_of_their_own_for_each_picture_add_up(pocket, rng):
    directions = keras.Variable(rng.normal(0, 1, (2, 64)).astype(np.float32))
    assert max(difference(pocket, LayerDirections("block3_conv1", directions), (2, 61, 50, 3), 40)) < 1e-5


@cache
def evaluators_of_pocket(size):
    """Two evaluators: of one pass, and of tiles of that size."""
    features = {"block2_conv1": 0.3, "block3_conv1": 0.1}
    network = load_network("pocket", layers=features)
    loss = loss_of(network, PENALTIES, features=features)
    return Evaluator(network, loss), Evaluator(network, loss, tiles=exact(size))


@settings(max_examples=8, deadline=None)
@given(height=st.integers(41, 90), width=st.integers(21, 90), tile=st.sampled_from([32, 35, 40]))
def test_sides_of_any_length_add_up(height, width, tile):
    assert max(compare(*evaluators_of_pocket(tile), (height, width, 3))) < 1e-5


@pytest.mark.parametrize("jitter", [{"noise": 5, "shift": 30}, {"noise": 5, "shift": 9, "rotate": 20, "scale": 0.1}])
def test_the_whole_picture_is_transformed_before_it_is_cut(jitter, pocket):
    loss = loss_of(pocket, PENALTIES, features={"block3_conv1": 0.1})
    assert max(difference(pocket, loss, (61, 50, 3), 40, jitter=Jitter(**jitter), seed=5)) < 1e-5


def test_a_tensor_has_a_tensor_as_its_gradient(pocket, rng):
    loss = loss_of(pocket, PENALTIES, features={"block3_conv1": 0.1})
    x = rng.normal(0, 50, (61, 50, 3)).astype(np.float32)
    arrays, tensors = (Evaluator(pocket, loss, jitter=Jitter(noise=2, shift=8), tiles=exact(40)) for _ in range(2))
    tensor = ops.convert_to_tensor(x)
    assert tensors.terms(tensor) == pytest.approx(arrays.terms(x), rel=1e-6)
    assert ops.is_tensor(tensors.gradient(tensor))
    np.testing.assert_allclose(np.array(tensors.gradient(tensor)), arrays.gradient(x), rtol=1e-4, atol=1e-6)


def test_all_tiles_of_a_picture_are_traced_once(pocket):
    traced = []

    @term(tileable=True)
    def noted(x, features, regions):
        traced.append(x.shape)
        return ops.sum(regions.picture.core(x))

    evaluator = Evaluator(pocket, noted, tiles=exact(40))
    x = np.ones((100, 90, 3), np.float32)
    assert evaluator.loss(x) == 27_000  # each pixel is in one core
    if keras.backend.backend() != "torch":
        assert len(traced) == 1


class Contrast(Term):
    """The standard deviation of a layer's features and of the picture: a function of sums over positions."""

    name = "contrast"
    layers = ("block3_conv1",)

    def sums(self, x, features, regions):
        (layer,) = self.layers
        f, region = regions[layer].core(features[layer]), regions[layer]
        mean, squares = ops.sum(f) / region.size(f), ops.sum(f * f) / region.size(f)
        return ops.stack([mean, squares, ops.sum(regions.picture.core(x * x)) / regions.picture.size(x)])

    def of_sums(self, sums):
        mean, squares, pixels = ops.unstack(sums)
        return -ops.sqrt(squares - mean**2) + ops.sqrt(pixels)


@pytest.mark.parametrize("jitter", [Jitter(), Jitter(noise=5, shift=20, rotate=9)])
def test_a_custom_term_of_sums_adds_up_beside_others(jitter, pocket):
    diverse = loss_of(pocket, {"diversity": 1}, features={"block2_conv1": 0.3})
    loss = 0.5 * Contrast() + diverse + 2 * Contrast() + Continuity()
    assert max(difference(pocket, loss, (2, 61, 50, 3), 45, jitter=jitter, seed=5)) < 1e-5


class Deviation(Contrast):
    """The same formula without the sums: no exact tiles."""

    name = "deviation"
    sums = Term.sums

    def __call__(self, x, features, regions):
        return self.of_sums(Contrast.sums(self, x, features, regions))


@term(layers=["block3_conv1"])
def deviation(x, features, regions):
    return ops.std(features["block3_conv1"])


@pytest.mark.parametrize("undivided", [Deviation(), deviation])
def test_a_term_that_is_not_a_sum_over_positions_is_refused(undivided, pocket, rng):
    """In tiles of 96 such a term would be a sum over tiles, ten times as large as in one pass."""
    x = rng.normal(0, 50, (100, 90, 3)).astype(np.float32)
    tiled = Evaluator(pocket, 0.1 * Continuity() + undivided, tiles=exact(40))
    said = r"^exact tiles cannot compute the term 'deviation', .* set tileable = True\. .* of_sums"
    with pytest.raises(SettingsError, match=said):
        tiled.loss(x)
    assert tiled.passes == 0
    small = x[:40, :40]  # one tile
    assert tiled.loss(small) == Evaluator(pocket, 0.1 * Continuity() + undivided).loss(small)


def test_the_diversity_of_a_measure_that_is_not_a_sum_is_refused(pocket, rng):
    class Largest(LayerMean):
        tileable = False

        def activation(self, f, region):
            return ops.max(f)

    tiled = Evaluator(pocket, as_loss(Diversity(Largest("block3_conv1"))), tiles=exact(40))
    with pytest.raises(SettingsError, match="exact tiles cannot compute the term 'diversity of block3_conv1'"):
        tiled.loss(rng.normal(0, 50, (2, 100, 90, 3)))


def test_a_margin_one_stride_narrower_would_show(pocket, monkeypatch):
    margins = Axis.margins.fget
    loss = loss_of(pocket, features={"block3_conv1": 0.1})
    for narrower in ((4, 0), (0, 4)):
        monkeypatch.setattr(Axis, "margins", property(lambda a, n=narrower: tuple(np.subtract(margins(a), n).tolist())))
        assert max(difference(pocket, loss, (61, 50, 3), 40)) > 1e-4


reach_sides = st.integers(0, 60)


@given(
    side=st.integers(1, 600),
    stride=st.integers(1, 16),
    before=reach_sides,
    after=st.integers(1, 60),
    more=st.integers(0, 300),
)
def test_crops_are_alike_and_their_cores_are_the_picture_with_margins_around(side, stride, before, after, more):
    axis = Axis(side, stride, (ReceptiveField(side, 1, before, after, 1),), "layer")
    size = axis.minimum + more
    spans = axis.spans(size)
    starts, ends, firsts, lasts = zip(*spans, strict=True)
    assert (starts[0], ends[-1], firsts[0], lasts[-1]) == (0, side, 0, side)
    assert all(last == first for (_, _, _, last), (_, _, first, _) in pairwise(spans))
    assert len({end - start for start, end, *_ in spans}) == 1
    assert ends[0] <= size
    for start, end, first, last in spans:
        assert first < last
        assert start % stride == first % stride == (side - end) % stride == 0
        assert start == 0 or start <= first - before
        assert end == side or end >= last + after
    assert len(spans) == 1 if side <= size else len(spans) > 1
    bounds = [axis.bounds(span)[0].tolist() for span in spans]
    assert bounds == [[start, first, last, side] for start, _, first, last in spans]


def test_a_tile_smaller_than_its_margins_is_refused_and_the_minimum_named(picture):
    network = load_network("vgg16", "random", ["block4_conv3"])
    says = "tiles.size = 64 is too small for exact tiles of vgg16 at block4_conv3, whose receptive "
    says += "field is 92 pixels: use at least 104 (recommended: 1024)"
    with pytest.raises(SettingsError, match=f"^{re.escape(says)}$"):
        exact_crops(network, 800, 64, 64)
    assert len(exact_crops(network, 800, 64, 104)) > 1
    assert len(exact_crops(network, 64, 64, 64)) == 1
    said = Settings(features={"block3_conv1": 1}, tiles=exact(16))
    with pytest.raises(SettingsError, match=r"tiles\.size = 16 is too small for exact tiles of pocket at block3_conv1"):
        next(dreaming.dream(picture, said))


def test_a_network_that_sees_all_is_refused_by_the_layer_that_does(picture):
    said = Settings(
        network="mobilenet_v3_small", weights="random", features={"expanded_conv_project": 1}, tiles="exact"
    )
    with pytest.raises(
        SettingsError, match="mobilenet_v3_small: exact tiles are not supported: the layer 'expanded_conv_sq"
    ):
        next(dreaming.dream(picture, said))


def test_a_dream_in_tiles_is_the_dream(picture, settings):
    said = changed(settings, optimizer={"name": "gradient_ascent", "iterations": 2}, jitter={"noise": 3, "shift": 4})
    whole, tiled = (list(dreaming.dream(picture, one)) for one in (said, changed(said, tiles=exact(40))))
    for one, other in zip(whole, tiled, strict=True):
        assert other.loss == pytest.approx(one.loss, rel=1e-5)
        np.testing.assert_allclose(other.x, one.x, atol=1e-2)


def differences():
    """How far apart tiles and one pass are, for several networks and losses."""
    apart = []
    for graph in (strides, dilated, padded):
        network = own(graph)
        loss = loss_of(network, PENALTIES, features={"end": 1.0}, measure="l2")
        apart.append(difference(network, loss, (61, 70, 3), 41))
    loss = loss_of(network, {"diversity": 1}, features={"end": 1.0})
    apart.append(difference(network, loss, (2, 61, 70, 3), 41))
    if keras.backend.backend() != "tensorflow":  # whose CPU has no such convolution
        first = own(keras.layers.Conv2D(4, 3, padding="same", data_format="channels_first"), (3, None, None))
        loss = loss_of(first, PENALTIES, features={"end": 1.0}, measure="neuron")
        apart.append(difference(first, loss, (61, 70, 3), 41))
    return apart


@pytest.mark.parametrize("backend", [name for name in BACKENDS if name != keras.backend.backend()])
def test_tiles_are_exact_on_every_backend(backend, on_backend):
    assert np.max(on_backend(backend, differences)) < 1e-5
