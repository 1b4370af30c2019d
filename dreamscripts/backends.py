"""The one place that knows TensorFlow, JAX and PyTorch apart: a loss and its gradient as one compiled pass."""

import importlib
import platform
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import keras
import numpy as np

Pass = Callable[[np.ndarray], np.ndarray]


def compile_pass(terms_of: Callable, variables: Sequence, xla: bool) -> Pass:
    """Compile `terms_of(x) -> (n,)` into a function of a float32 array x (N, H, W, 3), of any N, H and W.

    It returns one float32 array: the n terms, then the gradient of their sum, flat. Everything in between stays
    on the device, so that a pass costs one transfer each way. `variables` are all that `terms_of` reads; `xla` is a
    choice that only TensorFlow leaves open (`choose_xla`).
    """
    return {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[keras.backend.backend()](terms_of, variables, xla)


def _tensorflow(terms_of, variables, xla) -> Pass:
    import tensorflow as tf

    # Height and width are open, so that octaves and tiles share one trace; XLA compiles for each size by itself. Each
    # number of pictures has a trace of its own: where it is open, too, a pass takes 3 % longer.
    @cache
    def trace(count: int):
        @tf.function(input_signature=[tf.TensorSpec((count, None, None, 3), tf.float32)], jit_compile=xla)
        def terms_and_gradient(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                terms = terms_of(x)
                loss = tf.reduce_sum(terms)
            return tf.concat([terms, tf.reshape(tape.gradient(loss, x), [-1])], 0)

        return terms_and_gradient

    return lambda x: trace(len(x))(tf.convert_to_tensor(x)).numpy()


def _jax(terms_of, variables, xla) -> Pass:
    import jax

    def loss(x, values):
        # The weights come in as arguments: closed over, they would be compiled into the program as constants.
        with keras.StatelessScope(state_mapping=zip(variables, values, strict=True)):
            terms = terms_of(x)
        return terms.sum(), terms

    @jax.jit
    def terms_and_gradient(x, values):
        (_, terms), gradient = jax.value_and_grad(loss, has_aux=True)(x, values)
        return jax.numpy.concatenate([terms, gradient.ravel()])

    # Read at every pass, as they may be assigned in between.
    return lambda x: np.asarray(terms_and_gradient(x, [variable.value for variable in variables]))


def _torch(terms_of, variables, xla) -> Pass:
    import torch

    def terms_and_gradient(x):
        x = keras.ops.convert_to_tensor(x).detach().requires_grad_()  # Keras knows on which device
        terms = terms_of(x)
        (gradient,) = torch.autograd.grad(terms.sum(), x)
        return torch.cat([terms.detach(), gradient.ravel()]).cpu().numpy()

    return terms_and_gradient


def choose_xla(multiplications: int, pixels: int, passes: int) -> bool:
    """Whether a whole run under TensorFlow is faster with XLA; the same answer every time on the same machine.

    On Intel's processors with AVX-512 oneDNN's own kernels are at least as fast as what XLA makes, and a GPU has
    cuDNN's. On other processors a pass of VGG16 takes a fifth to a third less under XLA, and a narrow network gains
    nothing. Compiling costs about 3 s, which a wide network has won back after about 10¹² multiplications.
    """
    if keras.backend.backend() != "tensorflow" or device().startswith("GPU") or _suits_onednn():
        return False
    return multiplications >= 100_000 * pixels and multiplications * passes >= 1e12


def _suits_onednn() -> bool:
    found = np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", [])
    return "Intel" in _processor() and any(name.startswith(("X86_V4", "AVX512")) for name in found)


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
    return f"CPU: {_processor()}"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


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
