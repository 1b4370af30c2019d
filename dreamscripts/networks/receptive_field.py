"""How far a network's layers see: what an exact tile of a picture needs around the part of it that it owns.

Interval arithmetic through the graph of a model, along one axis at a time. Where layers are local and treat every
place alike, position p of a layer is the same in a crop of the picture as in the picture, as long as the crop begins
at a multiple of the product of strides, ends short of the picture's end by such a multiple, and holds all that p
depends on. At a cut edge a crop's padding is false: what depends on it lies in the margin, which no tile owns.
"""

import math
from dataclasses import dataclass

import keras

from dreamscripts.errors import SettingsError
from dreamscripts.networks.graph import Call, calls, public_name
from dreamscripts.networks.layers import is_channels_first

_WINDOWS = (
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
)
_WINDOW_OPERATORS = ("MaxPool", "AveragePool")
_EACH_PLACE_BY_ITSELF = {
    *("Activation", "ReLU", "LeakyReLU", "ELU", "Rescaling", "Identity", "ActivityRegularization"),
    *("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"),
    *("Dropout", "SpatialDropout2D", "GaussianDropout", "GaussianNoise", "StochasticDepth"),
    *("LayerScale", "CustomScaleLayer"),  # of ConvNeXt and of Inception-ResNet, in keras.applications
    # Operators
    *("Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Celu", "Gelu", "Silu", "HardSilu", "Sigmoid", "HardSigmoid"),
    *("Softplus", "Softsign", "Tanh", "HardTanh", "Exp", "Log", "Sqrt", "Rsqrt", "Square", "Absolute", "Abs"),
    *("Negative", "TrueDivide", "Divide", "Power", "Clip", "Cast"),
    # Augmentation, which does nothing at inference
    *("RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast", "RandomBrightness"),
    *("RandomShear", "RandomHue", "RandomSaturation", "RandomColorJitter"),
}
_ALONG_CHANNELS = (
    *("BatchNormalization", "LayerNormalization", "Normalization", "Concatenate", "Softmax"),
    *("Flip", "Mean", "Sum", "Max"),  # operators
)
_ALONG_THE_LAST_AXIS = ("Dense", "LocalResponseNorm")


@dataclass(frozen=True)
class Reach:
    """What a layer sees along one axis; positions count in the whole picture, the rest in its pixels.

    The layer has `size` positions, `stride` pixels apart. A crop that is to give those from pixel a on and before
    pixel b, multiples of every stride, begins at a − `before` or earlier and ends at b + `after` or later, or at the
    picture's own edge. One position sees at most `field` pixels.
    """

    size: int
    stride: int
    before: int
    after: int
    field: int


def reaches(model: keras.Model, axis: int, side: int, name: str) -> tuple[int, dict[str, Reach]]:
    """The least common multiple of all strides, and what each output {layer: tensor} of `model` sees.

    Along an axis (0 down, 1 right) of `side` pixels. Raises SettingsError, which calls the network `name`, for the
    first layer that crops of a picture cannot serve.
    """
    known = {id(model.inputs[0]): Reach(size=side, stride=1, before=0, after=0, field=1)}
    for call in calls(model):
        inputs = [known[id(tensor)] for tensor in call.inputs]
        try:
            seen = _through(_window(call, axis, inputs[0].size, is_channels_first(model)), inputs, side)
        except ValueError as reason:
            layer = public_name(call.operation)
            raise SettingsError(f"{name}: exact tiles cannot serve it: the layer '{layer}' {reason}") from None
        known |= {id(tensor): seen for tensor in call.outputs}
    stride = math.lcm(*(seen.stride for seen in known.values()))
    return stride, {layer: known[id(tensor)] for layer, tensor in model.output.items()}


def _through(window: tuple[int, int, int, int], inputs: list[Reach], side: int) -> Reach:
    """What is seen through a window over inputs, all of which it reads at the same places."""
    extent, step, low, high = window
    first = inputs[0]
    if any((one.size, one.stride) != (first.size, first.stride) for one in inputs):
        raise ValueError("joins maps of different sizes")
    size, stride = (first.size + low + high - extent) // step + 1, first.stride * step
    return Reach(
        size,
        stride,
        # Every map on the way must have in the crop, too, what is read of it; the last, what is owned of it.
        before=max(0, *(one.before + low * one.stride for one in inputs)),
        after=max(side - size * stride, *(one.after + (extent - low) * one.stride - stride for one in inputs)),
        field=max(one.field for one in inputs) + (extent - 1) * first.stride,
    )


