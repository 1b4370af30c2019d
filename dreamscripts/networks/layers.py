"""What a person may ask of a network before dreaming: its layers, what each one sees, how small is too small."""

import math
from dataclasses import dataclass, field
from fractions import Fraction

import keras

from dreamscripts.errors import NetworkError
from dreamscripts.networks.graph import WITHIN, Call, RewriteError, calls, public_name, shapes_at

EDGE = 2  # what the layer L2 norm leaves out on every side, so that padding does not become a frame
LARGEST_SIDE = 20_000  # pixels, as settings allow them
_PROBE = 1024  # pixels: the side of the picture whose maps show how far an unknown operator shrinks them


@dataclass(frozen=True)
class LayerFacts:
    """A layer that a settings file can name; stride and receptive field are in pixels of the picture.

    Both are infinite for a layer that has one value for the whole picture. `operation` is the layer or operator.
    """

    name: str
    kind: str
    channels: int
    stride: int | float
    receptive_field: int | float
    operation: keras.Operation = field(repr=False, compare=False)


@dataclass(frozen=True)
class _Seen:
    """What one position of a tensor sees; `side` is that of the last map (N, h, w, c) that the tensor comes from."""

    field: int | float = 1
    stride: Fraction | float = Fraction(1)
    side: int = 0
    flat: bool = False  # it has lost its positions, as after global pooling


def describe_layers(model: keras.Model) -> list[LayerFacts]:
    """The layers and operators of `model` (flat) with a picture-like output, from the input on.

    Receptive fields by the usual recursion, r ← r + (k − 1)·j and j ← j·s, the widest over a layer's inputs.
    The gates of squeeze-and-excitation blocks, which see the whole picture, are left out of it.
    """
    first = is_channels_first(model)
    sides = _Sides(model)
    seen = {id(tensor): _Seen(side=sides.of(tensor)) for tensor in model.inputs}
    facts = []
    for call in calls(model):
        known = [seen[id(tensor)] for tensor in call.inputs if id(tensor) in seen]
        if not known:
            continue
        local = [one for one in known if one.field < math.inf] or known
        widest = max(local, key=lambda one: (one.field, one.stride))
        for output in call.outputs:
            shape = output.shape[2:] if first else output.shape[1:3]
            if (len(output.shape) < 4 and not _is_plane(call, output)) or (widest.flat and tuple(shape) == (1, 1)):
                seen[id(output)] = _Seen(math.inf, math.inf, widest.side, flat=True)
            else:
                seen[id(output)] = one = _through(call, output, widest, sides, first)
                if len(output.shape) == 4 and len(call.outputs) == 1:
                    facts.append(_facts(call.operation, output.shape[1 if first else -1], one))
    return facts


def _facts(operation: keras.Operation, channels: int, seen: _Seen) -> LayerFacts:
    stride = seen.stride if seen.stride == math.inf else max(1, round(seen.stride))
    field = seen.field if seen.field == math.inf else math.ceil(seen.field)
    return LayerFacts(public_name(operation), type(operation).__name__, channels, stride, field, operation)


def find_layer(facts: list[LayerFacts], name: str) -> LayerFacts | None:
    """The layer called `name`, or the only one of an inner model called so: `conv` for `inner/conv`.

    Raises NetworkError if several inner models have one.
    """
    found = [one for one in facts if one.name == name] or [one for one in facts if one.name.endswith(f"{WITHIN}{name}")]
    if len(found) > 1:
        raise NetworkError(f"'{name}' is the name of {len(found)} layers: {', '.join(one.name for one in found)}")
    return found[0] if found else None


class _Sides:
    """The side of each tensor's map for a picture that is large, or as large as the model takes them."""

    def __init__(self, model: keras.Model):
        self._model = model
        self._first = is_channels_first(model)
        self._shapes: dict[int, tuple[int, ...]] | None = None

    def of(self, tensor: keras.KerasTensor) -> int:
        """0 if it is not known."""
        _, *shape = self._model.inputs[0].shape
        if self._shapes is None:
            shape = [side or _PROBE for side in shape]
            try:
                self._shapes = shapes_at(self._model, (1, *shape))
            except RewriteError:  # at another size it may do
                self._shapes = {}
        shape = self._shapes.get(id(tensor), ())
        return shape[2 if self._first else 1] or 0 if len(shape) == 4 else 0


def _is_plane(call: Call, output: keras.KerasTensor) -> bool:
    """Whether a tensor (N, h, w) is one channel of a map, which still has its positions."""
    kinds = ("GetItem", "Squeeze", "Stack", "TrueDivide", "Multiply", "Add", "Subtract")
    return type(call.operation).__name__ in kinds and any(
        len(output.shape) == 3 and tuple(one.shape[1:3]) == tuple(output.shape[1:3]) for one in call.inputs
    )


_WHOLE = ("GlobalAveragePooling2D", "GlobalMaxPooling2D")
_EDGES = {"ZeroPadding2D", "Cropping2D", "Pad"}  # they change the size of a map, but not its stride
_REDUCTIONS = {"Mean", "Sum", "Max", "Min", "Amax", "Amin", "Var", "Std", "Prod", "Logsumexp"}
_CONVOLUTIONS = {"Conv", "DepthwiseConv", "SeparableConv"}  # operators, whose kernel is an argument


