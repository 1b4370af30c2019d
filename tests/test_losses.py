import numpy as np
import pytest
from keras import ops

from dreamscripts.losses import Continuity, ImageL2, LayerL2, build_loss
from dreamscripts.settings import Settings


@pytest.fixture
def x(rng):
    return rng.normal(0, 50, (1, 9, 7, 3)).astype(np.float32)


def value(term, x, features=None):
    return float(ops.convert_to_numpy(term(ops.convert_to_tensor(x), features)))


def test_layer_l2_leaves_out_an_edge_of_two_but_divides_by_all(rng):
    f = rng.normal(0, 3, (1, 8, 6, 5))
    by_hand = sum(f[0, i, j, c] ** 2 for i in range(2, 6) for j in range(2, 4) for c in range(5)) / (8 * 6 * 5)
    assert value(LayerL2("a"), f, {"a": ops.convert_to_tensor(f.astype(np.float32))}) == pytest.approx(-by_hand)


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


def test_image_l2_is_the_mean_square(x):
    assert value(ImageL2(), x) == pytest.approx((x.astype(float) ** 2).mean(), rel=1e-5)


def test_a_loss_is_the_weighted_terms_in_the_order_of_their_names(x):
    settings = Settings(features={"a": 2.0, "b": 0.5}, penalties={"continuity": 0.25})
    loss = build_loss(settings)
    assert loss.names == ["a", "b", "continuity"]  # dream_l2 weighs nothing
    features = {name: ops.convert_to_tensor(x) for name in "ab"}
    terms = ops.convert_to_numpy(loss(ops.convert_to_tensor(x), features))
    norm = value(LayerL2("a"), x, features)
    np.testing.assert_allclose(terms, [2 * norm, 0.5 * norm, 0.25 * value(Continuity(), x)], rtol=1e-6)
