"""JAX: compiled functions, the GPU and its memory."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import keras
import numpy as np

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


def fetch(tensor: Any) -> Callable[[], np.ndarray]:
    """Start to copy a tensor to the host, as described in host.py."""
    tensor.copy_to_host_async()
    return lambda: np.asarray(tensor)


def free_on_gpu() -> int:
    """Return the bytes of GPU memory that this process can still allocate."""
    stats = jax.devices()[0].memory_stats()
    return stats["bytes_limit"] - stats["bytes_in_use"]


def has_bfloat16() -> bool:
    """Return whether the GPU multiplies matrices in bfloat16. NVIDIA's do from compute capability 8.0 on."""
    major, _, _ = getattr(jax.devices()[0], "compute_capability", "").partition(".")
    return major.isdecimal() and int(major) >= 8


def value_and_gradient(f: Callable[[Any], tuple[Any, Any]], x: Any, differentiable: bool) -> tuple[Any, Any]:
    """Call f and take its gradient, as described in training.py."""
    (_, others), gradient = jax.value_and_grad(f, has_aux=True)(x)
    return (others, gradient) if differentiable else jax.lax.stop_gradient((others, gradient))


def compile_step(loss_of: Callable[..., tuple[Any, Any]], variables: Sequence[Any], optimizer: Any) -> Callable:
    """Compile a step of training, as described in training.py."""
    trainable = [variable for variable in variables if variable.trainable]
    fixed = [variable for variable in variables if not variable.trainable]

    def loss(values: Sequence[Any], fixed_values: Sequence[Any], *inputs: Any) -> tuple:
        mapping = [*zip(trainable, values, strict=True), *zip(fixed, fixed_values, strict=True)]
        with keras.StatelessScope(state_mapping=mapping) as scope:
            value, others = loss_of(*inputs)
        after = map(scope.get_current_value, fixed)
        pairs = zip(fixed_values, after, strict=True)
        return value, (others, {i: new for i, (old, new) in enumerate(pairs) if new is not old})

    @jax.jit
    def step(values: Sequence[Any], fixed_values: Sequence[Any], state: Sequence[Any], *inputs: Any) -> tuple:
        with jax.default_matmul_precision("tensorfloat32"):
            (value, (others, assigned)), gradients = jax.value_and_grad(loss, has_aux=True)(
                values, fixed_values, *inputs
            )
        values, state = optimizer.stateless_apply(state, gradients, values)
        return value, others, values, assigned, state

    def run(*inputs: Any) -> tuple:
        before = [[variable.value for variable in group] for group in (trainable, fixed, optimizer.variables)]
        value, others, values, assigned, state = step(*before, *inputs)
        for group, new in ((trainable, values), (optimizer.variables, state)):
            for variable, tensor in zip(group, new, strict=True):
                variable.assign(tensor)
        for i, tensor in assigned.items():  # the others, mostly weights of the teacher, are not copied
            fixed[i].assign(tensor)
        return value, others

    return run
