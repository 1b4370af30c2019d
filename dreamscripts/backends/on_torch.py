"""PyTorch: passes, the GPU and its memory."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import Any

import keras
import torch

WINOGRAD_FROM = 50  # from this gain on (networks/rewrite/winograd.py), Winograd was never much slower
_PRECISION = RLock()  # PyTorch has one precision for the whole process


def compile_pass(terms_of: Callable[..., Any], variables: Sequence[Any], xla: bool, tf32: bool) -> Callable[..., tuple]:
    """Make a pass, as described in compiling.py. It is not compiled."""

    def terms_and_gradient(x: Any, *others: Any) -> tuple:
        x = keras.ops.convert_to_tensor(x).detach().requires_grad_()  # Keras chooses the device
        with _precision(tf32):
            terms = terms_of(x, *map(keras.ops.convert_to_tensor, others))
            (gradient,) = torch.autograd.grad(terms.sum(), x)
        return terms.detach(), gradient

    return terms_and_gradient


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


def free_on_gpu() -> int:
    """Return the bytes of GPU memory that this process can still allocate."""
    free, _ = torch.cuda.mem_get_info()
    return free + torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