def _window(call: Call, axis: int, size: int, channels_first: bool) -> tuple[int, int, int, int]:
    """What a call reads of `size` positions for one: extent and step, and the padding before and after them all.

    Raises ValueError for one that sees more than a window, or not the same everywhere.
    """
    layer, kind = call.operation, type(call.operation).__name__
    activation = getattr(layer, "activation", None) or keras.activations.linear
    if getattr(layer, "data_format", None) == ("channels_last" if channels_first else "channels_first"):
        raise ValueError("takes its channels along another axis than the picture")
    if getattr(keras.activations, activation.__name__, None) is not activation:
        raise ValueError("has an activation of its own, which may see the whole picture")
    if activation is keras.activations.softmax and channels_first:
        raise ValueError("sees whole rows of the picture")
    if isinstance(layer, _WINDOWS) or kind in _WINDOW_OPERATORS:
        extents = getattr(layer, "kernel_size", None) or layer.pool_size
        steps = layer.strides or extents
        dilations = getattr(layer, "dilation_rate", (1, 1))
        extent, step = (_along(extents, axis) - 1) * _along(dilations, axis) + 1, _along(steps, axis)
        missing = max((math.ceil(size / step) - 1) * step + extent - size, 0) if layer.padding == "same" else 0
        return extent, step, missing // 2, missing - missing // 2
    if isinstance(layer, keras.layers.ZeroPadding2D):
        return 1, 1, *layer.padding[axis]
    if isinstance(layer, keras.layers.Cropping2D):
        return 1, 1, *(-pixels for pixels in layer.cropping[axis])
    maps = all(len(tensor.shape) == 4 for tensor in call.inputs)  # not single channels (N, h, w)
    channel_axes = (1,) if channels_first else (-1, 3)
    by_itself = (
        kind in _EACH_PLACE_BY_ITSELF
        or (kind in _ALONG_CHANNELS and maps and _only(layer.axis) in channel_axes)
        or (kind == "Stack" and not maps and layer.axis in (-1, 3) and not channels_first)
        or (kind in _ALONG_THE_LAST_AXIS and not channels_first)
        or (kind == "GetItem" and maps and _only_channels(call.args[1], channels_first))
        or (kind == "PReLU" and set(layer.shared_axes or ()) >= ({2, 3} if channels_first else {1, 2}))
    )
    # A constant in a sum or product may be a map of its own.
    constants = [] if isinstance(layer, keras.Layer) else keras.tree.flatten((call.args, call.kwargs))
    if not by_itself or not all(_same_everywhere(one, channels_first) for one in constants):
        raise ValueError(f"({kind}) is not known to see only a part of the picture")
    return 1, 1, 0, 0


def _same_everywhere(argument, channels_first: bool) -> bool:
    """Whether an argument of an operator is a tensor of the graph, or a constant that is the same at every place."""
    if isinstance(argument, keras.KerasTensor):
        return True
    shape = getattr(argument, "shape", ())
    across = shape[-2:] if channels_first else shape[-3:-1]
    return all(side == 1 for side in across)


def _only_channels(key, channels_first: bool) -> bool:
    """Whether an index takes all places of a map (N, h, w, c), such as [..., ::-1] or [..., 0]."""
    parts = list(key) if isinstance(key, (tuple, list)) else [key]
    if not all(isinstance(part, (slice, int)) or part is Ellipsis for part in parts):
        return False
    if Ellipsis in parts:
        at = parts.index(Ellipsis)
        parts[at : at + 1] = [slice(None)] * (5 - len(parts))
    parts += [slice(None)] * (4 - len(parts))
    return all(part == slice(None) for part in (parts[2:] if channels_first else parts[1:3]))


def _along(sides: int | tuple[int, int], axis: int) -> int:
    return sides if isinstance(sides, int) else sides[axis]


def _only(axes: int | list | tuple) -> int | None:
    return axes if isinstance(axes, int) else axes[0] if len(axes) == 1 else None