def _through(call: Call, output: keras.KerasTensor, before: _Seen, sides: _Sides, first: bool) -> _Seen:
    """What is seen through one call."""
    side = sides.of(output) or before.side
    window = _window(call, first)
    if window is None:
        return _Seen(math.inf, math.inf, side)
    extent, step = window
    if step is None:
        step = _ratio(before.side, side)
    if before.stride == math.inf:
        return _Seen(math.inf, before.stride, side)
    return _Seen(before.field + (extent - 1) * before.stride, before.stride * step, side)


def _ratio(before: int, after: int) -> Fraction:
    """How many positions of the map before make one of the map after, without what a window lacks at the edges."""
    if not before or not after:
        return Fraction(1)
    return Fraction(round(before / after)) if before >= after else Fraction(1, round(after / before))


def _window(call: Call, first: bool) -> tuple[int, Fraction | None] | None:
    """The extent of what a call reads for one output position, dilation included, and its stride.

    The stride is None if only the sizes of maps tell it. The window is None if it is the whole picture.
    """
    operation, kind = call.operation, type(call.operation).__name__
    if kind in _WHOLE or (kind in _REDUCTIONS and _over_positions(operation, first)):
        return None
    kernel = getattr(operation, "kernel_size", None) or getattr(operation, "pool_size", None)
    if kind in _CONVOLUTIONS | {"ConvTranspose"}:
        kernel = call.args[1].shape[:2]
    if kernel is None:
        if kind in _EDGES:
            return 1, Fraction(1)
        if kind == "UpSampling2D":
            return 1 if operation.interpolation == "nearest" else 2, Fraction(1, max(_sides(operation.size)))
        return (2 if "Resiz" in kind else 1), None
    dilation = max(_sides(getattr(operation, "dilation_rate", 1)))
    extent, step = (max(_sides(kernel)) - 1) * dilation + 1, max(_sides(getattr(operation, "strides", 1) or kernel))
    if "Transpose" in kind:
        return math.ceil(extent / step), Fraction(1, step)
    return extent, Fraction(step)


def _over_positions(operation: keras.Operation, first: bool) -> bool:
    axes = getattr(operation, "axis", None)
    axes = range(4) if axes is None else [axis % 4 for axis in _sides(axes)]
    return set(axes) >= ({2, 3} if first else {1, 2})


def _sides(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value)


def is_channels_first(model: keras.Model) -> bool:
    """Whether the model was saved for pictures of shape (3, H, W)."""
    _, first, _, last = model.inputs[0].shape
    return first == 3 and last != 3


def fixed_size(model: keras.Model) -> tuple[int, int] | None:
    """(H, W) of the only pictures that `model` takes; None if it takes any."""
    _, *shape = model.inputs[0].shape
    height, width = shape[1:] if is_channels_first(model) else shape[:2]
    return (height, width) if height and width else None


def feature_shapes(
    model: keras.Model, height: int, width: int, edge: int = EDGE
) -> dict[str, tuple[int, int, int]] | None:
    """(H, W, C) of every output of a cut model for a picture of that size.

    None where the picture is too small for any of them to have something inside an edge of so many places.
    """
    if fixed_size(model) not in (None, (height, width)):
        return None
    first = is_channels_first(model)
    try:
        shapes = shapes_at(model, (1, 3, height, width) if first else (1, height, width, 3))
    except RewriteError:  # a convolution without padding that has nothing left to stand on
        return None
    found = {name: shapes[id(tensor)] for name, tensor in model.output.items()}
    features = {name: (*s[2:], s[1]) if first else s[1:] for name, s in found.items()}
    return features if all(side > 2 * edge for s in features.values() for side in s[:2]) else None


def grid(model: keras.Model) -> tuple[int, int]:
    """(m, r): `model` takes pictures whose sides leave the rest r when divided by m; (1, 0) for pictures of any size.

    An encoder–decoder joins maps that were halved and doubled with maps that were not: their sides must agree.
    """
    if fixed_size(model):
        return 1, 0
    strides = [Fraction(facts.stride) for facts in describe_layers(model) if facts.stride < math.inf]
    period = math.lcm(*(int(stride) for stride in strides))
    start = 16 * period  # large enough for convolutions without padding

    def joins(side: int) -> bool:
        return feature_shapes(model, side, side, 0) is not None

    if joins(start - 1) and joins(start):  # one less than a multiple is odd at every depth
        return 1, 0
    good = [side for side in range(start, start + period) if joins(side)]
    if not good:
        return 1, 0
    step = math.gcd(period, *(side - good[0] for side in good))
    return step, good[0] % step


def least_side(model: keras.Model, edge: int = EDGE) -> int | None:
    """The side of the smallest square picture that is large enough; None if none is, as for maps of 1×1."""
    if only := fixed_size(model):
        return max(only)
    step, rest = grid(model)

    def fits(steps: int) -> bool:
        return feature_shapes(model, rest + step * steps, rest + step * steps, edge) is not None

    too_small, enough = 0, 1
    while not fits(enough):
        too_small, enough = enough, 2 * enough
        if step * enough > 2 * LARGEST_SIDE:
            return None
    while enough - too_small > 1:
        middle = (too_small + enough) // 2
        if fits(middle):
            enough = middle
        else:
            too_small = middle
    return rest + step * enough
