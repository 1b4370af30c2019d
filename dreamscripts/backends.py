"""The one place that knows TensorFlow, JAX and PyTorch apart: a loss and its gradient as one compiled pass."""

import importlib
import os
import platform
from collections.abc import Callable, Sequence
from functools import cache, partial

import keras
import numpy as np

from dreamscripts.cache import processor
from dreamscripts.waking import ONEDNN

Pass = Callable[..., tuple]


def compile_pass(terms_of: Callable, variables: Sequence, xla: bool) -> Pass:
    """Compile `terms_of(x, *others) -> (n,)` into a function of float32 pictures x (N, H, W, 3), of any N, H and W.

    x is an array, or a tensor of the backend; `others`, where `terms_of` takes any, are arrays, and those of the same
    shapes and types need no compiling. The answer stays on the device, as float32 tensors: the n terms, and the
    gradient of their sum with respect to x (N, H, W, 3). `variables` are all that `terms_of` reads; `xla` is a choice
    that not every backend leaves open (`leaves_xla_open`).
    """
    return {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[keras.backend.backend()](terms_of, variables, xla)


def _tensorflow(terms_of, variables, xla) -> Pass:
    import tensorflow as tf

    # Height and width are open, so that octaves and tiles share one trace; XLA compiles for each size by itself. Each
    # number of pictures has a trace of its own: where it is open, too, a pass takes 3 % longer.
    @cache
    def trace(count: int, *others: tf.TensorSpec):
        picture = tf.TensorSpec((count, None, None, 3), tf.float32)

        def terms_and_gradient(x, *others):
            with tf.GradientTape() as tape:
                tape.watch(x)
                terms = terms_of(x, *others)
                loss = tf.reduce_sum(terms)
            return terms, tape.gradient(loss, x)

        # A partial, as TensorFlow tells functions apart by their code, and warns where one is traced again and again.
        return tf.function(partial(terms_and_gradient), input_signature=[picture, *others], jit_compile=xla)

    def run(x, *others):
        specs = (tf.TensorSpec(other.shape, other.dtype) for other in others)
        return trace(len(x), *specs)(*map(tf.convert_to_tensor, (x, *others)))

    return run


def _jax(terms_of, variables, xla) -> Pass:
    import jax

    def loss(x, values, *others):
        # The weights come in as arguments: closed over, they would be compiled into the program as constants.
        with keras.StatelessScope(state_mapping=zip(variables, values, strict=True)):
            terms = terms_of(x, *others)
        return terms.sum(), terms

    @jax.jit
    def terms_and_gradient(x, values, *others):
        (_, terms), gradient = jax.value_and_grad(loss, has_aux=True)(x, values, *others)
        return terms, gradient

    # Read at every pass, as they may be assigned in between.
    return lambda x, *others: terms_and_gradient(x, [variable.value for variable in variables], *others)


def _torch(terms_of, variables, xla) -> Pass:
    import torch

    def terms_and_gradient(x, *others):
        x = keras.ops.convert_to_tensor(x).detach().requires_grad_()  # Keras knows on which device
        terms = terms_of(x, *map(keras.ops.convert_to_tensor, others))
        (gradient,) = torch.autograd.grad(terms.sum(), x)
        return terms.detach(), gradient

    return terms_and_gradient


def leaves_xla_open() -> bool:
    """Whether a pass may be compiled with XLA or without: TensorFlow's on a CPU."""
    return keras.backend.backend() == "tensorflow" and not on_gpu()


def onednn() -> bool | None:
    """Whether TensorFlow was told to use oneDNN; None where it decides by itself, and for other backends."""
    told = os.environ.get(ONEDNN)
    return None if told is None or keras.backend.backend() != "tensorflow" else told == "1"


def allow_tf32(allowed: bool) -> None:
    """Whether a GPU may round what it multiplies to TF32's 10 bits of mantissa; a CPU takes no notice.

    Always said, as backends differ in what they do unasked.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_tensor_float_32_execution(allowed)
    elif backend == "jax":
        import jax

        jax.config.update("jax_default_matmul_precision", "tensorfloat32" if allowed else "float32")
    elif backend == "torch":
        import torch

        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed


def device() -> str:
    """The device that passes run on, in words: `GPU: …` or `CPU: …`."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        if gpus := tf.config.list_physical_devices("GPU"):
            return f"GPU: {tf.config.experimental.get_device_details(gpus[0]).get('device_name', gpus[0].name)}"
    elif backend == "jax":
        import jax

        first = jax.devices()[0]
        if first.platform != "cpu":
            return f"GPU: {first.device_kind}"
    elif backend == "torch":
        import torch

        if torch.cuda.is_available():
            return f"GPU: {torch.cuda.get_device_name()}"
    return f"CPU: {processor()}"


@cache
def on_gpu() -> bool:
    """Whether passes run on a GPU; if not, tensors are in main memory, where NumPy sees them without copying."""
    return device().startswith("GPU")


def free_on_gpu() -> int:
    """Bytes of the GPU's memory that this process may still take."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf
        from tensorflow.python.client import device_lib  # TensorFlow says its own limit nowhere else

        limit = next(one.memory_limit for one in device_lib.list_local_devices() if one.device_type == "GPU")
        return limit - tf.config.experimental.get_memory_info("GPU:0")["current"]
    if backend == "jax":
        import jax

        stats = jax.devices()[0].memory_stats()
        return stats["bytes_limit"] - stats["bytes_in_use"]
    import torch

    free, _ = torch.cuda.mem_get_info()
    return free + torch.cuda.memory_reserved() - torch.cuda.memory_allocated()


def versions() -> dict[str, str]:
    """What a record of a run names: Python, the backend, and the libraries that touch the numbers."""
    import PIL
    import scipy

    from dreamscripts import __version__

    backend = keras.backend.backend()
    return {
        "dreamscripts": __version__,
        "python": platform.python_version(),
        "keras": keras.version(),
        backend: importlib.import_module(backend).__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "pillow": PIL.__version__,
    }
