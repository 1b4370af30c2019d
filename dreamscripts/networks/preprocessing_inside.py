"""Find the preprocessing that the first layers of a model do."""

import keras
import numpy as np

from dreamscripts.networks.graph import calls, fixed_size, is_channels_first

# Layers and operators that scale or shift the values of a picture, and those that keep the values at inference.
_AFFINE = {"Rescaling", "Normalization", "TrueDivide", "Divide", "Multiply", "Add", "Subtract"}
_PASSING = {
    *("Identity", "Dropout", "GaussianNoise", "Cast", "GetItem", "Flip", "Stack", "Resizing"),
    *(f"Random{change}" for change in ("Flip", "Rotation", "Zoom", "Translation", "Contrast", "Brightness", "Shear")),
}
# The smallest and largest difference of black and white after preprocessing. Usual differences are 1, 2, and about 4.5
# (1 divided by the standard deviation).
_NORMALISED = 0.5, 20
_CENTRED = 100, 300  # the same limits if preprocessing only subtracts the mean: the difference is 255


def preprocessing_inside(model: keras.Model) -> str | None:
    """Return the format of the pictures that `model` (flat) preprocesses: "none" (0 to 255) or "unit" (0 to 1).

    Returns None if it does not preprocess pictures, or if this is uncertain.
    """
    end = _preprocessed(model)
    if end is None:
        return None
    height, width = fixed_size(model) or (8, 8)
    shape = (1, 3, height, width) if is_channels_first(model) else (1, height, width, 3)
    first_layers = keras.Model(model.inputs[0], end)
    black, white = (
        keras.ops.convert_to_numpy(first_layers(np.full(shape, value, np.float32), training=False))
        for value in (0, 255)
    )
    distance, change = np.abs(white - black).max(), max(np.abs(black).max(), np.abs(white - 255).max())
    if _NORMALISED[0] <= distance <= _NORMALISED[1]:
        return "none"
    if _CENTRED[0] <= distance <= _CENTRED[1] and change > 2:  # a smaller mean is subtracted from values of 0 to 1
        return "none"
    return "unit" if _NORMALISED[0] <= distance / 255 <= _NORMALISED[1] and change > 0 else None


def _preprocessed(model: keras.Model) -> keras.KerasTensor | None:
    """Return the preprocessed picture, the only tensor that the other layers read, or None without preprocessing."""
    prepared = {id(model.inputs[0]): model.inputs[0]}
    read: dict[int, keras.KerasTensor] = {}
    kinds = set()
    for call in calls(model):
        kind = type(call.operation).__name__
        if kind in _AFFINE | _PASSING and all(id(tensor) in prepared for tensor in call.inputs):
            prepared |= {id(tensor): tensor for tensor in call.outputs}
            kinds.add(kind)
        else:
            read |= {id(tensor): tensor for tensor in call.inputs if id(tensor) in prepared}
    return next(iter(read.values())) if len(read) == 1 and kinds & _AFFINE else None
