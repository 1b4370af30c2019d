"""Objectives with a known minimum, for tests of the optimizers."""

from functools import partial

import numpy as np
from keras import ops

from dreamscripts.images.preprocessing import PREPROCESSINGS
from dreamscripts.objective.transforms import Transforms
from dreamscripts.settings.tables import Jitter


class Bowl:
    """½‖x − centre‖². `evaluated` has the pictures whose loss was computed, `draws_used` the numbers of the draws.

    An optimizer can ask it with arrays, or have its own steps run with it: they are not compiled.
    """

    names, passes_at_once = ("height",), 1

    def __init__(self, centre, preprocessing="none"):
        self.centre, self.evaluated, self.draws_used, self.is_random = centre, [], [], False
        self.preprocessing = PREPROCESSINGS[preprocessing]
        self.known = None

    @property
    def drawn(self):
        return self.draws_used[-1] if self.draws_used else 0

    def draw(self, number):
        self.draws_used.append(number)

    def is_cached(self, x):
        return self.known is not None and np.array_equal(array(x), array(self.known[0]))

    def loss(self, x):
        if self.is_cached(x):
            return self.known[1]
        self.evaluated.append(array(x).copy())
        return float(self.height(array(x)))

    def gradient(self, x):
        slope = self.known[2] if self.is_cached(x) else self.slope(array(x))
        return ops.convert_to_tensor(slope, "float32") if ops.is_tensor(x) else slope

    def terms(self, x):
        return {"height": self.loss(x)}

    def height(self, x):
        return 0.5 * ((x - self.centre) ** 2).sum()

    def slope(self, x):
        return x - self.centre

    def compiled(self, function, shape):
        return partial(function, self.evaluate)

    def evaluate(self, x, draw):
        assert ops.is_tensor(x)
        assert ops.dtype(x) == "float32"
        gradient = self.gradient(x)
        return np.array([self.loss(x), ops.convert_to_numpy(gradient).sum()]), gradient

    def draws(self, numbers):
        return Transforms.of(Jitter(), None, self.preprocessing).draws(0, numbers)

    def current_draw(self, shape):
        return self.draws([self.drawn]).of(0)

    def record(self, x, numbers, gradient, drawn):
        if drawn != self.drawn:
            self.draw(drawn)
        ((height, _),) = np.atleast_2d(numbers)
        self.known = x, float(height), ops.convert_to_numpy(gradient)
        return [float(height)]


def array(x):
    """Return a picture as float64."""
    return ops.convert_to_numpy(x).astype(float) if ops.is_tensor(x) else x


class Valley(Bowl):
    """Rosenbrock's function, for which L-BFGS needs dozens of evaluations."""

    def height(self, x):
        x = x.ravel()
        return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()

    def slope(self, x):
        flat = x.ravel()
        g = np.zeros_like(flat)
        g[:-1] = -400 * flat[:-1] * (flat[1:] - flat[:-1] ** 2) - 2 * (1 - flat[:-1])
        g[1:] += 200 * (flat[1:] - flat[:-1] ** 2)
        return g.reshape(x.shape)


class Slope(Bowl):
    """Σ g·x, whose gradient is g everywhere."""

    def __init__(self, g, preprocessing="none"):
        super().__init__(np.zeros_like(g), preprocessing)
        self.g = g

    def height(self, x):
        return (self.g * x).sum()

    def slope(self, x):
        return self.g
