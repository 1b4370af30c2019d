"""Build layers without drawing random weights that are replaced at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import keras
import numpy as np
from keras.initializers import Ones, Zeros
from keras.src.backend.common import global_state
from keras.src.backend.common.variables import initialize_all_variables
from keras.src.initializers.random_initializers import RandomInitializer

_NEW = "uninitialized_variables"  # those that were made in a StatelessScope, in this thread


@contextmanager
def without_initial_values() -> Iterator[None]:
    """Give new weights the values that are assigned within the context. Kernels that are not assigned are zero.

    Keras would compute initial values first. With JAX, this compiles a program for each shape of kernels and biases,
    which takes seconds. Only weights that are made within the context may be assigned in it. Contexts can be
    nested; the outermost one sets the values.
    """
    if global_state.get_global_attribute("stateless_scope") is not None:
        yield
        return
    try:
        with keras.StatelessScope(initialize_variables=False) as scope:
            yield
        for variable in global_state.get_global_attribute(_NEW, []):
            value = scope.get_current_value(variable)
            if value is not None:
                variable._initializer = lambda shape, dtype, value=value: value
            elif isinstance(variable._initializer, (RandomInitializer, Zeros)):
                variable._initializer = partial(_full, value=0)
            elif isinstance(variable._initializer, Ones):
                variable._initializer = partial(_full, value=1)
        initialize_all_variables()
    finally:
        global_state.set_global_attribute(_NEW, [])


def _full(shape: tuple[int, ...], dtype: Any, value: float) -> np.ndarray:
    return np.full(shape, value, np.float32)  # Keras converts it to the type of the variable
