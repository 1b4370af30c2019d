"""TensorFlow: compiled passes, the GPU and its memory."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from threading import RLock
from typing import Any

import tensorflow as tf

WINOGRAD_FROM = 50  # smallest gain (networks/rewrite/winograd.py) with which Winograd's algorithm is never much slower
_PRECISION = RLock()  # TensorFlow has one precision for the whole process


def compile_pass(terms_of: Callable[..., Any], variables: Sequence[Any], xla: bool, tf32: bool) -> Callable[..., tuple]:
    """Compile a pass, as described in compiling.py."""

    # Height and width can vary within a trace, so octaves and tiles share a trace. XLA compiles for each size. The
    # number of pictures cannot vary, because a pass would then take 3 % longer.
    @cache
    def trace(count: int, *others: tf.TensorSpec) -> Callable[..., tuple]:
        picture = tf.TensorSpec((count, None, None, 3), tf.float32)

        def terms_and_gradient(x: Any, *others: Any) -> tuple:
            with tf.GradientTape() as tape:
                tape.watch(x)
                terms = terms_of(x, *others)
                loss = tf.reduce_sum(terms)
            return terms, tape.gradient(loss, x)

        # A partial object, because TensorFlow compares functions by code and warns if a function is traced repeatedly.
        return tf.function(
            partial(terms_and_gradient), input_signature=[picture, *others], jit_compile=xla, autograph=False
        )

    def run(x: Any, *others: Any) -> tuple:
        specs = (tf.TensorSpec(other.shape, other.dtype) for other in others)
        with _precision(tf32):
            return trace(len(x), *specs)(*map(tf.convert_to_tensor, (x, *others)))

    return run


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


def free_on_gpu() -> int:
    """Return the bytes of GPU memory that this process can still allocate."""
    from tensorflow.python.client import device_lib  # the only source of TensorFlow's limit

    limit = next(device.memory_limit for device in device_lib.list_local_devices() if device.device_type == "GPU")
    return limit - tf.config.experimental.get_memory_info("GPU:0")["current"]
