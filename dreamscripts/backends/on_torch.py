"""PyTorch: functions with gradients, the GPU and its memory."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from threading import RLock
from typing import Any

import keras
import numpy as np
import torch

from dreamscripts.backends import torch_graph

WINOGRAD_FROM = 50  # from this gain on (networks/rewrite/winograd.py), Winograd was never much slower
_PRECISION = RLock()  # PyTorch has one precision for the whole process


def compile_with_gradient(
    function: Callable[..., Any], terms_of: Callable[..., Any], variables: Sequence[Any], xla: bool, tf32: bool
) -> Callable[..., Any]:
    """Make a function that evaluates a loss, as described in compiling.py."""

    def evaluate(x: Any, *others: Any) -> tuple:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            terms = terms_of(x, *others)
            (gradient,) = torch.autograd.grad(terms.sum(), x)
        return terms.detach(), gradient

    return _run(partial(function, evaluate), tf32)


def compile_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function without gradients, as described in compiling.py."""
    return _run(function, tf32=False)


def _run(function: Callable[..., Any], tf32: bool) -> Callable[..., Any]:
    """Run a function of arguments as in compiling.py. It is traced for each kind of arguments."""
    graphs: dict[tuple, Callable[..., Any]] = {}

    def run(*arguments: Any) -> Any:
        with _precision(tf32), torch.no_grad():
            tensors = [_on_device(argument) for argument in keras.tree.flatten(arguments)]
            structure = str(keras.tree.map_structure(lambda argument: None, arguments))
            kind = structure, *((tensor.shape, tensor.dtype) for tensor in tensors)
            if kind not in graphs:
                make = torch_graph.traced if gpu_name() is None else torch_graph.recorded
                graphs[kind] = make(torch_graph.flattened(function, arguments), tensors)
            return graphs[kind](*tensors)

    return run


def _on_device(argument: Any) -> torch.Tensor:
    """Convert an array to a tensor on the device. From other memory than pinned, a copy would wait for the GPU."""
    if isinstance(argument, np.ndarray | np.generic) and torch.cuda.is_available():
        return torch.from_numpy(np.array(argument, order="C")).pin_memory().cuda(non_blocking=True)
    return keras.ops.convert_to_tensor(argument)


@contextmanager
def _precision(tf32: bool) -> Iterator[None]:
    """Allow or forbid TF32 on a GPU within a context. Other threads wait, because the whole process has one setting."""
    if gpu_name() is None:
        yield
        return
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    with _PRECISION:
        before = matmul.allow_tf32, cudnn.allow_tf32
        matmul.allow_tf32 = cudnn.allow_tf32 = tf32
        try:
            yield
        finally:
            matmul.allow_tf32, cudnn.allow_tf32 = before


def gpu_name() -> str | None:
    """Return the name of the GPU, or None without a GPU."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def fetch(tensor: torch.Tensor) -> Callable[[], np.ndarray]:
    """Start to copy a tensor to the host, as described in host.py."""
    copy = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=tensor.is_cuda)
    copy.copy_(tensor, non_blocking=True)
    copied = torch.cuda.Event() if tensor.is_cuda else None
    if copied:
        copied.record()

    def array() -> np.ndarray:
        if copied:
            copied.synchronize()
        return copy.numpy()

    return array


def free_on_gpu() -> int:
    """Return the bytes of GPU memory that this process can still allocate."""
    free, _ = torch.cuda.mem_get_info()
    return free + torch.cuda.memory_reserved() - torch.cuda.memory_allocated()


def has_bfloat16() -> bool:
    """Return whether the GPU multiplies matrices in bfloat16. NVIDIA's do from compute capability 8.0 on."""
    return torch.cuda.get_device_capability() >= (8, 0)


def value_and_gradient(f: Callable[[Any], tuple[Any, Any]], x: Any, differentiable: bool) -> tuple[Any, Any]:
    """Call f and take its gradient, as described in training.py."""
    x = x.detach().requires_grad_()
    value, others = f(x)
    (gradient,) = torch.autograd.grad(value, x, create_graph=differentiable)
    if differentiable:
        return others, gradient
    return keras.tree.map_structure(torch.Tensor.detach, others), gradient


def compile_step(loss_of: Callable[..., tuple[Any, Any]], variables: Sequence[Any], optimizer: Any) -> Callable:
    """Make a step of training, as described in training.py. It is not compiled."""
    trainable = [variable for variable in variables if variable.trainable]

    def step(*inputs: Any) -> tuple:
        with _precision(tf32=True):
            loss, others = loss_of(*map(keras.ops.convert_to_tensor, inputs))
            gradients = torch.autograd.grad(loss, [variable.value for variable in trainable], allow_unused=True)
        with torch.no_grad():
            optimizer.apply(gradients, trainable)
        return keras.tree.map_structure(torch.Tensor.detach, (loss, others))

    return step
