"""3×3 convolutions by Winograd's algorithm F(4×4, 3×3), which needs a quarter of the multiplications.

4×4 outputs are an inverse transform of 36 products of a transformed 6×6 input and a transformed filter. Direct
convolution needs 144 (Lavin & Gray 2016, "Fast Algorithms for Convolutional Neural Networks", §4). The sums of the 36
products over channels are 36 matrix multiplications. The gradient with respect to the input is also a 3×3 convolution,
with the filter rotated by 180° and its channels exchanged. Results agree with direct convolution to six digits.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from dreamscripts.networks.graph import is_channels_first
from dreamscripts.networks.rewrite.clone import Substitute, rewrite

# Lavin & Gray's matrices for the points 0, 1, −1, 2, −2 and ∞: Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A.
_FILTER = np.array(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
)
_INPUT = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
_OUTPUT = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])

# For rows and columns of a tile (36 or 16 values) together: one matrix multiplication instead of many additions.
TO_PRODUCTS = np.kron(_INPUT, _INPUT).astype(np.float32)
FROM_PRODUCTS = np.kron(_OUTPUT, _OUTPUT).astype(np.float32)


def transform_filter(kernel: np.ndarray) -> np.ndarray:
    """Transform a kernel (3, 3, c, o) to (36, c, o), float32."""
    rows_and_columns = np.kron(_FILTER, _FILTER)
    return (rows_and_columns @ kernel.reshape(9, -1)).reshape(36, *kernel.shape[2:]).astype(np.float32)


def convolve(x: Any, transformed: Any, padding: int) -> Any:
    """Convolve x (N, h, w, c) with a transformed filter (36, c, o), with `padding` zeros around x."""
    count, height, width, channels = ops.shape(x)
    height, width = height + 2 * padding - 2, width + 2 * padding - 2  # of the result
    down, right = (height + 3) // 4, (width + 3) // 4  # tiles
    rows, columns = 4 * down + 2, 4 * right + 2
    beyond = (padding, rows - height - 2 + padding), (padding, columns - width - 2 + padding)
    x = ops.reshape(ops.pad(x, ((0, 0), *beyond, (0, 0))), (count * rows * columns, channels))

    # Tiles are cut out and joined by gathering whole rows of channels. Extracting patches and transposing them takes
    # twice as long.
    row, column, picture, tile_down, tile_right = _grid(6, 6, count, down, right)
    places = (picture * rows + 4 * tile_down + row) * columns + 4 * tile_right + column
    tiles = ops.take(x, ops.reshape(places, [-1]), axis=0)
    products = ops.matmul(TO_PRODUCTS, ops.reshape(tiles, (36, -1)))
    products = ops.matmul(ops.reshape(products, (36, -1, channels)), transformed)
    y = ops.reshape(ops.matmul(FROM_PRODUCTS, ops.reshape(products, (36, -1))), (-1, transformed.shape[-1]))
    picture, row, column = _grid(count, height, width)
    places = ((row % 4 * 4 + column % 4) * count + picture) * down * right + row // 4 * right + column // 4
    return ops.reshape(ops.take(y, ops.reshape(places, [-1]), axis=0), (count, height, width, -1))


def _grid(*lengths: Any) -> list[Any]:
    """Return the index along each axis of an array with these lengths, in shapes for broadcasting."""
    axes = range(len(lengths))
    return [ops.reshape(ops.arange(lengths[i], dtype="int32"), [-1 if axis == i else 1 for axis in axes]) for i in axes]


class WinogradConv2D(keras.layers.Conv2D):
    """A 3×3 convolution with stride 1 that stores its filters transformed: for the output, and for the gradient.

    It has a gradient with respect to its input, but not with respect to its filters, so it cannot be trained.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights: `transformed` (36, c, o) and `turned` (36, o, c) for the gradient."""
        channels = input_shape[-1]
        self.transformed = self.add_weight(shape=(36, channels, self.filters), trainable=False, name="transformed")
        self.turned = self.add_weight(shape=(36, self.filters, channels), trainable=False, name="turned")
        self.bias = self.add_weight(shape=(self.filters,), name="bias") if self.use_bias else None
        self.built = True

    def call(self, x: Any) -> Any:
        """Convolve x (N, h, w, c)."""
        transformed, turned = ops.convert_to_tensor(self.transformed), ops.convert_to_tensor(self.turned)
        padding = 1 if self.padding == "same" else 0

        @ops.custom_gradient
        def convolution(x: Any) -> Any:
            def gradient(*arguments: Any, upstream: Any = None) -> Any:  # the backends pass it in different places
                return convolve(arguments[-1] if upstream is None else upstream, turned, 2 - padding)

            return convolve(x, transformed, padding), gradient

        y = convolution(x)
        if self.use_bias:
            y = y + ops.convert_to_tensor(self.bias)
        return self.activation(y)


def with_winograd(model: keras.Model, least: float) -> keras.Model:
    """Replace the convolutions of `model` whose `gain` is at least `least`. Layers keep their names."""
    if is_channels_first(model):
        return model
    replaced = {layer.name for layer in model.layers if 0 < gain(layer) >= least}
    if not replaced:
        return model

    return rewrite(model, {name: _by_winograd(model.get_layer(name)) for name in replaced})


def _by_winograd(layer: keras.layers.Conv2D) -> Substitute:
    return Substitute(WinogradConv2D.from_config(layer.get_config()), transformed_weights(*layer.get_weights()))


def transformed_weights(kernel: np.ndarray, *bias: np.ndarray) -> list[np.ndarray]:
    """Return the weights of a `WinogradConv2D` that is equal to a plain convolution with this kernel and bias."""
    turned = kernel[::-1, ::-1].transpose(0, 1, 3, 2)
    return [*bias, transform_filter(kernel), transform_filter(turned)]  # in Keras's order: trainable weights first


def gain(layer: keras.Layer) -> float:
    """Return the possible gain of a layer: c·o / (c + o) for c input and o output channels.

    It is 0 if the layer is not a plain 3×3 convolution of stride 1. The saved multiplications grow with c·o, and the
    cost of the transforms grows with c + o.
    """
    if type(layer) is not keras.layers.Conv2D:
        return 0
    plain = layer.kernel_size == (3, 3) and layer.strides == layer.dilation_rate == (1, 1) and layer.groups == 1
    if not plain or layer.padding not in ("same", "valid"):
        return 0
    channels = layer.kernel.shape[2]
    return channels * layer.filters / (channels + layer.filters)
