from itertools import pairwise

import hypothesis
import keras
import numpy as np
import pytest
from conftest import changed
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from dreamscripts.backends import compiling
from dreamscripts.errors import PictureError, SettingsError
from dreamscripts.images.files import save_picture
from dreamscripts.losses.build import build_loss
from dreamscripts.losses.diversity import Diversity
from dreamscripts.losses.layers import (
    LayerDirections,
    LayerEnergy,
    LayerGuide,
    LayerL2,
    LayerMean,
    LayerMeanSquare,
    LayerNeuron,
)
from dreamscripts.losses.priors import Continuity, ImageL2, TotalVariation
from dreamscripts.losses.regions import WHOLE, tile_regions
from dreamscripts.losses.term import as_loss
from dreamscripts.networks.loading import load_network
from dreamscripts.settings.schema import Settings

LAYERS = ("block1_conv2", "block2_conv1")


@pytest.fixture
def x(rng):
    return rng.normal(0, 50, (1, 9, 7, 3)).astype(np.float32)


@pytest.fixture
def f(rng):
    """Features of a layer: (1, 8, 6, 5)."""
    return rng.normal(0, 3, (1, 8, 6, 5)).astype(np.float32)


@pytest.fixture(scope="module")
def network():
    return load_network("pocket", layers=LAYERS)


def value(term, x, features=None):
    return float(ops.convert_to_numpy(term(ops.convert_to_tensor(x), features, WHOLE)))


def of_layer(term, f):
    return value(term, np.zeros((1, 4, 4, 3), np.float32), {"a": ops.convert_to_tensor(f)})


