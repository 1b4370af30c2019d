"""JAX: compiled functions, the GPU and its memory."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import keras

WINOGRAD_FROM = 150  # smallest gain (networks/rewrite/winograd.py) with which Winograd's algorithm is never much slower


def compile_with_gradient(
    function: Callable[..., Any], terms_of: Callable[..., Any], variables: Sequence[Any], xla: bool, tf32: bool
) -> Callable[..., Any]:
    """Compile a function that evaluates a loss, as described in compiling.py. XLA always compiles it."""

    def loss(x: Any, *others: Any) -> tuple:
        terms = terms_of(x, *others)
        return terms.sum(), terms

    def evaluate(x: Any, *others: Any) -> tuple:
        (_, terms), gradient = jax.value_and_grad(loss, has_aux=True)(x, *others)
        return terms, gradient

    @jax.jit
    def compiled(values: Sequence[Any], *arguments: Any) -> Any:
        # The weights are arguments. Otherwise they would be compiled into the program as constants.
        scope = keras.StatelessScope(state_mapping=zip(variables, values, strict=True))
        with scope, jax.default_matmul_precision("tensorfloat32" if tf32 else "float32"):  # in this thread, to trace
            return function(evaluate, *arguments)

    # The weights are read at every call, because they may be assigned in between.
    return lambda *arguments: compiled([variable.value for variable in variables], *arguments)


def compile_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function without gradients, as described in compiling.py."""

    @jax.jit
    def compiled(*arguments: Any) -> Any:
        with jax.default_matmul_precision("float32"):
            return function(*arguments)

    return compiled


def gpu_name() -> str | None:
    """Return the name of the GPU, or None without a GPU."""
    first = jax.devices()[0]
    return None if first.platform == "cpu" else first.device_kind


def free_on_gpu() -> int:
    """Return the bytes of GPU memory that this process can still allocate."""
    stats = jax.devices()[0].memory_stats()
    return stats["bytes_limit"] - stats["bytes_in_use"]


def has_bfloat16() -> bool:
    """Return whether the GPU multiplies matrices in bfloat16. NVIDIA's do from compute capability 8.0 on."""
    major, _, _ = getattr(jax.devices()[0], "compute_capability", "").partition(".")
    return major.isdecimal() and int(major) >= 8
