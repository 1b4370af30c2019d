"""3×3 convolutions by Winograd's minimal filtering F(4×4, 3×3): the same numbers from a quarter of the multiplications.

4×4 outputs are an inverse transform of 36 products of a transformed 6×6 input and a transformed filter, where the
convolution itself takes 144 (Lavin & Gray 2016, "Fast Algorithms for Convolutional Neural Networks", §4). Summed over
channels, the 36 products are 36 matrix multiplications. The gradient with respect to the input is a convolution of
the same kind, with the filter turned round and its channels exchanged.
"""

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

# On the 36 values of a tile, or its 16, rows and columns at once: one matrix multiplication instead of many additions.
TO_PRODUCTS = np.kron(_INPUT, _INPUT).astype(np.float32)
FROM_PRODUCTS = np.kron(_OUTPUT, _OUTPUT).astype(np.float32)


def transform_filter(kernel: np.ndarray) -> np.ndarray:
    """(36, c, o) for a kernel (3, 3, c, o): float32."""
    rows_and_columns = np.kron(_FILTER, _FILTER)
    return (rows_and_columns @ kernel.reshape(9, -1)).reshape(36, *kernel.shape[2:]).astype(np.float32)


def convolve(x, transformed, padding: int):
    """The convolution of x (N, h, w, c), with so many zeros around it, and the kernel of a filter (36, c, o)."""
    count, height, width, channels = ops.shape(x)
    height, width = height + 2 * padding - 2, width + 2 * padding - 2  # of the result
    down, right = (height + 3) // 4, (width + 3) // 4  # tiles
    rows, columns = 4 * down + 2, 4 * right + 2
    beyond = (padding, rows - height - 2 + padding), (padding, columns - width - 2 + padding)
    x = ops.reshape(ops.pad(x, ((0, 0), *beyond, (0, 0))), (count * rows * columns, channels))

    # Tiles are cut out of the picture, and laid back into it, by gathering whole rows of channels: cutting patches and
    # transposing take twice as long.
    row, column, picture, tile_down, tile_right = _grid(6, 6, count, down, right)
    places = (picture * rows + 4 * tile_down + row) * columns + 4 * tile_right + column
    tiles = ops.take(x, ops.reshape(places, [-1]), axis=0)
    products = ops.matmul(TO_PRODUCTS, ops.reshape(tiles, (36, -1)))
    products = ops.matmul(ops.reshape(products, (36, -1, channels)), transformed)
    y = ops.reshape(ops.matmul(FROM_PRODUCTS, ops.reshape(products, (36, -1))), (-1, transformed.shape[-1]))
    picture, row, column = _grid(count, height, width)
    places = ((row % 4 * 4 + column % 4) * count + picture) * down * right + row // 4 * right + column // 4
    return ops.reshape(ops.take(y, ops.reshape(places, [-1]), axis=0), (count, height, width, -1))


def _grid(*lengths):
    """The index along each axis of an array with these lengths, in shapes that spread over one another."""
    axes = range(len(lengths))
    return [ops.reshape(ops.arange(lengths[i], dtype="int32"), [-1 if axis == i else 1 for axis in axes]) for i in axes]


class WinogradConv2D(keras.layers.Conv2D):
    """A convolution 3×3 with stride 1 whose weights are its transformed filters, forward and backward.

    It is for pictures to learn through, not for learning: the filters have no gradient.
    """

    def build(self, input_shape):
        channels = input_shape[-1]
        self.transformed = self.add_weight(shape=(36, channels, self.filters), trainable=False, name="transformed")
        self.turned = self.add_weight(shape=(36, self.filters, channels), trainable=False, name="turned")
        self.bias = self.add_weight(shape=(self.filters,), name="bias") if self.use_bias else None
        self.built = True

    def call(self, x):
        transformed, turned = ops.convert_to_tensor(self.transformed), ops.convert_to_tensor(self.turned)
        padding = 1 if self.padding == "same" else 0

        @ops.custom_gradient
        def convolution(x):
            def gradient(*arguments, upstream=None):  # which of them it comes in depends on the backend
                return convolve(arguments[-1] if upstream is None else upstream, turned, 2 - padding)

            return convolve(x, transformed, padding), gradient

        y = convolution(x)
        if self.use_bias:
            y = y + ops.convert_to_tensor(self.bias)
        return self.activation(y)


def with_winograd(model: keras.Model, least: float) -> keras.Model:
    """`model` with those convolutions replaced whose `gain` is at least so much; layers keep their names."""
    if is_channels_first(model):
        return model
    replaced = {layer.name for layer in model.layers if 0 < gain(layer) >= least}
    if not replaced:
        return model

    return rewrite(model, {name: _by_winograd(model.get_layer(name)) for name in replaced})


def _by_winograd(layer: keras.layers.Conv2D) -> Substitute:
    return Substitute(WinogradConv2D.from_config(layer.get_config()), transformed_weights(*layer.get_weights()))


def transformed_weights(kernel: np.ndarray, *bias: np.ndarray) -> list[np.ndarray]:
    """The weights of a `WinogradConv2D` that computes what a plain convolution with these weights does."""
    turned = kernel[::-1, ::-1].transpose(0, 1, 3, 2)
    return [*bias, transform_filter(kernel), transform_filter(turned)]  # in Keras's order: what can learn is first


def gain(layer: keras.Layer) -> float:
    """What a layer may gain: c·o / (c + o) of its channels in and out; 0 where it is no 3×3 convolution of stride 1.

    The multiplications saved grow with c·o, and what the transforms move with c + o.
    """
    if type(layer) is not keras.layers.Conv2D:
        return 0
    plain = layer.kernel_size == (3, 3) and layer.strides == layer.dilation_rate == (1, 1) and layer.groups == 1
    if not plain or layer.padding not in ("same", "valid"):
        return 0
    channels = layer.kernel.shape[2]
    return channels * layer.filters / (channels + layer.filters)
