"""Another program: a pass in plain PyTorch, eager and channels-last, without Keras and its backend.

The network and the loss are deliberately written again here, so that the comparison of the results checks both.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dreamscripts.benchmarks.process import MeasuringError
from dreamscripts.benchmarks.program import Passes, Requests, Task, random_matrices, serve, timed_product
from dreamscripts.settings.schema import Settings

if TYPE_CHECKING:
    import torch


def open_plain_torch(task: Task) -> tuple[dict[str, Any], Requests]:
    """Build the task's chain of layers with the weights from its file, on a GPU if PyTorch finds one.

    Raises MeasuringError if PyTorch is installed but cannot be imported.
    """
    started = time.perf_counter()
    try:
        import torch
    except (ImportError, OSError) as error:
        raise MeasuringError(
            f"PyTorch is installed but cannot be imported ({error}): repair it, or uninstall it to measure without it"
        ) from None

    torch.backends.cudnn.allow_tf32 = False
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    settings = Settings.model_validate(task["settings"])
    with np.load(task["weights"]) as weights:
        layers = _build_layers(task["chain"], weights)
    for layer in layers.values():
        layer.requires_grad_(False).to(device)
        layer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in PyTorch's types

    def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
        picture = torch.from_numpy(x).to(device).permute(2, 0, 1)[None]  # a channels-last view, as in memory
        picture.requires_grad_()
        loss = _loss(picture, layers, settings)
        (gradient,) = torch.autograd.grad(loss, picture)
        return loss.item(), gradient[0].permute(1, 2, 0).cpu().numpy()

    def product(side: int) -> Callable[[], object]:
        a, b = (torch.from_numpy(matrix).to(device) for matrix in random_matrices(side))
        return lambda: (a @ b)[0, 0].item()  # only one number is copied to the host

    start_up = time.perf_counter() - started
    passes = Passes(task, evaluate)
    kind = "GPU" if device.type == "cuda" else "CPU"
    about = {
        "device": kind,
        "versions": {"torch": torch.__version__},
        "start_up": start_up,
        "first_pass": passes.seconds_of_first,
    }
    multiply = timed_product(kind, product)
    return about, {"compare": passes.compare, "pass": passes.time_pass, "multiply": multiply}


def _loss(x: "torch.Tensor", layers: Mapping[str, "torch.nn.Module"], settings: Settings) -> "torch.Tensor":
    """Return the loss of a picture (1, 3, H, W) under the settings: feature terms, continuity and dream_l2."""
    loss, f = x.new_zeros(()), x
    for name, layer in layers.items():
        f = layer(f)
        if name in settings.features:
            loss = loss - settings.features[name].weight * f[:, :, 2:-2, 2:-2].square().sum() / f.numel()
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
