"""TensorFlow: compiled functions, the GPU and its memory."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from threading import RLock
from typing import Any

import numpy as np
import tensorflow as tf

WINOGRAD_FROM = 50  # smallest gain (networks/rewrite/winograd.py) with which Winograd's algorithm is never much slower
_PRECISION = RLock()  # TensorFlow has one precision for the whole process


def compile_with_gradient(
    function: Callable[..., Any], terms_of: Callable[..., Any], variables: Sequence[Any], xla: bool, tf32: bool
) -> Callable[..., Any]:
    """Compile a function that evaluates a loss, as described in compiling.py."""

    def evaluate(x: Any, *others: Any) -> tuple:
        with tf.GradientTape() as tape:
            tape.watch(x)
            terms = terms_of(x, *others)
            loss = tf.reduce_sum(terms)
        return terms, tape.gradient(loss, x)

    return _traced(partial(function, evaluate), _of_any_size, xla, tf32)


def compile_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function without gradients, as described in compiling.py."""
    return _traced(function, tf.TensorSpec.from_tensor, xla=False, tf32=False)


def _traced(
    function: Callable[..., Any], spec: Callable[[tf.Tensor], tf.TensorSpec], xla: bool, tf32: bool
) -> Callable[..., Any]:
    """Trace a function once for all tensors with the same `spec`. XLA compiles it again for each size."""
    traces: dict[str, Callable[..., Any]] = {}

    def run(*arguments: Any) -> Any:
        tensors = tf.nest.map_structure(tf.convert_to_tensor, arguments)
        specs = tf.nest.map_structure(spec, tensors)
        if (key := repr(specs)) not in traces:
            # A partial object, because TensorFlow compares functions by code and warns if one is traced repeatedly.
            traces[key] = tf.function(partial(function), input_signature=specs, jit_compile=xla, autograph=False)
        with _precision(tf32):
            return traces[key](*tensors)

    return run


def _of_any_size(tensor: tf.Tensor) -> tf.TensorSpec:
    """Describe a tensor, with an open height and width if it is a picture (…, H, W, 3).

    Octaves and tiles then share a trace. The number of pictures is fixed, because a pass would otherwise take 3 %
    longer.
    """
    shape = tensor.shape.as_list()
    if tensor.dtype == tf.float32 and len(shape) >= 3 and shape[-1] == 3:
        shape[-3:-1] = None, None
    return tf.TensorSpec(shape, tensor.dtype)


@contextmanager
def _precision(tf32: bool) -> Iterator[None]:
    """Allow or forbid TF32 on a GPU within a context. Other threads wait, because the whole process has one setting."""
    if gpu_name() is None:
        yield
        return
    config = tf.config.experimental
    with _PRECISION:
        before = config.tensor_float_32_execution_enabled()
        config.enable_tensor_float_32_execution(tf32)
        try:
            yield
        finally:
            config.enable_tensor_float_32_execution(before)


@cache
def gpu_name() -> str | None:
    """Return the name of the GPU, or None without a GPU."""
    gpus = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", gpus[0].name) if gpus else None


def fetch(tensor: tf.Tensor) -> Callable[[], np.ndarray]:
    """Return a function that copies a tensor to the host, as described in host.py. TensorFlow cannot start earlier."""
    return tensor.numpy


def free_on_gpu() -> int:
    """Return the bytes of GPU memory that this process can still allocate."""
    from tensorflow.python.client import device_lib  # the only source of TensorFlow's limit

    limit = next(device.memory_limit for device in device_lib.list_local_devices() if device.device_type == "GPU")
    return limit - tf.config.experimental.get_memory_info("GPU:0")["current"]


def has_bfloat16() -> bool:
    """Return whether the GPU multiplies matrices in bfloat16. NVIDIA's do from compute capability 8.0 on."""
    gpu, *_ = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0)) >= (8, 0)


def value_and_gradient(f: Callable[[Any], tuple[Any, Any]], x: Any, differentiable: bool) -> tuple[Any, Any]:
    """Call f and take its gradient, as described in training.py."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        value, others = f(x)
    gradient = tape.gradient(value, x)
    return (others, gradient) if differentiable else tf.nest.map_structure(tf.stop_gradient, (others, gradient))


def compile_step(loss_of: Callable[..., tuple[Any, Any]], variables: Sequence[Any], optimizer: Any) -> Callable:
    """Compile a step of training, as described in training.py."""
    trainable = [variable for variable in variables if variable.trainable]

    def step(*inputs: Any) -> tuple:
        with tf.GradientTape() as tape:
            loss, others = loss_of(*inputs)
        optimizer.apply(tape.gradient(loss, [variable.value for variable in trainable]), trainable)
        return loss, others

    compiled = tf.function(step, autograph=False)

    def run(*inputs: Any) -> tuple:
        with _precision(tf32=True):
            return compiled(*map(tf.convert_to_tensor, inputs))

    return run
