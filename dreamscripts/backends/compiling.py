"""A loss and its gradient as one compiled pass, on whatever backend Keras has."""

import os
from collections.abc import Callable, Sequence
from typing import Any

from dreamscripts.backends.host import backend, on_gpu
from dreamscripts.backends.lazy_keras import keras
from dreamscripts.backends.startup import ONEDNN

Pass = Callable[..., tuple]


def compile_pass(terms_of: Callable[..., Any], variables: Sequence[Any], xla: bool, tf32: bool = False) -> Pass:
    """Compile `terms_of(x, *others) -> (n,)` into a function of float32 pictures x (N, H, W, 3), of any N, H and W.

    x is an array, or a tensor of the backend. `others` are arrays; another pass with the same shapes and types is not
    compiled again. The function returns float32 tensors on the device: the n terms, and the gradient of their sum
    with respect to x (N, H, W, 3). `variables` are all variables that `terms_of` reads. `xla` matters only if
    `leaves_xla_open`. `tf32` allows a GPU to round factors to TF32 (10 bits of mantissa) in this pass and no other;
    a CPU ignores it. Two threads can compute passes at once; on a GPU with TensorFlow or PyTorch, one waits.
    """
    return backend().compile_pass(terms_of, variables, xla, tf32)


def leaves_xla_open() -> bool:
    """Whether a pass may be compiled with or without XLA: only with TensorFlow on a CPU."""
    return keras.backend.backend() == "tensorflow" and not on_gpu()


def onednn() -> bool | None:
    """Whether TensorFlow was told to use oneDNN; None if it decides itself, and with other backends."""
    told = os.environ.get(ONEDNN)
    return None if told is None or keras.backend.backend() != "tensorflow" else told == "1"
