import numpy as np
import pytest
from keras import ops

from dreamscripts.optimizers import vectors


def tensor(x):
    return ops.convert_to_tensor(np.asarray(x), "float32")


@pytest.mark.parametrize("masked", [False, True])
def test_products_and_sums_are_numpys(masked, rng, monkeypatch):
    monkeypatch.setattr(vectors, "CACHED", 7)  # a part that does not divide the vectors
    rows, factors = rng.normal(size=(5, 60)), rng.normal(size=5)
    factors[2] = 0
    free = rng.integers(0, 2, 60).astype(float) if masked else np.ones(60)
    mask = tensor(free) if masked else None
    product = vectors.products([tensor(row) for row in rows], mask)
    np.testing.assert_allclose(product, rows * free @ rows.T, atol=1e-5)
    total = vectors.combine(factors, [tensor(row) for row in rows], mask)
    assert ops.is_tensor(total)
    np.testing.assert_allclose(ops.convert_to_numpy(total), factors @ rows * free, atol=1e-5)


@pytest.mark.parametrize("on_gpu", [False, True])
def test_inner_products_of_large_pictures_keep_their_digits(on_gpu, rng, monkeypatch):
    monkeypatch.setattr(vectors.host, "on_gpu", lambda: on_gpu)
    a, b = (rng.normal(0.1, 1, (1500, 1000, 3)).astype(np.float32) for _ in range(2))
    exact, size = np.vdot(a.astype(float), b.astype(float)), np.linalg.norm(a) * np.linalg.norm(b)
    found = vectors.dot(tensor(a), tensor(b))
    assert on_gpu or isinstance(found, float)  # and no NumPy scalar, which would draw tensors to the host
    assert abs(float(found) - exact) <= 1e-7 * size
    assert on_gpu or abs(vectors.products([tensor(a), tensor(b)])[0, 1] - exact) <= 1e-7 * size
