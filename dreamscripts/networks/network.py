"""Network: a Keras model that ends at the layers in use, with the preprocessing of its pictures."""

import logging
import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import keras
from keras import ops

from dreamscripts.errors import PictureError
from dreamscripts.images.preprocessing import Preprocessing
from dreamscripts.networks.graph import fixed_size, is_channels_first
from dreamscripts.networks.layers import (
    EDGE,
    describe_layers,
    feature_shapes,
    grid,
    least_side,
)
from dreamscripts.networks.rewrite.open_size import why_fixed
from dreamscripts.networks.rewrite.winograd import WinogradConv2D

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Network:
    """A network that ends at its deepest layer in use.

    `model` takes pictures (N, H, W, 3), or (N, 3, H, W) if it was saved for these, and returns {layer: features}.
    `preprocessing` converts pictures for it. `edge` is the number of positions at each border of the features that
    the loss ignores. Pictures must be large enough to leave positions inside. `tf32` allows a GPU to round
    factors to TF32.
    """

    name: str
    model: keras.Model
    preprocessing: Preprocessing
    edge: int = EDGE
    tf32: bool = False

    @property
    def channel_axis(self) -> int:
        """The axis of the channels in the tensors of the model: 1 or -1."""
        return 1 if is_channels_first(self.model) else -1

    def features(self, x: Any, training: bool = False) -> dict[str, Any]:
        """Compute {layer: features (N, h, w, c)} of preprocessed pictures (N, H, W, 3), all float32 tensors.

        With `training`, batch normalisation uses the statistics of these pictures, and updates its own.
        """
        first = is_channels_first(self.model)
        extended = self._extended(x)
        features = self.model(ops.transpose(extended, (0, 3, 1, 2)) if first else extended, training=training)
        if first:
            features = {name: ops.transpose(f, (0, 2, 3, 1)) for name, f in features.items()}
        if extended is not x:
            features = {name: _within(f, x, extended) for name, f in features.items()}
        return {name: ops.cast(f, "float32") for name, f in features.items()}

    @cached_property
    def grid(self) -> tuple[int, int]:
        """(m, r): the sides of pictures must be a multiple of m, plus r. `features` extends other pictures."""
        return grid(self.model)

    def _extended(self, x: Any) -> Any:
        """Repeat the last row and column of pictures until their sides fit the grid."""
        multiple, rest = self.grid
        if multiple > 1:
            for axis in (1, 2):
                side = ops.shape(x)[axis]
                longer = side + (rest - side) % multiple
                x = ops.take(x, ops.minimum(ops.arange(longer, dtype="int32"), side - 1), axis=axis)
        return x

    def extended_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the size (height, width) to which `features` enlarges a picture, so that its sides fit the grid."""
        multiple, rest = self.grid
        return height + (rest - height) % multiple, width + (rest - width) % multiple

    def fits(self, height: int, width: int) -> bool:
        """Return whether the layers in use can be computed for a picture of this size."""
        return feature_shapes(self.model, *self.extended_size(height, width), self.edge) is not None

    @cached_property
    def only_size(self) -> tuple[int, int] | None:
        """The height and width of the pictures that the network takes, or None if it takes pictures of any size."""
        return fixed_size(self.model)

    @cached_property
    def least_side(self) -> int | None:
        """The side in pixels of the smallest square picture that fits, or None if no picture fits.

        If the network takes only one size, it is the longer side.
        """
        return least_side(self.model, self.edge)

    def check_size(self, height: int, width: int) -> None:
        """Raise PictureError if the layers in use cannot be computed for a picture of this size."""
        layers = ", ".join(self.model.output)
        if self.fits(height, width):
            if self.extended_size(height, width) != (height, width):
                taller, wider = self.extended_size(height, width)
                multiple, rest = self.grid
                log.warning(
                    "the layers %s of %s need sides that are multiples of %d pixels%s. The picture is extended from "
                    "%d×%d to %d×%d. The loss ignores the features outside the picture",
                    *(layers, self.name, multiple, f" plus {rest}" if rest else "", width, height, wider, taller),
                )
            return
        if only := self.only_size:
            rows, columns = only
            shape = "a square photograph" if rows == columns else f"a photograph cropped to {columns}:{rows}"
            raise PictureError(
                f"{self.name} at {layers} takes pictures of {columns}×{rows} only, not of {width}×{height}, because "
                f"{why_fixed(self.model)}: give {shape} and --size {max(only)}"
            )
        if self.least_side is None:
            raise PictureError(
                f"{self.name} at {layers}: measure l2 ignores {self.edge} positions at each border, but the layer has "
                'only one value for the whole picture: use measure = "mean"'
            )
        raise PictureError(
            f"a picture of {width}×{height} is too small for {self.name} at {layers}: "
            f"both sides must be at least {self.least_side} pixels; give a larger --size"
        )

    def at(self, layer: str) -> "Network":
        """Return this network cut again at one of its layers."""
        return replace(self, model=keras.Model(self.model.inputs[0], {layer: self.model.output[layer]}))

    def multiplications(self, height: int, width: int) -> int:
        """Count the multiply-adds of the convolutions in a forward pass over a picture of this size.

        The count is accurate to a few per cent. It is that of direct convolutions, even if another algorithm is used.
        """
        return sum(
            int(height * width / facts.stride**2 * math.prod(shape))
            for facts in describe_layers(self.model)
            for shape in _kernels(facts.operation)
        )


def _within(f: Any, x: Any, extended: Any) -> Any:
    """Return the features (N, h, w, c) of an extended picture that are inside the picture x."""
    sizes = [(ops.shape(f)[i] * ops.shape(x)[i] + ops.shape(extended)[i] - 1) // ops.shape(extended)[i] for i in (1, 2)]
    return ops.slice(f, (0, 0, 0, 0), (ops.shape(f)[0], *sizes, ops.shape(f)[3]))


def _kernels(layer: keras.Operation) -> list[tuple[int, ...]]:
    """Return the shapes of a layer's kernels."""
    if isinstance(layer, WinogradConv2D):
        return [(*layer.kernel_size, *layer.transformed.shape[1:])]
    return [weight.shape for weight in getattr(layer, "weights", []) if len(weight.shape) == 4]
