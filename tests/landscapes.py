"""Objectives whose minimum is known, for the optimizers to minimise."""

import numpy as np

from dreamscripts.images.preprocessing import PREPROCESSINGS


class Bowl:
    """½‖x − centre‖²; `asked` are the pictures whose loss was computed, `drawn` the draws of the jitter."""

    def __init__(self, centre, preprocessing="none"):
        self.centre, self.asked, self.drawn, self.is_random = centre, [], [], False
        self.preprocessing = PREPROCESSINGS[preprocessing]

    def draw(self, number):
        self.drawn.append(number)

    def loss(self, x):
        self.asked.append(x.copy())
        return 0.5 * float(((x - self.centre) ** 2).sum())

    def gradient(self, x):
        return x - self.centre

    def terms(self, x):
        return {"height": self.loss(x)}


class Valley(Bowl):
    """Rosenbrock's, which takes L-BFGS dozens of evaluations."""

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
    """Σ g·x, for a gradient g that is the same everywhere."""

    def __init__(self, g, preprocessing="none"):
        super().__init__(np.zeros_like(g), preprocessing)
        self.g = g

    def loss(self, x):
        super().loss(x)
        return float((self.g * x).sum())

    def gradient(self, x):
        return self.g
