"""The window of a layer: the input positions that one output position reads, along one axis of the picture."""

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import keras

from dreamscripts.networks.graph import Call

_WINDOWS = (
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
)
_WINDOW_OPERATORS = ("MaxPool", "AveragePool")
_POINTWISE = {
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
_GLOBAL = ("GlobalAveragePooling2D", "GlobalMaxPooling2D")
_EDGES = ("ZeroPadding2D", "Cropping2D", "Pad")  # they change the size of a map, but not its stride
_REDUCTIONS = {"Mean", "Sum", "Max", "Min", "Amax", "Amin", "Var", "Std", "Prod", "Logsumexp"}
_CONVOLUTIONS = ("Conv", "DepthwiseConv", "SeparableConv", "ConvTranspose")  # operators, whose kernel is an argument


@dataclass(frozen=True)
class Window:
    """A window covers `extent` positions, including the gaps of a dilation, and the next starts `step` positions later.

    The extent is infinite if the window covers the whole picture. A step below 1 enlarges the map. The step is None if
    it must be computed from the sizes of the maps. `before` and `after` are the positions of padding at each end
    (negative for cropping). `problem` is a clause that explains why values in a crop of the picture differ from those
    in the picture. It is empty if they are the same.
    """

    extent: int | float
    step: Fraction | None = Fraction(1)
    before: int = 0
    after: int = 0
    problem: str = ""

    def positions(self, size: int) -> int:
        """Return the size of the output for an input of `size` positions, if the window has no problem."""
        return int((size + self.before + self.after - self.extent) // (self.step or 1)) + 1


def window_of(call: Call, axis: int, size: int, channels_first: bool) -> Window:
    """Return the window of a call along an axis of the picture (0 down, 1 right), for an input of `size` positions."""
    layer = call.operation
    problem = _tensor_problem(layer, channels_first)
    if isinstance(layer, _WINDOWS) or type(layer).__name__ in _WINDOW_OPERATORS:
        extents = getattr(layer, "kernel_size", None) or layer.pool_size
        extent, step = _dilated(layer, extents, axis), _along(layer.strides or extents, axis)
        missing = max((math.ceil(size / step) - 1) * step + extent - size, 0) if layer.padding == "same" else 0
        return Window(extent, Fraction(step), missing // 2, missing - missing // 2, problem)
    if isinstance(layer, keras.layers.ZeroPadding2D):
        before, after = layer.padding[axis]
        return Window(1, Fraction(1), before, after, problem)
    if isinstance(layer, keras.layers.Cropping2D):
        before, after = layer.cropping[axis]
        return Window(1, Fraction(1), -before, -after, problem)
    if _is_pointwise(call, channels_first):
        return Window(1, problem=problem)
    kind = type(layer).__name__
    problem = problem or f"({kind}) may depend on the whole picture (unknown layer type)"
    return replace(_estimated(call, axis, channels_first), problem=problem)


def _estimated(call: Call, axis: int, channels_first: bool) -> Window:
    """Estimate the window of a layer that exact tiles do not support."""
    layer, kind = call.operation, type(call.operation).__name__
    if kind in _GLOBAL or (kind in _REDUCTIONS and _over_positions(layer, channels_first)):
        return Window(math.inf)
    kernel = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
    if kind in _CONVOLUTIONS:
        kernel = call.args[1].shape[:2]
    if kernel is not None:
        extent, step = _dilated(layer, kernel, axis), _along(getattr(layer, "strides", 1) or kernel, axis)
        if "Transpose" in kind:
            return Window(math.ceil(extent / step), Fraction(1, step))
        return Window(extent, Fraction(step))
    if kind in _EDGES:
        return Window(1)
    if kind == "UpSampling2D":
        return Window(1 if layer.interpolation == "nearest" else 2, Fraction(1, _along(layer.size, axis)))
    return Window(2 if "Resiz" in kind else 1, step=None)


def _tensor_problem(layer: keras.Operation, channels_first: bool) -> str:
    """Return a clause for a layer with another order of axes, or an activation that is not pointwise."""
    activation = getattr(layer, "activation", None) or keras.activations.linear
    if getattr(layer, "data_format", None) == ("channels_last" if channels_first else "channels_first"):
        return "has its channels along another axis than the picture"
    if getattr(keras.activations, getattr(activation, "__name__", ""), None) is not activation:
        return "has a custom activation, which may depend on the whole picture"
    if activation is keras.activations.softmax and channels_first:
        return "depends on whole rows of the picture"
    return ""


def _is_pointwise(call: Call, channels_first: bool) -> bool:
    """Return whether each output position depends only on the same input position, in the same way everywhere."""
    layer, kind = call.operation, type(call.operation).__name__
    maps = all(len(tensor.shape) == 4 for tensor in call.inputs)  # not single channels (N, h, w)
    pointwise = (
        kind in _POINTWISE
        or (kind in _ALONG_CHANNELS and maps and _single(layer.axis) in ((1,) if channels_first else (-1, 3)))
        or (kind == "Stack" and not maps and layer.axis in (-1, 3) and not channels_first)
        or (kind in _ALONG_THE_LAST_AXIS and not channels_first)
        or (kind == "GetItem" and maps and _only_channels(call.args[1], channels_first))
        or (kind == "PReLU" and set(layer.shared_axes or ()) >= ({2, 3} if channels_first else {1, 2}))
    )
    # A constant in a sum or product may be a map itself.
    constants = [] if isinstance(layer, keras.Layer) else keras.tree.flatten((call.args, call.kwargs))
    return pointwise and all(_same_everywhere(constant, channels_first) for constant in constants)


def _same_everywhere(argument: Any, channels_first: bool) -> bool:
    """Return whether an argument is a tensor of the graph, or a constant with the same value at all positions."""
    if isinstance(argument, keras.KerasTensor):
        return True
    shape = getattr(argument, "shape", ())
    across = shape[-2:] if channels_first else shape[-3:-1]
    return all(side == 1 for side in across)


def _only_channels(key: Any, channels_first: bool) -> bool:
    """Return whether an index keeps all positions of a map (N, h, w, c), such as [..., ::-1] or [..., 0]."""
    parts = list(key) if isinstance(key, (tuple, list)) else [key]
    if not all(isinstance(part, (slice, int)) or part is Ellipsis for part in parts):
        return False
    if Ellipsis in parts:
        at = parts.index(Ellipsis)
        parts[at : at + 1] = [slice(None)] * (5 - len(parts))
    parts += [slice(None)] * (4 - len(parts))
    return all(part == slice(None) for part in (parts[2:] if channels_first else parts[1:3]))


def _over_positions(operation: keras.Operation, channels_first: bool) -> bool:
    axes = getattr(operation, "axis", None)
    axes = range(4) if axes is None else [axis % 4 for axis in ((axes,) if isinstance(axes, int) else axes)]
    return set(axes) >= ({2, 3} if channels_first else {1, 2})


def _dilated(layer: keras.Operation, kernel: int | tuple[int, ...], axis: int) -> int:
    return (_along(kernel, axis) - 1) * _along(getattr(layer, "dilation_rate", 1), axis) + 1


def _along(sides: int | tuple[int, ...], axis: int) -> int:
    return sides if isinstance(sides, int) else sides[axis if len(sides) > axis else 0]


def _single(axes: int | list | tuple) -> int | None:
    return axes if isinstance(axes, int) else axes[0] if len(axes) == 1 else None
