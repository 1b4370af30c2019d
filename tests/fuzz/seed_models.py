"""Small models and weights in every format, which the fuzzer of models changes."""

import numpy as np


def make(folder):
    """Write the files. Called in a process of its own, because Keras is used in it."""
    import keras
    from keras import layers

    inputs = keras.Input((16, 16, 3), name="picture")
    inner = keras.Sequential([keras.Input((16, 16, 3)), layers.Rescaling(1 / 255), layers.RandomFlip()], name="inner")
    x = layers.BatchNormalization(name="norm")(layers.Conv2D(4, 3, activation="relu", name="conv")(inner(inputs)))
    model = keras.Model(inputs, layers.Dense(2, name="head")(layers.GlobalAveragePooling2D()(x + 1.0)))
    model.save(folder / "model.keras")
    model.save(folder / "model.h5")
    plain = keras.Model(inputs, layers.Conv2D(4, 3, name="conv")(inputs))
    plain.save(folder / "plain.keras")
    plain.save_weights(folder / "w.weights.h5")
    arrays = {f"conv/{weight.name}": np.asarray(weight) for weight in plain.weights}
    np.savez(folder / "w.npz", **arrays)
    np.savez_compressed(folder / "packed.npz", **arrays)
    np.save(folder / "direction.npy", np.ones(4, np.float32))
