"""Use Keras temporarily with its default configuration."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

import keras
from keras.src.backend.common import global_state

_COUNTERS = "object_name_uids"  # the number of layers of each kind that Keras has named, in this thread
_CONFIG = RLock()  # Keras has one data format and one float type for all threads


@contextmanager
def plain_keras() -> Iterator[None]:
    """Build channels-last in float32, and name layers as in a new session.

    Pictures here are (H, W, 3), and automatic names such as `conv2d_5` then mean the same layer in every session.
    Other threads that build a network wait.
    """
    with _CONFIG:
        saved = keras.config.image_data_format(), keras.config.floatx(), keras.config.dtype_policy()
        counters = global_state.get_global_attribute(_COUNTERS)
        keras.config.set_image_data_format("channels_last")
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
        global_state.set_global_attribute(_COUNTERS, defaultdict(int))
        try:
            yield
        finally:
            keras.config.set_image_data_format(saved[0])
            keras.config.set_floatx(saved[1])
            keras.config.set_dtype_policy(saved[2])
            global_state.set_global_attribute(_COUNTERS, counters)
