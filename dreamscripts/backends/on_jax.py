"""JAX: compiled passes, the GPU and its memory."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import keras

WINOGRAD_FROM = 150  # smallest gain (networks/rewrite/winograd.py) with which Winograd's algorithm is never much slower


def compile_pass(terms_of: Callable[..., Any], variables: Sequence[Any], xla: bool, tf32: bool) -> Callable[..., tuple]:
    """Compile a pass, as described in compiling.py. XLA always compiles it."""

    def loss(x: Any, values: Sequence[Any], *others: Any) -> tuple:
        # The weights are arguments. Otherwise they would be compiled into the program as constants.
        with keras.StatelessScope(state_mapping=zip(variables, values, strict=True)):
            terms = terms_of(x, *others)
        return terms.sum(), terms

    @jax.jit
    def terms_and_gradient(x: Any, values: Sequence[Any], *others: Any) -> tuple:
        with jax.default_matmul_precision("tensorfloat32" if tf32 else "float32"):  # in this thread, while tracing
            (_, terms), gradient = jax.value_and_grad(loss, has_aux=True)(x, values, *others)
        return terms, gradient

    # The weights are read at every pass, because they may be assigned in between.
    return lambda x, *others: terms_and_gradient(x, [variable.value for variable in variables], *others)


def gpu_name() -> str | None:
    """Return the name of the GPU, or None without a GPU."""
    first = jax.devices()[0]
    return None if first.platform == "cpu" else first.device_kind


def free_on_gpu() -> int:
    """Return the bytes of GPU memory that this process can still allocate."""
    stats = jax.devices()[0].memory_stats()
    return stats["bytes_limit"] - stats["bytes_in_use"]
