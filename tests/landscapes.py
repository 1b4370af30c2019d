"""Losses whose answers are known, in the place of an Evaluator: for the optimizers to walk on."""

import numpy as np


class Bowl:
    """½‖x − centre‖²; `asked` are the pictures that the loss was asked of, `drawn` the draws of the jitter."""

    def __init__(self, centre):
        self.centre, self.asked, self.drawn, self.is_random = centre, [], [], False

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

    def __init__(self, g):
        super().__init__(np.zeros_like(g))
        self.g = g

    def loss(self, x):
        super().loss(x)
        return float((self.g * x).sum())

    def gradient(self, x):
        return self.g
