"""Weights of new layers are those that are assigned, on every backend."""

import keras
import numpy as np
import pytest
from conftest import BACKENDS
from keras.src.backend.common import global_state

from dreamscripts.networks.initial_values import without_initial_values


def a_model():
    """A model with a kernel, a bias, a scale and batch statistics."""
    picture = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, name="conv", data_format="channels_last", dtype="float32")(picture)
    return keras.Model(picture, keras.layers.BatchNormalization(name="norm", dtype="float32")(x))


def weights_with_and_without_assignment():
    """The weights of a model that gets none, those of one that gets a kernel, and the output of the second."""
    with without_initial_values():
        plain = a_model()
        with without_initial_values():
            given = a_model()
        given.get_layer("conv").set_weights([np.full((3, 3, 3, 4), 2.0), np.arange(4.0)])
        seen = given.get_layer("conv").get_weights()
    output = keras.ops.convert_to_numpy(given(np.ones((1, 3, 3, 3), np.float32)))
    return plain.get_weights(), given.get_weights(), seen, output.ravel()


@pytest.mark.parametrize("backend", BACKENDS)
def test_kernels_are_zero_until_they_are_assigned_on_each_backend(backend, on_backend):
    plain, given, seen, output = on_backend(backend, weights_with_and_without_assignment)
    kernel, bias, scale, centre, mean, variance = plain
    assert not kernel.any()
    assert not any(values.any() for values in (bias, centre, mean))
    assert (scale == 1).all()
    assert (variance == 1).all()
    for weights in (given, seen):  # afterwards, and already within
        np.testing.assert_array_equal(weights[0], np.full((3, 3, 3, 4), 2))
        np.testing.assert_array_equal(weights[1], range(4))
    np.testing.assert_allclose(output, 54 + np.arange(4), rtol=1e-3)
    assert {values.dtype for values in (*plain, *given)} == {np.dtype(np.float32)}


def test_an_error_within_leaves_nothing_behind():
    with pytest.raises(ZeroDivisionError), without_initial_values():
        a_model()
        _ = 1 / 0
    assert global_state.get_global_attribute("stateless_scope") is None
    assert global_state.get_global_attribute("uninitialized_variables") == []
    assert a_model().get_layer("conv").get_weights()[0].any()  # as always
