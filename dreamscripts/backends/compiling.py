"""Compile a loss and its gradient into one pass, on Keras's backend."""

import os
from collections.abc import Callable, Sequence
from typing import Any

from dreamscripts.backends.host import backend, on_gpu
from dreamscripts.backends.lazy_keras import keras
from dreamscripts.backends.startup import ONEDNN

Pass = Callable[..., tuple]


def compile_pass(terms_of: Callable[..., Any], variables: Sequence[Any], xla: bool, tf32: bool = False) -> Pass:
    """Compile `terms_of(x, *others) -> (n,)` into a function of float32 pictures x (N, H, W, 3), of any N, H and W.

    x is an array, or a tensor of the backend. `others` are arrays. Passes with the same shapes and types are compiled
    only once. The function returns float32 tensors on the device: the n terms, and the gradient of their sum with
    respect to x (N, H, W, 3). `variables` are all variables that `terms_of` reads. `xla` has an effect only if
    `leaves_xla_open()`. `tf32` allows a GPU to round factors to TF32 (10 bits of mantissa) in this pass only. A CPU
    ignores it. Two threads can compute passes at the same time, but on a GPU with TensorFlow or PyTorch, one thread
    waits for the other.
    """
    return backend().compile_pass(terms_of, variables, xla, tf32)


def leaves_xla_open() -> bool:
    """Return whether a pass can be compiled with or without XLA. This is so only with TensorFlow on a CPU."""
    return keras.backend.backend() == "tensorflow" and not on_gpu()


def onednn() -> bool | None:
    """Return True if the environment variable switches oneDNN on for TensorFlow, and False if it switches it off.

    Returns None if the variable is not set, and with other backends.
    """
    switch = os.environ.get(ONEDNN)
    return None if switch is None or keras.backend.backend() != "tensorflow" else switch == "1"
