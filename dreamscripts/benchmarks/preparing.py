"""Prepare the data of all measured programs: a file with the weights, and a description of the network."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dreamscripts.backends.startup import start_keras
from dreamscripts.benchmarks.program import Requests, Task, serve
from dreamscripts.settings.network_names import short_name
from dreamscripts.settings.schema import Settings

if TYPE_CHECKING:
    import keras


def prepare(task: Task) -> tuple[dict[str, Any], Requests]:
    """Write the weights of the task's network to the task's file, and describe the network.

    `precision` is that of the settings on this machine. `chain` lists the layers of the network for PyTorch.
    `not_keras` and `not_a_chain` say why plain Keras or PyTorch cannot run it, and are empty if they can. Raises
    NetworkError, and PictureError if one of the task's sizes is too small.
    """
    settings = Settings.model_validate(task["settings"])
    start_keras()
    import keras

    from dreamscripts.dreams.prepare import choose_precision, open_network
    from dreamscripts.networks.cut import cut
    from dreamscripts.networks.graph import is_channels_first
    from dreamscripts.networks.layers import describe_layers, find_layer
    from dreamscripts.networks.loading import build, load_network

    network = open_network(settings)
    for side in task["sides"]:
        network.check_size(side, side)
    model = build(settings.network, settings.weights)
    facts = describe_layers(model)
    known = [layer.name for layer in facts]
    # If every layer is an output, no layer is rewritten.
    whole = load_network(
        settings.network, settings.weights, known, preprocessing=settings.preprocessing, seed=settings.seed
    )
    part = replace(whole, model=cut(whole.model, settings.features, settings.network))
    weights = {f"{layer.name}:{i}": w for layer in part.model.layers for i, w in enumerate(layer.get_weights())}
    np.savez(task["weights"], **weights)

    unnamed = [layer for layer in settings.features if find_layer(facts, layer) is None]
    not_keras = ""
    if unnamed:
        not_keras = f"{unnamed[0]} is not a layer of the Keras model"
    elif is_channels_first(model):
        not_keras = f"{short_name(settings.network)} needs pictures of shape (3, H, W)"
    elif None not in model.inputs[0].shape[1:]:
        not_keras = f"{short_name(settings.network)} accepts pictures of one size only"
    chain, not_a_chain = ([], not_keras) if unnamed else describe_chain(part.model.layers)
    about = {
        "backend": keras.backend.backend(),
        "precision": choose_precision(settings),
        "limits": [limit.tolist() for limit in part.preprocessing.limits],
        "multiplications": part.multiplications(task["sides"][0], task["sides"][0]),
        "chain": chain,
        "not_keras": not_keras,
        "not_a_chain": not_a_chain and f"{short_name(settings.network)} is not a chain of plain layers: {not_a_chain}",
    }
    return about, {}


def describe_chain(model_layers: "Iterable[keras.Layer]") -> tuple[list[dict[str, Any]], str]:
    """Return the layers of a chain of convolutions, ReLUs and poolings, or ([], reason) if it has another layer."""
    import keras

    from dreamscripts.networks.graph import public_name

    chain: list[dict[str, Any]] = []
    before = None
    for layer in model_layers:
        if before is not None and layer.input is not before.output:
            return [], f"{public_name(layer)} does not read the layer before it"
        before = layer
        if isinstance(layer, keras.layers.InputLayer):
            continue
        kind, linear = type(layer), keras.activations.linear
        if kind is keras.layers.Conv2D and layer.activation in (keras.activations.relu, linear) and _is_plain(layer):
            relu = layer.activation is not linear
            chain.append({"name": layer.name, "kind": "convolution", "padding": layer.padding, "relu": relu})
        elif kind is keras.layers.MaxPooling2D and layer.padding == "valid":
            chain.append({"name": layer.name, "kind": "pooling", "size": layer.pool_size, "stride": layer.strides})
        else:
            return [], f"{public_name(layer)} is a {kind.__name__} that the PyTorch program does not support"
    return chain, ""


def _is_plain(convolution: "keras.layers.Conv2D") -> bool:
    """Return whether a convolution has a bias and channels last, and no stride, dilation or groups."""
    ones = (*convolution.strides, *convolution.dilation_rate, convolution.groups)
    return set(ones) == {1} and convolution.use_bias and convolution.data_format == "channels_last"


if __name__ == "__main__":
    serve(prepare)
