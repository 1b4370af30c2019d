"""Change a network that was saved for pictures of one size, so that it takes pictures of any size."""

import keras

from dreamscripts.networks.graph import RewriteError, fixed_size, is_channels_first, shapes_at
from dreamscripts.networks.plain_keras import plain_keras
from dreamscripts.networks.rewrite.clone import rewrite


def for_any_size(model: keras.Model) -> keras.Model:
    """Copy `model` so that it takes pictures of any height and width.

    Returns `model` itself if it takes any size already, or if a layer needs the fixed size.
    """
    size = fixed_size(model)
    if size is None:
        return model
    try:
        return _opened(model, size)
    except RewriteError:
        return model


def why_fixed(model: keras.Model) -> str:
    """Return a clause that explains why `model`, of one fixed size, does not take pictures of other sizes."""
    try:
        _opened(model, fixed_size(model) or (0, 0))
    except RewriteError as error:
        return str(error)
    return "it was saved for this size"


def _opened(model: keras.Model, size: tuple[int, int]) -> keras.Model:
    """Copy `model` so that it takes any size. Raises RewriteError, which names a layer that needs the fixed size."""
    first, (height, width) = is_channels_first(model), size
    with plain_keras():
        copy = rewrite(model, shape=(3, None, None) if first else (None, None, 3))
    shapes_at(copy, (1, 3, 2 * height, 2 * width) if first else (1, 2 * height, 2 * width, 3))
    return copy
