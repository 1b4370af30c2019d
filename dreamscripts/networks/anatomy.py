"""What a person may ask of a network before dreaming: its layers, what each one sees, how small is too small."""

from dataclasses import dataclass

import keras

EDGE = 2  # what the layer L2 norm leaves out on every side, so that padding does not become a frame


@dataclass(frozen=True)
class LayerFacts:
    """A layer that a settings file can name; stride and receptive field are in pixels of the picture."""

    name: str
    kind: str
    channels: int
    stride: int
    receptive_field: int


def describe_layers(model: keras.Model) -> list[LayerFacts]:
    """The layers of `model` with a picture-like output, from the input on.

    Receptive fields by the usual recursion, r ← r + (k − 1)·j and j ← j·s, the widest over a layer's inputs.
    The gates of squeeze-and-excitation blocks, which see the whole picture, are left out of it.
    """
    reach = {id(tensor): (1, 1) for tensor in model.inputs}  # of each tensor: (receptive field, stride)
    facts = []
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        known = [reach[id(tensor)] for tensor in keras.tree.flatten(layer.input) if id(tensor) in reach]
        if not known or isinstance(layer.output, (list, tuple, dict)) or len(layer.output.shape) != 4:
            continue
        field, stride = max(known)
        kernel, step = _window(layer)
        field, stride = field + (kernel - 1) * stride, stride * step
        if isinstance(layer, keras.layers.UpSampling2D):
            stride = max(1, stride // max(layer.size))
        reach[id(layer.output)] = (field, stride)
        channels = layer.output.shape[1 if is_channels_first(model) else -1]
        facts.append(LayerFacts(layer.name, type(layer).__name__, channels, stride, field))
    return facts


def _window(layer: keras.Layer) -> tuple[int, int]:
    """The extent of what a layer reads for one output position, dilation included, and its stride."""
    kernel = max(_sides(getattr(layer, "kernel_size", getattr(layer, "pool_size", 1))))
    dilation = max(_sides(getattr(layer, "dilation_rate", 1)))
    return (kernel - 1) * dilation + 1, max(_sides(getattr(layer, "strides", 1)))


def _sides(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value)


def is_channels_first(model: keras.Model) -> bool:
    """Whether the model was saved for pictures of shape (3, H, W)."""
    _, first, _, last = model.inputs[0].shape
    return first == 3 and last != 3


def feature_shapes(
    model: keras.Model, height: int, width: int, edge: int = EDGE
) -> dict[str, tuple[int, int, int]] | None:
    """(H, W, C) of every output of a cut model for a picture of that size.

    None where the picture is too small for any of them to have something inside an edge of so many places.
    """
    first = is_channels_first(model)
    try:
        shapes = model.compute_output_shape((1, 3, height, width) if first else (1, height, width, 3))
    except ValueError:  # a convolution without padding that has nothing left to stand on
        return None
    features = {name: (*s[2:], s[1]) if first else s[1:] for name, s in shapes.items()}
    return features if all(side > 2 * edge for s in features.values() for side in s[:2]) else None


def least_side(model: keras.Model, edge: int = EDGE) -> int:
    """The side of the smallest square picture that is large enough."""
    too_small, enough = 0, 1
    while feature_shapes(model, enough, enough, edge) is None:
        too_small, enough = enough, 2 * enough
    while enough - too_small > 1:
        middle = (too_small + enough) // 2
        if feature_shapes(model, middle, middle, edge) is None:
            too_small = middle
        else:
            enough = middle
    return enough
