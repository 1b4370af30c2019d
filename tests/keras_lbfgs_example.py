"""The Keras L-BFGS example again, in NumPy and float64, for comparison with dreamscripts.

Nothing is imported from dreamscripts. Convolutions, their gradients and the loss are written from the formulas.
"""

import numpy as np
from scipy.optimize import fmin_l_bfgs_b

MEANS = np.array([103.939, 116.779, 123.68])


def preprocess(picture):
    return picture.astype(np.float64)[:, :, ::-1] - MEANS


def conv(x, kernel, bias):
    """Compute a 3×3 convolution with zero padding and a ReLU. Also returns the mask of positive outputs."""
    h, w, _ = x.shape
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    y = bias + sum(padded[i : i + h, j : j + w] @ kernel[i, j] for i in range(3) for j in range(3))
    active = y > 0
    return y * active, active


def conv_gradient(g, active, kernel):
    h, w, _ = g.shape
    g = g * active
    padded = np.zeros((h + 2, w + 2, kernel.shape[2]))
    for i in range(3):
        for j in range(3):
            padded[i : i + h, j : j + w] += g @ kernel[i, j].T
    return padded[1:-1, 1:-1]


def pool(x):
    """Compute the 2×2 maximum with stride 2, without an odd last row or column. Also returns the positions."""
    h, w, c = x.shape[0] // 2, x.shape[1] // 2, x.shape[2]
    blocks = x[: 2 * h, : 2 * w].reshape(h, 2, w, 2, c).transpose(0, 2, 1, 3, 4).reshape(h, w, 4, c)
    return blocks.max(axis=2), blocks.argmax(axis=2)


def pool_gradient(g, winners, shape):
    h, w, c = g.shape
    blocks = np.zeros((h, w, 4, c))
    np.put_along_axis(blocks, winners[:, :, None], g[:, :, None], axis=2)
    out = np.zeros(shape)
    out[: 2 * h, : 2 * w] = blocks.reshape(h, w, 2, 2, c).transpose(0, 2, 1, 3, 4).reshape(2 * h, 2 * w, c)
    return out


def layer_l2(f):
    inside = np.zeros_like(f)
    inside[2:-2, 2:-2] = f[2:-2, 2:-2]
    return (inside**2).sum() / f.size, 2 * inside / f.size


def continuity(x):
    down, right = x[1:, :-1] - x[:-1, :-1], x[:-1, 1:] - x[:-1, :-1]
    squares = down**2 + right**2
    slope = 1.25 * squares**0.25 * 2 / x.size
    g = np.zeros_like(x)
    g[1:, :-1] += slope * down
    g[:-1, 1:] += slope * right
    g[:-1, :-1] -= slope * (down + right)
    return (squares**1.25).sum() / x.size, g


class Example:
    """The loss and its gradient, for a VGG given as {layer: (kernel, bias)} and the weights of a settings file."""

    def __init__(self, weights, features, continuity_weight, dream_l2):
        self.weights, self.features = weights, features
        self.continuity_weight, self.dream_l2 = continuity_weight, dream_l2

    def loss_and_gradient(self, x):
        loss, g_features, tape, h = 0.0, {}, [], x
        for block, convolutions in enumerate((2, 2, 3, 3, 3), 1):
            for i in range(1, convolutions + 1):
                name = f"block{block}_conv{i}"
                h, active = conv(h, *self.weights[name])
                tape.append((name, active))
                if name in self.features:
                    value, slope = layer_l2(h)
                    loss -= self.features[name] * value
                    g_features[name] = -self.features[name] * slope
            before = h.shape
            h, winners = pool(h)
            tape.append((None, (winners, before)))
        g = np.zeros_like(h)
        for name, kept in reversed(tape):
            if name is None:
                g = pool_gradient(g, *kept)
            else:
                g = conv_gradient(g + g_features.get(name, 0), kept, self.weights[name][0])
        value, slope = continuity(x)
        loss += self.continuity_weight * value + self.dream_l2 * (x**2).sum() / x.size
        return loss, g + self.continuity_weight * slope + self.dream_l2 * 2 * x / x.size

    def run(self, x, noises):
        """Run the loop of the example: add noise, minimise with maxfun=7, subtract the noise. Returns the losses."""

        def loss(flat):
            return self.loss_and_gradient(flat.reshape(x.shape))[0]

        def gradient(flat):
            return self.loss_and_gradient(flat.reshape(x.shape))[1].ravel()

        losses, current = [], x
        for noise in noises:
            flat, value, _ = fmin_l_bfgs_b(loss, (current + noise).ravel(), fprime=gradient, maxfun=7)
            current = flat.reshape(x.shape) - noise
            losses.append(value)
        return losses
