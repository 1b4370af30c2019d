"""A rival: the pass as a user of Keras on TensorFlow writes it, with nothing of ours but the network's layers.

The loss is written down a second time here, on purpose: where both agree, both are what they say.
"""

import time
from typing import Any

import numpy as np

from dreamscripts.benchmarks.contestant import Passes, Questions, Task, random_matrices, serve, timed_product
from dreamscripts.settings.schema import Settings


def open_plain_tensorflow(task: Task) -> tuple[dict[str, Any], Questions]:
    """Build the Keras model with the weights of the task's file, and trace its loss for the task's size."""
    started = time.perf_counter()
    import keras
    import tensorflow as tf

    from dreamscripts.networks.layers import describe_layers, find_layer
    from dreamscripts.networks.loading import build
    from dreamscripts.networks.rewrite.clone import give_weights

    settings, side = Settings.model_validate(task["settings"]), task["side"]
    tf.config.experimental.enable_tensor_float_32_execution(False)
    whole = build(settings.network, settings.weights)
    with np.load(task["weights"]) as weights:
        for layer in whole.layers:
            if f"{layer.name}:0" in weights:  # deeper ones are not in it, nor in use
                give_weights(layer, [weights[f"{layer.name}:{i}"] for i in range(len(layer.weights))])
    facts = describe_layers(whole)
    model = keras.Model(whole.inputs[0], {name: find_layer(facts, name).operation.output for name in settings.features})
    penalties = settings.penalties

    def loss_of(x):
        count = float(side * side * 3)
        features = model(x, training=False)
        loss = 0.0
        for name, f in features.items():
            inner = f[:, 2:-2, 2:-2, :]
            loss -= settings.features[name].weight * tf.reduce_sum(inner**2) / tf.cast(tf.size(f), tf.float32)
        down = x[:, 1:, :-1, :] - x[:, :-1, :-1, :]
        right = x[:, :-1, 1:, :] - x[:, :-1, :-1, :]
        loss += penalties.continuity * tf.reduce_sum((down**2 + right**2) ** 1.25) / count
        loss += penalties.dream_l2 * tf.reduce_sum(x**2) / count
        return loss

    @tf.function(input_signature=[tf.TensorSpec((1, side, side, 3), tf.float32)])
    def loss_and_gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = loss_of(x)
        return loss, tape.gradient(loss, x)

    def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
        loss, gradient = loss_and_gradient(tf.constant(x[None]))
        return float(loss), gradient.numpy()[0]

    def product(side: int):
        a, b = map(tf.constant, random_matrices(side))
        multiply = tf.function(lambda: tf.matmul(a, b)[0, 0])  # one number of it comes back
        return lambda: multiply().numpy()

    start_up = time.perf_counter() - started
    passes = Passes(task, evaluate)
    device = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    about = {
        "device": device,
        "versions": {"tensorflow": tf.__version__},
        "start_up": start_up,
        "first_pass": passes.seconds_of_first,
    }
    multiply = timed_product(device, product)
    return about, {"compare": passes.compare, "pass": passes.time_pass, "multiply": multiply}


if __name__ == "__main__":
    serve(open_plain_tensorflow)
