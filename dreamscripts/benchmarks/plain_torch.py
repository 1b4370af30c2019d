"""A rival: the pass as a user of PyTorch writes it, eager and channels-last, without Keras and its backend.

The network and the loss are written down a second time here, on purpose: where both agree, both are what they say.
"""

import time
from typing import Any

import numpy as np

from dreamscripts.benchmarks.contestant import Passes, Questions, Task, random_matrices, serve, timed_product
from dreamscripts.benchmarks.process import MeasuringError
from dreamscripts.settings.schema import Settings


def open_plain_torch(task: Task) -> tuple[dict[str, Any], Questions]:
    """Build the task's chain of layers with the weights of its file, on a GPU where PyTorch sees one.

    Raises MeasuringError where PyTorch is installed and cannot be imported.
    """
    started = time.perf_counter()
    try:
        import torch
    except (ImportError, OSError) as error:
        raise MeasuringError(
            f"PyTorch is installed and cannot be imported ({error}): mend it, or uninstall it to measure without it"
        ) from None

    torch.backends.cudnn.allow_tf32 = False
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    settings = Settings.model_validate(task["settings"])
    with np.load(task["weights"]) as weights:
        layers = _layers(task["chain"], weights)
    for layer in layers.values():
        layer.requires_grad_(False).to(device, memory_format=torch.channels_last)
    penalties = settings.penalties

    def loss_of(x):
        loss, f = 0.0, x
        for name, layer in layers.items():
            f = layer(f)
            if name in settings.features:
                loss = loss - settings.features[name].weight * f[:, :, 2:-2, 2:-2].square().sum() / f.numel()
        down = x[:, :, 1:, :-1] - x[:, :, :-1, :-1]
        right = x[:, :, :-1, 1:] - x[:, :, :-1, :-1]
        loss = loss + penalties.continuity * (down.square() + right.square()).pow(1.25).sum() / x.numel()
        return loss + penalties.dream_l2 * x.square().sum() / x.numel()

    def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
        picture = torch.from_numpy(x).to(device).permute(2, 0, 1)[None]  # channels-last, as its memory was
        picture.requires_grad_()
        loss = loss_of(picture)
        (gradient,) = torch.autograd.grad(loss, picture)
        return loss.item(), gradient[0].permute(1, 2, 0).cpu().numpy()

    def product(side: int):
        a, b = (torch.from_numpy(matrix).to(device) for matrix in random_matrices(side))
        return lambda: (a @ b)[0, 0].item()  # one number of it comes back

    start_up = time.perf_counter() - started
    passes = Passes(task, evaluate)
    about = {
        "device": "GPU" if device.type == "cuda" else "CPU",
        "versions": {"torch": torch.__version__},
        "start_up": start_up,
        "first_pass": passes.seconds_of_first,
    }
    multiply = timed_product(about["device"], product)
    return about, {"compare": passes.compare, "pass": passes.time_pass, "multiply": multiply}


def _layers(chain: list[dict[str, Any]], weights) -> dict[str, Any]:
    """The modules of the chain, by name, with their weights; Keras keeps kernels as (h, w, in, out)."""
    import torch
    from torch import nn

    layers: dict[str, Any] = {}
    for step in chain:
        if step["kind"] == "pooling":
            layers[step["name"]] = nn.MaxPool2d(tuple(step["size"]), tuple(step["stride"]))
            continue
        kernel, bias = (torch.from_numpy(weights[f"{step['name']}:{i}"]) for i in range(2))
        convolution = nn.Conv2d(kernel.shape[2], kernel.shape[3], tuple(kernel.shape[:2]), padding=step["padding"])
        with torch.no_grad():
            convolution.weight.copy_(kernel.permute(3, 2, 0, 1))
            convolution.bias.copy_(bias)
        layers[step["name"]] = nn.Sequential(convolution, nn.ReLU(inplace=True)) if step["relu"] else convolution
    return layers


if __name__ == "__main__":
    serve(open_plain_torch)
