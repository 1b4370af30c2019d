"""Other programs: a pass in plain PyTorch, without Keras and its backend.

They differ in the layout of pictures and kernels, and in compilation. The network and the loss are deliberately written
again here, so that the comparison of the results checks both.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dreamscripts.benchmarks.process import MeasuringError
from dreamscripts.benchmarks.program import OnDevice, Passes, Requests, Task, random_matrices, serve, timed_product
from dreamscripts.settings.schema import Settings

if TYPE_CHECKING:
    import torch


def open_plain_torch(task: Task) -> tuple[dict[str, Any], Requests]:
    """Build the task's chain of layers with the weights from its file, on a GPU if PyTorch finds one.

    With `channels_last` in the task, pictures and kernels have this layout. With `compile`, `torch.compile` compiles
    the pass. Raises MeasuringError if PyTorch is installed but cannot be imported.
    """
    started = time.perf_counter()
    try:
        import torch
    except (ImportError, OSError) as error:
        raise MeasuringError(
            f"PyTorch is installed but cannot be imported ({error}): repair it, or uninstall it to measure without it"
        ) from None

    settings = Settings.model_validate(task["settings"])
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = settings.precision == "tf32"
    torch.backends.cudnn.benchmark = True
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    layout = torch.channels_last if task["channels_last"] else torch.contiguous_format
    loss_of = _loss_function(task, settings, device, layout)

    def put(x: np.ndarray) -> torch.Tensor:
        picture = torch.from_numpy(x).to(device).permute(2, 0, 1)[None]
        return picture.contiguous(memory_format=layout).requires_grad_()

    def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
        picture = put(x)
        loss = loss_of(picture)
        (gradient,) = torch.autograd.grad(loss, picture)
        return loss.item(), gradient[0].permute(1, 2, 0).cpu().numpy()

    def product(side: int) -> Callable[[], object]:
        a, b = (torch.from_numpy(matrix).to(device, _type(settings)) for matrix in random_matrices(side))
        return lambda: (a @ b)[0, 0].item()  # only one number is copied to the host

    start_up = time.perf_counter() - started
    on_device = OnDevice(
        put=put,
        start=lambda x: torch.autograd.grad(loss_of(x), x)[0],
        wait=lambda gradient: gradient[0, 0, 0, 0].item(),
    )
    passes = Passes(task, evaluate, on_device)
    kind = "GPU" if device.type == "cuda" else "CPU"
    about = {
        "device": kind,
        "versions": {"torch": torch.__version__},
        "start_up": start_up,
        "first_pass": passes.seconds_of_first,
    }
    multiply = timed_product(kind, product)
    return about, {"compare": passes.compare, "pass": passes.time_pass, "multiply": multiply}


def _type(settings: Settings) -> "torch.dtype":
    """Return the type of the factors of convolutions."""
    import torch

    return torch.bfloat16 if settings.precision == "mixed_bfloat16" else torch.float32


def _loss_function(
    task: Task, settings: Settings, device: "torch.device", layout: "torch.memory_format"
) -> Callable[["torch.Tensor"], "torch.Tensor"]:
    """Return the function from a picture (1, 3, H, W), float32 on the device, to its loss."""
    import torch

    with np.load(task["weights"]) as weights:
        layers = _build_layers(task["chain"], weights)
    for layer in layers.values():
        layer.requires_grad_(False).to(device, _type(settings))
        layer.to(memory_format=layout)  # type: ignore[call-overload]  # missing in PyTorch's types

    def loss_of(x: torch.Tensor) -> torch.Tensor:
        return _loss(x, layers, settings)

    return torch.compile(loss_of, dynamic=False) if task["compile"] else loss_of


def _loss(x: "torch.Tensor", layers: Mapping[str, "torch.nn.Module"], settings: Settings) -> "torch.Tensor":
    """Return the loss of a picture (1, 3, H, W) under the settings: feature terms, continuity and dream_l2.

    Its sums are float32. `layers` may compute in another type.
    """
    loss, f = x.new_zeros(()), x.to(_type(settings))
    for name, layer in layers.items():
        f = layer(f)
        if name in settings.features:
            inner = f[:, :, 2:-2, 2:-2].float()
            loss = loss - settings.features[name].weight * inner.square().sum() / f.numel()
    down = x[:, :, 1:, :-1] - x[:, :, :-1, :-1]
    right = x[:, :, :-1, 1:] - x[:, :, :-1, :-1]
    loss = loss + settings.penalties.continuity * (down.square() + right.square()).pow(1.25).sum() / x.numel()
    return loss + settings.penalties.dream_l2 * x.square().sum() / x.numel()


def _build_layers(
    chain: Sequence[Mapping[str, Any]], weights: Mapping[str, np.ndarray]
) -> dict[str, "torch.nn.Module"]:
    """Return the modules of the chain, by name, with their weights. Keras stores kernels as (h, w, in, out)."""
    import torch
    from torch import nn

    layers: dict[str, nn.Module] = {}
    for step in chain:
        if step["kind"] == "pooling":
            layers[step["name"]] = nn.MaxPool2d(tuple(step["size"]), tuple(step["stride"]))
            continue
        kernel, bias = (torch.from_numpy(weights[f"{step['name']}:{i}"]) for i in range(2))
        height, width, channels, filters = kernel.shape
        convolution = nn.Conv2d(channels, filters, (height, width), padding=step["padding"])
        convolution.load_state_dict({"weight": kernel.permute(3, 2, 0, 1), "bias": bias})
        layers[step["name"]] = nn.Sequential(convolution, nn.ReLU(inplace=True)) if step["relu"] else convolution
    return layers


if __name__ == "__main__":
    serve(open_plain_torch)
