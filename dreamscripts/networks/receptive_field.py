"""Receptive fields: the pixels that one position of a layer depends on, along one axis of the picture.

If all layers are local and translation-invariant, a position has the same value in a crop as in the whole picture.
There are three conditions. The crop starts at a multiple of the total stride. The distance from the end of the crop to
the end of the picture is also a multiple. The crop contains the receptive field of the position. At a cut edge, padding
gives wrong values. They affect only the margin, which is not used.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

import keras

from dreamscripts.errors import SettingsError
from dreamscripts.networks.graph import Call, RewriteError, calls, fixed_size, is_channels_first, public_name, shapes_at
from dreamscripts.networks.windows import Window, window_of

_LARGE = 1024  # pixels: the side of a picture whose maps show the stride of an unknown layer


@dataclass(frozen=True)
class ReceptiveField:
    """The receptive field of a layer along one axis.

    The layer has `size` positions, `stride` pixels apart (a fraction of a pixel in an enlarged picture). To get the
    positions from pixel a to pixel b (both multiples of all strides), a crop must span from a − `before` to
    b + `after`, or to the edge of the picture. One position depends on at most `field` pixels.

    Stride and field are infinite for a layer that depends on the whole picture. `flat` means that it has no positions.
    `problem` is a clause that explains why crops of the picture cannot be used. The other numbers are then estimates.
    """

    size: int
    stride: int | float | Fraction
    before: int | float | Fraction
    after: int | float | Fraction
    field: int | float | Fraction
    flat: bool = False
    problem: str = ""


def receptive_fields(model: keras.Model, axis: int, side: int, name: str) -> tuple[int, dict[str, ReceptiveField]]:
    """Compute the least common multiple of all strides, and {layer: receptive field} of the outputs of `model`.

    The picture has `side` pixels along the axis (0 down, 1 right). Raises SettingsError, which names the network
    `name` and the first layer whose values in a crop differ from those in the picture.
    """
    fields = fields_of_tensors(model, axis, side)
    for field in fields.values():
        if field.problem:
            raise SettingsError(f"{name}: exact tiles are not supported: {field.problem}")
    stride = math.lcm(*(int(field.stride) for field in fields.values()))
    return stride, {layer: fields[id(tensor)] for layer, tensor in model.output.items()}


def fields_of_tensors(model: keras.Model, axis: int, side: int | None = None) -> dict[int, ReceptiveField]:
    """Compute the receptive field of every tensor of `model` (flat), by its id, in order from the input.

    It uses the recursion r ← r + (k − 1)·j and j ← j·s, with the widest of a layer's inputs. The gates of
    squeeze-and-excitation depend on the whole picture. They are ignored. Without `side`, the picture has 1024 pixels,
    or the only size that `model` takes.
    """
    first = is_channels_first(model)
    sizes = _Sizes(model, axis, side)
    (picture,) = model.inputs
    fields = {id(picture): ReceptiveField(sizes.side, 1, before=0, after=0, field=1)}
    for call in calls(model):
        inputs = [fields[id(tensor)] for tensor in call.inputs if id(tensor) in fields]
        if not inputs:
            continue
        local = [field for field in inputs if field.field < math.inf] or inputs
        widest = max(local, key=lambda field: (field.field, field.stride))
        problem = next((field.problem for field in inputs if field.problem), "")
        window = window_of(call, axis, widest.size, first)
        reason = window.problem or ("joins maps of different sizes" if _joins_sizes(inputs) else "")
        for output in call.outputs:
            flat = _is_flat(call, output, widest, window, first)
            reason = reason or ("outputs no map of the picture" if flat else "")
            clause = problem or (reason and f"the layer '{public_name(call.operation)}' {reason}")
            if flat:
                fields[id(output)] = ReceptiveField(widest.size, *4 * (math.inf,), flat=True, problem=clause)
            else:
                fields[id(output)] = _through(window, local, widest, sizes, output, clause)
    return fields


def _through(
    window: Window,
    inputs: list[ReceptiveField],
    widest: ReceptiveField,
    sizes: "_Sizes",
    output: keras.KerasTensor,
    problem: str,
) -> ReceptiveField:
    """Return the receptive field of a layer that reads `inputs` through `window`. `widest` is its widest input."""
    size = sizes.of(output) or widest.size if problem else window.positions(widest.size)
    extent, step = window.extent, window.step or _ratio(widest.size, size)
    if extent == math.inf or widest.stride == math.inf:
        return ReceptiveField(size, *4 * (math.inf,), problem=problem)
    stride = _as_int(widest.stride * step)
    return ReceptiveField(
        size,
        stride,
        # The crop must contain all pixels that each layer reads. It must also contain the core of the last layer.
        before=max(0, *(field.before + window.before * field.stride for field in inputs)),
        after=max(
            sizes.side - size * stride,
            *(field.after + (extent - window.before) * field.stride - stride for field in inputs),
        ),
        field=max(field.field for field in inputs) + (extent - 1) * widest.stride,
        problem=problem,
    )


def _joins_sizes(inputs: list[ReceptiveField]) -> bool:
    return len({(field.size, field.stride) for field in inputs}) > 1


def _is_flat(
    call: Call, output: keras.KerasTensor, widest: ReceptiveField, window: Window, channels_first: bool
) -> bool:
    """Return whether a tensor has no positions, as after global pooling. A single channel (N, h, w) has positions."""
    if len(output.shape) >= 4:
        shape = output.shape[2:] if channels_first else output.shape[1:3]
        return widest.flat and tuple(shape) == (1, 1)
    kinds = ("GetItem", "Squeeze", "Stack", "TrueDivide", "Multiply", "Add", "Subtract")
    keeps_positions = not window.problem or type(call.operation).__name__ in kinds
    same_size = (tuple(x.shape[1:3]) == tuple(output.shape[1:3]) for x in call.inputs)
    return not (keeps_positions and len(output.shape) == 3 and any(same_size))


def _ratio(before: int, after: int) -> Fraction:
    """Return the step of a layer, from the sizes of its input and output."""
    if not before or not after:
        return Fraction(1)
    return Fraction(round(before / after)) if before >= after else Fraction(1, round(after / before))


def _as_int(number: int | float | Fraction) -> int | float | Fraction:
    return int(number) if number == int(number) else number


class _Sizes:
    """The sizes of the maps along an axis. They are computed only if the window of a layer does not give them."""

    def __init__(self, model: keras.Model, axis: int, side: int | None):
        only = fixed_size(model)
        self.side = side or (only[axis] if only else _LARGE)
        self._model = model
        self._axis = axis
        self._first = is_channels_first(model)
        self._shapes: dict[int, tuple[int, ...]] | None = None

    def of(self, tensor: keras.KerasTensor) -> int:
        """Return the size of a tensor's map, or 0 if it is unknown."""
        if self._shapes is None:
            height, width = fixed_size(self._model) or (self.side, self.side)
            try:
                self._shapes = shapes_at(self._model, (1, 3, height, width) if self._first else (1, height, width, 3))
            except RewriteError:  # the model may take other sizes
                self._shapes = {}
        shape = self._shapes.get(id(tensor), ())
        return shape[self._axis + (2 if self._first else 1)] or 0 if len(shape) == 4 else 0
