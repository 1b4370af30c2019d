"""The noise of the jitter, stated value by value."""

import numpy as np

LIMIT = 2**32


def noise_of(key, height, width, amplitude):
    """The noise, value by value: a hash of its number and the key, in integers without sign."""
    values = []
    for number in range(height * width * 3):
        h = (number * 0x9E3779B9 % LIMIT) ^ (key % LIMIT)
        h = (h ^ h >> 16) * 0x7FEB352D % LIMIT
        h = (h ^ h >> 15) * 0x846CA68B % LIMIT
        h = (h ^ h >> 16) >> 8
        values.append((h if h < 2**23 else h - 2**24) / 2**23 * amplitude)
    return np.reshape(values, (height, width, 3))
