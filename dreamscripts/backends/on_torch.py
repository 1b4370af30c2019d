"""PyTorch: passes, the GPU and its memory."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import Any

import keras
import torch

WINOGRAD_FROM = 50  # the gain (networks/rewrite/winograd.py) from which Winograd's algorithm is never much slower
_PRECISION = RLock()  # PyTorch's precision is that of the whole process


def compile_pass(terms_of: Callable[..., Any], variables: Sequence[Any], xla: bool, tf32: bool) -> Callable[..., tuple]:
    """Make a pass, as described in compiling.py; it is not compiled."""

    def terms_and_gradient(x: Any, *others: Any) -> tuple:
        x = keras.ops.convert_to_tensor(x).detach().requires_grad_()  # Keras chooses the device
        with _precision(tf32):
            terms = terms_of(x, *map(keras.ops.convert_to_tensor, others))
            (gradient,) = torch.autograd.grad(terms.sum(), x)
        return terms.detach(), gradient

    return terms_and_gradient


@contextmanager
def _precision(tf32: bool) -> Iterator[None]:
    """Allow or forbid TF32 on a GPU for a while. Other threads wait, because the setting is the process's."""
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
    """The name of the GPU; None if there is none."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def free_on_gpu() -> int:
    """The bytes of the GPU's memory that this process may still allocate."""
    free, _ = torch.cuda.mem_get_info()
    return free + torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
