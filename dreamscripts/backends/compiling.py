"""Compile functions on Keras's backend: a loss with its gradient, alone or inside a larger function."""

import os
from collections.abc import Callable, Sequence
from typing import Any

from dreamscripts.backends.host import backend, on_gpu
from dreamscripts.backends.lazy_keras import keras
from dreamscripts.backends.startup import ONEDNN

Compiled = Callable[..., Any]
SIZES = 4  # pictures of different shapes whose compiled functions are kept: those of a dream in octaves


def compile_with_gradient(
    function: Callable[..., Any],
    terms_of: Callable[..., Any],
    variables: Sequence[Any],
    *,
    xla: bool = False,
    tf32: bool = False,
) -> Compiled:
    """Compile `function(evaluate, *arguments)` into a function of the arguments: one call on the device.

    In it, `evaluate(x, *others)` computes `terms_of(x, *others) -> (n,)` for float32 pictures x (N, H, W, 3), and the
    gradient of the sum of the terms with respect to x. Arguments are arrays, tensors of the backend, and tuples or
    dictionaries of them. Calls with the same shapes and types are compiled only once. The result consists of tensors.
    `variables` are all variables that `terms_of` reads. `xla` has an effect only if `leaves_xla_open()`. `tf32` allows
    a GPU to round factors to TF32 (10 bits of mantissa) in this function only. A CPU ignores it. Two threads can
    compute at the same time, but on a GPU with TensorFlow or PyTorch, one thread waits for the other.

    PyTorch does not compile, but traces the function (torch_graph.py). What cannot be traced runs step by step.
    """
    return backend().compile_with_gradient(function, terms_of, variables, xla, tf32)


def compile_pass(
    terms_of: Callable[..., Any], variables: Sequence[Any], xla: bool = False, tf32: bool = False
) -> Callable[..., tuple]:
    """Compile `terms_of(x, *others) -> (n,)` into a function that returns the n terms and the gradient (N, H, W, 3).

    Arguments are as in `compile_with_gradient`.
    """
    return compile_with_gradient(_evaluated, terms_of, variables, xla=xla, tf32=tf32)


def _evaluated(evaluate: Callable[..., tuple], *arguments: Any) -> tuple:
    return evaluate(*arguments)


def compile_function(function: Callable[..., Any]) -> Compiled:
    """Compile a function of tensors without gradients, always in float32. Arguments are as above."""
    return backend().compile_function(function)


def has_loops() -> bool:
    """Return whether a loop can be compiled. With PyTorch, a function is called once for each turn instead."""
    return keras.backend.backend() != "torch"


def leaves_xla_open() -> bool:
    """Return whether a pass can be compiled with or without XLA. This is so only with TensorFlow on a CPU."""
    return keras.backend.backend() == "tensorflow" and not on_gpu()


def onednn() -> bool | None:
    """Return True if the environment variable switches oneDNN on for TensorFlow, and False if it switches it off.

    Returns None if the variable is not set, and with other backends.
    """
    switch = os.environ.get(ONEDNN)
    return None if switch is None or keras.backend.backend() != "tensorflow" else switch == "1"
