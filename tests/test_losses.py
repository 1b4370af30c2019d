import numpy as np
import pytest
from conftest import changed
from keras import ops

from dreamscripts import backends
from dreamscripts.errors import PictureError, SettingsError
from dreamscripts.images import save_picture
from dreamscripts.losses import (
    Continuity,
    ImageL2,
    LayerEnergy,
    LayerGuide,
    LayerL2,
    LayerMean,
    LayerMeanSquare,
    TotalVariation,
    build_loss,
)
from dreamscripts.networks import load_network
from dreamscripts.settings import Settings

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
    return float(ops.convert_to_numpy(term(ops.convert_to_tensor(x), features)))


def of_layer(term, f):
    return value(term, np.zeros((1, 4, 4, 3), np.float32), {"a": ops.convert_to_tensor(f)})


def gradient_at_layer(term, f):
    """The gradient of a layer's term by that layer's features."""

    def terms(x):
        return ops.reshape(term(None, {"a": ops.reshape(x, f.shape)}), (1,))

    flat = np.zeros((1, 1, f.size // 3, 3), np.float32)
    flat[:] = f.reshape(flat.shape)
    return backends.compile_pass(terms, [], xla=False)(flat)[1:].reshape(f.shape)


def everywhere(f, rows=slice(None), columns=slice(None)):
    """Each feature (h, w, c) at its place, as plain floats."""
    return [float(v) for v in f[0, rows, columns].ravel()]


INSIDE = slice(2, -2)
BY_HAND = {
    LayerL2: lambda f: sum(v**2 for v in everywhere(f, INSIDE, INSIDE)) / f.size,
    LayerMean: lambda f: sum(everywhere(f)) / f.size,
    LayerMeanSquare: lambda f: sum(v**2 for v in everywhere(f)) / f.size,
    LayerEnergy: lambda f: sum(v**2 for v in everywhere(f)) / 2,
}


@pytest.mark.parametrize("measure", BY_HAND)
def test_a_measure_is_its_formula_over_all_channels_or_those_named(measure, f):
    assert of_layer(measure("a"), f) == pytest.approx(-BY_HAND[measure](f), rel=1e-5)
    assert of_layer(measure("a", (3,)), f) == pytest.approx(-BY_HAND[measure](f[..., 3:4]), rel=1e-5)
    assert of_layer(measure("a", (4, 0)), f) == pytest.approx(-BY_HAND[measure](f[..., [4, 0]]), rel=1e-5)


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
        0.5 * value(LayerEnergy("block1_conv2", (7, 2)), x, features),
        0.25 * value(Continuity(), x),
        3 * value(TotalVariation(), x),
    ]
    np.testing.assert_allclose(ops.convert_to_numpy(loss(x, features)), expected, rtol=1e-6)


def test_a_channel_that_a_layer_has_not_is_refused(network):
    settings = Settings(features={"block2_conv1": {"weight": 1, "channels": [31]}})  # the last one
    build_loss(settings, network)
    with pytest.raises(SettingsError, match="pocket: block2_conv1 has channels 0 to 31, and no 32"):
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
    x = network.preprocessing.enter(np.rint(picture))[None].astype(np.float32)
    features = {layer: ops.convert_to_numpy(f) for layer, f in network.features(ops.convert_to_tensor(x)).items()}
    np.testing.assert_allclose(whole.guide, features["block1_conv2"][0].reshape(48 * 64, 16), rtol=1e-5, atol=1e-3)
    expected = features["block2_conv1"][0].reshape(24 * 32, 32)[:, [5, 3]]
    np.testing.assert_allclose(chosen.guide, expected, rtol=1e-5, atol=1e-3)


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
