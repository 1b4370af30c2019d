"""List the layers of a network that settings can name, and find the picture sizes that it takes."""

import math
from dataclasses import dataclass, field
from fractions import Fraction

import keras

from dreamscripts.errors import NetworkError
from dreamscripts.networks.graph import (
    WITHIN,
    RewriteError,
    calls,
    fixed_size,
    is_channels_first,
    public_name,
    shapes_at,
)
from dreamscripts.networks.receptive_field import fields_of_tensors

EDGE = 2  # positions at each border that measure l2 omits, because padding causes artefacts there
LARGEST_SIDE = 20_000  # pixels, the limit of settings


@dataclass(frozen=True)
class LayerFacts:
    """A layer that a settings file can name. Stride and receptive field are in pixels of the picture.

    Both are infinite for a layer that depends on the whole picture. `operation` is the layer or operator.
    """

    name: str
    kind: str
    channels: int
    stride: int | float
    receptive_field: int | float
    operation: keras.Operation = field(repr=False, compare=False)


def describe_layers(model: keras.Model) -> list[LayerFacts]:
    """List the layers and operators of `model` (flat) that output a map of the picture, in order from the input."""
    down, across = (fields_of_tensors(model, axis) for axis in (0, 1))
    facts = []
    for call in calls(model):
        output = call.outputs[0]
        if len(call.outputs) > 1 or len(output.shape) != 4 or id(output) not in down or down[id(output)].flat:
            continue
        stride = max(down[id(output)].stride, across[id(output)].stride)
        extent = max(down[id(output)].field, across[id(output)].field)
        facts.append(
            LayerFacts(
                public_name(call.operation),
                type(call.operation).__name__,
                output.shape[1 if is_channels_first(model) else -1],
                math.inf if stride == math.inf else max(1, round(stride)),
                math.inf if extent == math.inf else math.ceil(extent),
                call.operation,
            )
        )
    return facts


def find_layer(facts: list[LayerFacts], name: str) -> LayerFacts | None:
    """Find the layer called `name`, or the only layer of an inner model with this name: `conv` for `inner/conv`.

    Raises NetworkError if several inner models have a layer with this name.
    """
    inner = [layer for layer in facts if layer.name.endswith(f"{WITHIN}{name}")]
    found = [layer for layer in facts if layer.name == name] or inner
    if len(found) > 1:
        raise NetworkError(f"'{name}' is the name of {len(found)} layers: {', '.join(layer.name for layer in found)}")
    return found[0] if found else None


def feature_shapes(
    model: keras.Model, height: int, width: int, edge: int = EDGE
) -> dict[str, tuple[int, int, int]] | None:
    """Compute (h, w, c) of every output of a cut model for a picture of this size.

    Returns None if an output has no positions inside a border of `edge` positions.
    """
    if fixed_size(model) not in (None, (height, width)):
        return None
    first = is_channels_first(model)
    try:
        shapes = shapes_at(model, (1, 3, height, width) if first else (1, height, width, 3))
    except RewriteError:  # a convolution without padding on a map smaller than its kernel
        return None
    features = {}
    for name, tensor in model.output.items():
        _, *sides = shapes[id(tensor)]
        features[name] = (sides[1], sides[2], sides[0]) if first else (sides[0], sides[1], sides[2])
    return features if all(side > 2 * edge for s in features.values() for side in s[:2]) else None


def grid(model: keras.Model) -> tuple[int, int]:
    """Find (m, r) such that `model` takes pictures whose sides are a multiple of m, plus r.

    An encoder–decoder joins maps that were halved and doubled with maps that were not, and their sizes must agree.
    (1, 0) means that it takes sides of any length. (1, 0) is also returned if `model` takes only one size, or if no
    sides were found that it takes.
    """
    if fixed_size(model):
        return 1, 0
    strides = [Fraction(facts.stride) for facts in describe_layers(model) if facts.stride < math.inf]
    period = math.lcm(*(int(stride) for stride in strides))
    start = 16 * period  # large enough for convolutions without padding

    def joins(side: int) -> bool:
        return feature_shapes(model, side, side, 0) is not None

    if joins(start - 1) and joins(start):  # start - 1 stays odd each time it is halved and rounded down
        return 1, 0
    accepted = [side for side in range(start, start + period) if joins(side)]
    if not accepted:
        return 1, 0
    step = math.gcd(period, *(side - accepted[0] for side in accepted))
    return step, accepted[0] % step


def least_side(model: keras.Model, edge: int = EDGE) -> int | None:
    """Find the side of the smallest square picture that fits.

    Returns None if no picture fits, for example because the map of a layer is always 1×1. If `model` takes only one
    size, returns the longer side.
    """
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
