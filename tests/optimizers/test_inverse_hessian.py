import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from keras import ops

from dreamscripts.optimizers import inverse_hessian
from dreamscripts.optimizers.inverse_hessian import Pair, direction

SHAPE = (4, 5, 3)
seeds = st.integers(0, 2**32 - 1)
on_gpu_or_not = pytest.mark.parametrize("on_gpu", [False, True], ids=["cpu", "gpu"])


def tensor(x):
    return ops.convert_to_tensor(np.asarray(x).reshape(SHAPE), "float32")


def found(on_gpu, g, pairs, free=None):
    """The direction as on a CPU, or as on a GPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inverse_hessian.host, "on_gpu", lambda: on_gpu)
        d = direction(tensor(g), [Pair(*map(tensor, pair)) for pair in pairs], None if free is None else tensor(free))
    assert ops.is_tensor(d)
    return ops.convert_to_numpy(d).ravel()


@on_gpu_or_not
@given(seed=seeds, number=st.integers(1, 6), bound=st.sampled_from([0.0, 0.3, 0.9]))
@examples(deadline=None)
def test_the_direction_is_that_of_the_dense_inverse_hessian_over_the_free_values(on_gpu, seed, number, bound):
    """BFGS's own update of the inverse: H' = Vᵀ H V + ρ s sᵀ with V = I − ρ y sᵀ (N&W, 6.17), from γ I."""
    rng, n = np.random.default_rng(seed), int(np.prod(SHAPE))
    root = rng.normal(size=(n, n)) / np.sqrt(n)
    hessian, s = root @ root.T + 0.3 * np.eye(n), rng.normal(size=(number, n))
    y, g, free = s @ hessian, rng.normal(size=n), (rng.random(n) >= bound).astype(float)
    curved = [(one * free, change * free) for one, change in zip(s, y, strict=True) if one * free @ change > 1e-3]
    d = found(on_gpu, g, zip(s, y, strict=True), free if bound else None)
    if len(curved) < number:  # too close to flat to be told apart, or dropped
        return
    h = np.eye(n) * (curved[-1][0] @ curved[-1][1] / (curved[-1][1] @ curved[-1][1]))
    for one, change in curved:
        rho = 1 / (one @ change)
        v = np.eye(n) - rho * np.outer(change, one)
        h = v.T @ h @ v + rho * np.outer(one, one)
    expected = -free * (h @ (free * g))
    assert np.linalg.norm(d - expected) <= 1e-3 * np.linalg.norm(expected)


@on_gpu_or_not
def test_a_pair_counts_where_the_loss_curves_upwards_over_the_free_values(on_gpu, rng):
    s, g = rng.normal(size=60), rng.normal(size=60)
    for factor, curved in ((1, True), (1e6, True), (0, False), (-1, False)):
        assert any(found(on_gpu, g, [(s, factor * s)])) is curved
    half = np.arange(60) < 30
    pair = s, np.where(half, s, -s)
    assert any(found(on_gpu, g, [pair], half))
    assert not any(found(on_gpu, g, [pair], ~half))


@on_gpu_or_not
def test_a_pair_that_is_skipped_changes_nothing(on_gpu, rng):
    pairs = [(s, s * rng.uniform(0.5, 2)) for s in rng.normal(size=(3, 60))]
    g, downwards = rng.normal(size=60), rng.normal(size=60)
    expected = found(on_gpu, g, pairs)
    for place in range(4):
        with_another = [*pairs[:place], (downwards, -downwards), *pairs[place:]]
        np.testing.assert_allclose(found(on_gpu, g, with_another), expected, rtol=1e-4, atol=1e-6)
