"""The learning rate and the kind of normalisation, by the share of the training that is done."""

import math

WARM_UP = 0.04  # share of the training in which the learning rate rises
START = 0.02  # the first learning rate, as a share of the highest
FINAL = 0.002  # the last one
FROZEN_FROM = 0.85  # share of the training after which batch normalisation uses fixed statistics


def position(steps: int, seconds: float, most_steps: int | None, minutes: float | None) -> float:
    """Return the share of the training that is done after some steps and seconds, 0 to 1."""
    by_steps = steps / most_steps if most_steps else 0.0
    by_time = seconds / (60 * minutes) if minutes else 0.0
    return min(1.0, max(by_steps, by_time))


def learning_rate(highest: float, position: float) -> float:
    """Return the learning rate: a linear rise, times a half cosine from `highest` to nearly 0.

    (Loshchilov and Hutter 2017, arXiv:1608.03983)
    """
    rise = min(1.0, position / WARM_UP + START)
    return highest * max(FINAL, rise * (1 + math.cos(math.pi * position)) / 2)
