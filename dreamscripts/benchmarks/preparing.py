"""What the contestants share, made once: the weights in a file, and the network as others would write it down."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from dreamscripts.backends.startup import start_keras
from dreamscripts.benchmarks.contestant import Questions, Task, serve
from dreamscripts.settings.schema import Settings


def prepare(task: Task) -> tuple[dict[str, Any], Questions]:
    """Write the weights of the task's network to its file and say what is in it.

    Raises PictureError where one of the task's sizes is too small for the network, and NetworkError.
    """
    settings = Settings.model_validate(task["settings"])
    start_keras()
    import keras

    from dreamscripts.dreams.prepare import open_network
    from dreamscripts.networks.cut import cut
    from dreamscripts.networks.graph import is_channels_first
    from dreamscripts.networks.layers import describe_layers, find_layer
    from dreamscripts.networks.loading import build, load_network

    network = open_network(settings)
    for side in task["sides"]:
        network.check_size(side, side)
    model = build(settings.network, settings.weights)
    facts = describe_layers(model)
    known = [one.name for one in facts]
    # Asked for all of its layers, a network is not changed inside.
    whole = load_network(
        settings.network, settings.weights, known, preprocessing=settings.preprocessing, seed=settings.seed
    )
    part = replace(whole, model=cut(whole.model, settings.features, settings.network))
    weights = {f"{layer.name}:{i}": w for layer in part.model.layers for i, w in enumerate(layer.get_weights())}
    np.savez(task["weights"], **weights)

    unnamed = [layer for layer in settings.features if find_layer(facts, layer) is None]
    not_keras = ""
    if unnamed:
        not_keras = f"{unnamed[0]} is no layer of the Keras model"
    elif is_channels_first(model):
        not_keras = f"{settings.network} was saved for pictures (3, H, W)"
    elif None not in model.inputs[0].shape[1:]:
        not_keras = f"{settings.network} was saved for pictures of one size"
    chain, not_a_chain = ([], not_keras) if unnamed else describe_chain(part.model.layers)
    about = {
        "backend": keras.backend.backend(),
        "limits": [limit.tolist() for limit in part.preprocessing.limits],
        "multiplications": part.multiplications(task["sides"][0], task["sides"][0]),
        "chain": chain,
        "not_keras": not_keras,
        "not_a_chain": not_a_chain and f"{settings.network} is no plain chain: {not_a_chain}",
    }
    return about, {}


def describe_chain(model_layers: Iterable) -> tuple[list[dict[str, Any]], str]:
    """The layers of a plain chain of convolutions, ReLUs and poolings, in order; or what is none, in words."""
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
            return [], f"{public_name(layer)} is a {kind.__name__} that PyTorch would write otherwise"
    return chain, ""


def _is_plain(convolution) -> bool:
    ones = (*convolution.strides, *convolution.dilation_rate, convolution.groups)
    return set(ones) == {1} and convolution.use_bias and convolution.data_format == "channels_last"


if __name__ == "__main__":
    serve(prepare)