def gradient_at_layer(term, f):
    """The gradient of a layer's term by that layer's features."""

    def terms(x):
        return ops.reshape(term(None, {"a": ops.reshape(x, f.shape)}, WHOLE), (1,))

    flat = np.zeros((1, 1, f.size // 3, 3), np.float32)
    flat[:] = f.reshape(flat.shape)
    _, gradient = compiling.compile_pass(terms, [], xla=False)(flat)
    return ops.convert_to_numpy(gradient).reshape(f.shape)


def everywhere(f, rows=slice(None), columns=slice(None)):
    """Each feature (h, w, c) at its place, as plain floats."""
    return [float(v) for v in f[0, rows, columns].ravel()]


INSIDE = slice(2, -2)
BY_HAND = {
    LayerL2: lambda f: sum(v**2 for v in everywhere(f, INSIDE, INSIDE)) / f.size,
    LayerMean: lambda f: sum(everywhere(f)) / f.size,
    LayerMeanSquare: lambda f: sum(v**2 for v in everywhere(f)) / f.size,
    LayerEnergy: lambda f: sum(v**2 for v in everywhere(f)) / 2,
    LayerNeuron: lambda f: sum(everywhere(f, slice(4, 5), slice(3, 4))) / f.shape[-1],
}


@pytest.mark.parametrize("measure", BY_HAND)
def test_a_measure_is_its_formula_over_all_channels_or_those_named(measure, f):
    assert of_layer(measure("a"), f) == pytest.approx(-BY_HAND[measure](f), rel=1e-5)
    assert of_layer(measure("a", {3: 1.0}), f) == pytest.approx(-BY_HAND[measure](f[..., 3:4]), rel=1e-5)
    assert of_layer(measure("a", {4: 1.0, 0: 1.0}), f) == pytest.approx(-BY_HAND[measure](f[..., [4, 0]]), rel=1e-5)


@pytest.mark.parametrize("measure", BY_HAND)
def test_a_channel_counts_by_its_weight_also_by_less_than_nothing(measure, f):
    weighted = np.stack([0.5 * f[..., 4], -3 * f[..., 1]], axis=-1)
    assert of_layer(measure("a", {4: 0.5, 1: -3.0}), f) == pytest.approx(-BY_HAND[measure](weighted), rel=1e-5)
    assert measure("a", {4: 0.5, 1: -3.0}).name == "a[4,1]"


@pytest.mark.parametrize(("size", "middle"), [((1, 1), (0, 0)), ((2, 3), (1, 1)), ((7, 4), (3, 2))])
def test_a_neuron_is_the_place_in_the_middle(size, middle, rng):
    f = rng.normal(0, 3, (1, *size, 6)).astype(np.float32)
    assert of_layer(LayerNeuron("a"), f) == pytest.approx(-f[0, *middle].mean(), rel=1e-5)
    assert of_layer(LayerNeuron("a", {2: 1.0}), f) == pytest.approx(-f[0, *middle, 2], rel=1e-5)
    expected = np.zeros_like(f)
    expected[0, *middle] = -1 / 6
    np.testing.assert_allclose(gradient_at_layer(LayerNeuron("a"), f), expected, rtol=1e-6)


def test_layer_l2_leaves_out_an_edge_of_two_but_divides_by_all(f):
    by_hand = sum(float(f[0, i, j, c]) ** 2 for i in range(2, 6) for j in range(2, 4) for c in range(5)) / (8 * 6 * 5)
    assert of_layer(LayerL2("a"), f) == pytest.approx(-by_hand)


def test_the_gradient_of_energy_at_the_layer_is_the_layer_itself(f):
    np.testing.assert_allclose(gradient_at_layer(LayerEnergy("a"), f), -f, rtol=1e-6)


def test_guided_each_position_goes_towards_the_guide_feature_most_like_it(f, rng):
    guide = rng.normal(0, 3, (11, 5)).astype(np.float32)
    nearest = np.array([[guide[np.argmax([g @ f[0, i, j] for g in guide])] for j in range(6)] for i in range(8)])
    assert len(np.unique(nearest.reshape(-1, 5), axis=0)) > 3
    term = LayerGuide("a", None, guide)
    assert of_layer(term, f) == pytest.approx(-(nearest * f[0]).sum(), rel=1e-5)
    np.testing.assert_allclose(gradient_at_layer(term, f)[0], -nearest, rtol=1e-6)


def test_guided_by_some_channels_only_those_are_compared_each_times_its_weight(f, rng):
    guide = rng.normal(0, 3, (11, 2)).astype(np.float32)
    mine = np.stack([2 * f[0, ..., 3], -1 * f[0, ..., 0]], axis=-1)
    by_hand = sum(max(float(g @ mine[i, j]) for g in guide) for i in range(8) for j in range(6))
    assert of_layer(LayerGuide("a", {3: 2.0, 0: -1.0}, guide), f) == pytest.approx(-by_hand, rel=1e-5)


def test_each_picture_of_a_batch_goes_its_own_direction(rng):
    f = rng.normal(0, 3, (3, 4, 2, 5)).astype(np.float32)
    directions = rng.normal(0, 1, (3, 5)).astype(np.float32)
    term = LayerDirections("a", keras.Variable(directions))
    by_hand = sum((f[n, i, j] * directions[n]).sum() / 8 for n in range(3) for i in range(4) for j in range(2))
    assert of_layer(term, f) == pytest.approx(-by_hand, rel=1e-5)
    expected = np.broadcast_to(-directions[:, None, None, :] / 8, f.shape)
    np.testing.assert_allclose(gradient_at_layer(term, f), expected, rtol=1e-5)
    assert (LayerMean("a") + 2 * term).variables == [term.directions]
    one_channel = np.eye(5, dtype=np.float32)[[3]]
    term = LayerDirections("a", keras.Variable(one_channel))
    assert of_layer(term, f[:1]) == pytest.approx(of_layer(LayerMean("a", {3: 1.0}), f[:1]), rel=1e-5)


LAYER_TERMS = {
    **{measure.__name__: measure("a") for measure in BY_HAND},
    "two channels": LayerMeanSquare("a", {4: 0.5, 1: -3.0}),
    "guide": LayerGuide("a", None, np.random.default_rng(1).normal(0, 3, (11, 5)).astype(np.float32)),
}


@pytest.mark.parametrize("name", LAYER_TERMS)
def test_the_term_of_a_batch_is_the_sum_over_its_pictures(name, rng):
    f = rng.normal(0, 3, (3, 8, 6, 5)).astype(np.float32)
    term = LAYER_TERMS[name]
    assert of_layer(term, f) == pytest.approx(sum(of_layer(term, one[None]) for one in f), rel=1e-5)


@pytest.mark.parametrize("term", [Continuity(), ImageL2(), TotalVariation()])
def test_a_penalty_of_a_batch_is_the_sum_over_its_pictures(term, rng):
    x = rng.normal(0, 50, (3, 9, 7, 3)).astype(np.float32)
    assert value(term, x) == pytest.approx(sum(value(term, one[None]) for one in x), rel=1e-5)


def likeness(f):
    """How alike the pictures of a batch are, each to the others, by the cosine of their Gram matrices."""
    count, _, _, depth = f.shape
    grams = np.zeros((count, depth, depth))
    for n, one in enumerate(f.astype(float)):
        for place in one.reshape(-1, depth):
            grams[n] += np.outer(place, place)
    alike = 0
    for a in range(count):
        others = [b for b in range(count) if b != a]
        alike += sum(
            (grams[a] * grams[b]).sum() / np.sqrt((grams[a] ** 2).sum() * (grams[b] ** 2).sum()) for b in others
        ) / len(others)
    return alike


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("name", ["LayerMean", "LayerL2", "two channels"])
def test_diversity_is_how_alike_pictures_are_to_the_whole_layer_times_their_average_gain(name, count, rng):
    f = rng.normal(1, 3, (count, 8, 6, 5)).astype(np.float32)
    term = LAYER_TERMS[name]
    gained = abs(of_layer(term, f)) / count
    assert 0 < likeness(f) < count
    assert of_layer(Diversity(term), f) == pytest.approx(gained * likeness(f), rel=1e-4)


def test_one_picture_is_like_no_other_and_twins_lose_all_they_gained(f):
    term = LayerMeanSquare("a")
    assert of_layer(Diversity(term), f) == 0
    twins = np.concatenate([f, f])
    assert of_layer(Diversity(term), twins) == pytest.approx(-of_layer(term, twins), rel=1e-5)
    assert of_layer(Diversity(term), np.zeros_like(twins)) == 0
    np.testing.assert_array_equal(gradient_at_layer(Diversity(term), np.zeros((2, 3, 3, 5), np.float32)), 0)


def test_diversity_drives_pictures_that_are_alike_apart(f, rng):
    """Its slope is that of their likeness alone: what they have gained is a constant to it."""
    nearly = np.concatenate([f, f + rng.normal(0, 1, f.shape)]).astype(np.float32)
    term = LayerMeanSquare("a")
    gained = -of_layer(term, nearly) / 2
    gradient = gradient_at_layer(Diversity(term), nearly).astype(float)
    assert likeness(nearly - 0.1 * gradient / np.abs(gradient).max()) < likeness(nearly)
    for _ in range(3):
        direction = gradient * rng.uniform(0, 2, gradient.shape) / np.abs(gradient).max()
        ahead, behind = (likeness(nearly.astype(float) + s * direction) for s in (1e-4, -1e-4))
        assert gained * (ahead - behind) / 2e-4 == pytest.approx((gradient * direction).sum(), rel=1e-3)


def test_continuity_is_its_formula_pixel_by_pixel(x):
    p = x[0].astype(float)
    by_hand = sum(
        ((p[i + 1, j, c] - p[i, j, c]) ** 2 + (p[i, j + 1, c] - p[i, j, c]) ** 2) ** 1.25
        for i in range(8)
        for j in range(6)
        for c in range(3)
    ) / (9 * 7 * 3)
    assert value(Continuity(), x) == pytest.approx(by_hand, rel=1e-5)
    assert value(Continuity(), np.full((1, 9, 7, 3), 4, np.float32)) == 0


def test_total_variation_is_its_formula_pixel_by_pixel(x):
    p = x[0].astype(float)
    down = sum(abs(p[i + 1, j, c] - p[i, j, c]) for i in range(8) for j in range(7) for c in range(3))
    right = sum(abs(p[i, j + 1, c] - p[i, j, c]) for i in range(9) for j in range(6) for c in range(3))
    assert value(TotalVariation(), x) == pytest.approx((down + right) / (9 * 7 * 3), rel=1e-5)
    assert value(TotalVariation(), np.full((1, 9, 7, 3), 4, np.float32)) == 0


def test_image_l2_is_the_mean_square(x):
    assert value(ImageL2(), x) == pytest.approx((x.astype(float) ** 2).mean(), rel=1e-5)


def test_a_loss_is_the_weighted_terms_in_the_order_of_their_names(network, rng):
    settings = Settings(
        measure="mean",
        features={
            "block2_conv1": 2.0,
            "block1_conv2": {"weight": 0.5, "measure": "energy", "channels": [7, 2]},
        },
        penalties={"continuity": 0.25, "total_variation": 3},
    )
    loss = build_loss(settings, network)
    assert loss.names == ["block2_conv1", "block1_conv2[7,2]", "continuity", "total_variation"]  # dream_l2 weighs 0
    x = ops.convert_to_tensor(rng.normal(0, 50, (1, 16, 20, 3)).astype(np.float32))
    features = network.features(x)
    expected = [
        2 * value(LayerMean("block2_conv1"), x, features),
        0.5 * value(LayerEnergy("block1_conv2", {7: 1.0, 2: 1.0}), x, features),
        0.25 * value(Continuity(), x),
        3 * value(TotalVariation(), x),
    ]
    np.testing.assert_allclose(ops.convert_to_numpy(loss(x, features)), expected, rtol=1e-6)


def test_diversity_goes_along_with_every_layer_at_its_weight(network, rng):
    settings = Settings(
        measure="mean",
        features={"block2_conv1": 2.0, "block1_conv2": {"weight": 0.5, "channels": {7: 1, 2: -1}}},
        penalties={"diversity": 0.25},
    )
    loss = build_loss(settings, network)
    expected = ["block2_conv1", "diversity of block2_conv1", "block1_conv2[7,2]", "diversity of block1_conv2"]
    assert loss.names == expected
    x = rng.normal(0, 50, (2, 16, 20, 3)).astype(np.float32)
    features = network.features(ops.convert_to_tensor(x))
    first, alike, *_ = ops.convert_to_numpy(loss(x, features))
    assert alike == pytest.approx(
        0.25 * abs(first) / 2 * likeness(ops.convert_to_numpy(features["block2_conv1"])), rel=1e-3
    )
    assert build_loss(changed(settings, penalties={"diversity": 0}), network).names == expected[::2]


def test_a_channel_that_a_layer_has_not_is_refused(network):
    settings = Settings(features={"block2_conv1": {"weight": 1, "channels": [31]}})  # the last one
    build_loss(settings, network)
    with pytest.raises(SettingsError, match="pocket: block2_conv1 has channels 0 to 31; channel 32 does not exist"):
        build_loss(changed(settings, features={"block2_conv1": {"weight": 1, "channels": [0, 32]}}), network)


@pytest.fixture
def guided(picture, tmp_path):
    save_picture(picture, tmp_path / "guide.png")
    return Settings(
        measure="guide",
        features={"block1_conv2": 1, "block2_conv1": {"weight": 1, "channels": [5, 3]}},
        guide={"picture": str(tmp_path / "guide.png"), "size": 64},
    )


def test_a_guide_is_the_features_of_its_picture_at_every_position(guided, network, picture):
    (_, whole), (_, chosen) = build_loss(guided, network).terms
    x = network.preprocessing.normalise(np.rint(picture))[None].astype(np.float32)
    features = {layer: ops.convert_to_numpy(f) for layer, f in network.features(ops.convert_to_tensor(x)).items()}
    np.testing.assert_allclose(whole.guide, features["block1_conv2"][0].reshape(48 * 64, 16), rtol=1e-5, atol=1e-3)
    expected = features["block2_conv1"][0].reshape(24 * 32, 32)[:, [5, 3]]
    assert chosen.channels == {5: 1, 3: 1}
    np.testing.assert_allclose(chosen.guide, expected, rtol=1e-5, atol=1e-3)


def test_a_guides_channels_too_count_by_their_weights(guided, network):
    features = {"block1_conv2": 1, "block2_conv1": {"weight": 1, "channels": {5: 0.5, 3: -2}}}
    (_, plain), (_, weighted) = (build_loss(s, network).terms[1] for s in (guided, changed(guided, features=features)))
    np.testing.assert_allclose(weighted.guide, plain.guide * [0.5, -2], rtol=1e-5)
    assert weighted.channels == {5: 0.5, 3: -2}


def test_a_guide_is_looked_at_in_its_own_size(guided, network):
    (_, term), _ = build_loss(changed(guided, guide={"size": 32}), network).terms
    assert term.guide.shape == (24 * 32, 16)


def test_a_guide_that_cannot_be_seen_is_refused(guided, network, tmp_path):
    (tmp_path / "text.png").write_text("a bird")
    for change, says in [
        ({"picture": str(tmp_path / "none.png")}, "none.png: there is no such picture"),
        ({"picture": str(tmp_path / "text.png")}, "text.png: is not a picture"),
        ({"size": 8}, "too small for pocket"),
    ]:
        with pytest.raises(PictureError, match=says):
            build_loss(changed(guided, guide=change), network)


@st.composite
def pieces(draw, side):
    """Some intervals of a side, each with its core: together the cores are the side, and each has a margin."""
    borders = sorted(draw(st.sets(st.integers(1, side - 1), max_size=3)))
    margin = draw(st.integers(1, 3))
    return [
        (max(first - margin, 0), min(last + margin, side), first, last) for first, last in pairwise([0, *borders, side])
    ]


ADDED_UP = {
    **LAYER_TERMS,
    "directions": LayerDirections("a", np.random.default_rng(2).normal(0, 1, (2, 5)).astype(np.float32)),
    **{term.name: term for term in (Continuity(), ImageL2(), TotalVariation())},
    "diversity": Diversity(LayerL2("a")),
}


@pytest.mark.parametrize("name", ADDED_UP)
@hypothesis.settings(max_examples=8, deadline=None)
@given(data=st.data(), height=st.integers(5, 9), width=st.integers(5, 9))
def test_the_terms_of_the_tiles_of_a_picture_add_up_to_its_own(name, data, height, width):
    rng = np.random.default_rng(0)
    f, x = rng.normal(1, 3, (2, height, width, 5)), rng.normal(0, 50, (2, height, width, 3))
    loss, tiles = as_loss(ADDED_UP[name]), []
    for top, bottom, *rows in data.draw(pieces(height)):
        for left, right, *columns in data.draw(pieces(width)):
            bounds = np.array([[[top, *rows, height], [left, *columns, width]]] * 2, np.int32)
            crop, of_layer = (ops.convert_to_tensor(t[:, top:bottom, left:right], "float32") for t in (x, f))
            tiles.append((crop, {"a": of_layer}, tile_regions(["a"], ops.convert_to_tensor(bounds))))
    totals = [sum(term.sums(*tile) for tile in tiles) for term in loss.with_sums]
    total = sum(float(loss(*tile, totals)[0]) for tile in tiles)
    whole = loss(ops.convert_to_tensor(x, "float32"), {"a": ops.convert_to_tensor(f, "float32")})
    assert total == pytest.approx(float(whole[0]), rel=1e-4, abs=1e-4)
