"""Objectives with a known minimum, for tests of the optimizers."""

import numpy as np

from dreamscripts.images.preprocessing import PREPROCESSINGS


class Bowl:
    """½‖x − centre‖². `evaluated` has the pictures whose loss was computed, `drawn` the numbers of the draws."""

    def __init__(self, centre, preprocessing="none"):
        self.centre, self.evaluated, self.drawn, self.is_random = centre, [], [], False
        self.preprocessing = PREPROCESSINGS[preprocessing]

    def draw(self, number):
        self.drawn.append(number)

    def loss(self, x):
        self.evaluated.append(x.copy())
        return 0.5 * float(((x - self.centre) ** 2).sum())

    def gradient(self, x):
        return x - self.centre

    def terms(self, x):
        return {"height": self.loss(x)}


class Valley(Bowl):
    """Rosenbrock's function, for which L-BFGS needs dozens of evaluations."""

    def loss(self, x):
        super().loss(x)
        x = x.ravel()
        return float((100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum())

    def gradient(self, x):
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

    def loss(self, x):
        super().loss(x)
        return float((self.g * x).sum())

    def gradient(self, x):
        return self.g
