"""Train a network on Keras's backend, with a loss that contains gradients with respect to the picture.

The gradient of such a loss with respect to the weights is a second derivative. TensorFlow, JAX and PyTorch can take it.
"""

from collections.abc import Callable, Sequence
from typing import Any

from dreamscripts.backends.host import backend
from dreamscripts.backends.lazy_keras import keras

Step = Callable[..., tuple]


def value_and_gradient(f: Callable[[Any], tuple[Any, Any]], x: Any, *, differentiable: bool) -> tuple[Any, Any]:
    """Call `f(x) -> (scalar, others)` and return (others, gradient of the scalar with respect to x).

    This is for use in the loss of `compile_step`. f assigns no variables. With `differentiable`, the loss can depend on
    the results. Otherwise they are constants for it.
    """
    return backend().value_and_gradient(f, x, differentiable)


def compile_step(
    loss_of: Callable[..., tuple[Any, Any]], variables: Sequence[Any], optimizer: keras.optimizers.Optimizer
) -> Step:
    """Compile a step of training: `step(*inputs) -> (loss, others)` calls `loss_of(*inputs)`, which returns the same.

    Then `optimizer` changes those of `variables` that are trainable. `variables` are all variables that `loss_of` reads
    or assigns. `inputs` are float32 arrays, whose shapes must not change. The results are tensors on the device. A GPU
    may round factors to TF32.
    """
    trainable = [variable for variable in variables if variable.trainable]
    if not optimizer.built:
        optimizer.build(trainable)
    return backend().compile_step(loss_of, variables, optimizer)
