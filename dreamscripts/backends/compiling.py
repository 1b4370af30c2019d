"""The one place that knows TensorFlow, JAX and PyTorch apart: a loss and its gradient as one compiled pass."""

import os
from collections.abc import Callable, Sequence
from functools import cache, partial

import keras

from dreamscripts.backends.host import on_gpu
from dreamscripts.backends.startup import ONEDNN

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
