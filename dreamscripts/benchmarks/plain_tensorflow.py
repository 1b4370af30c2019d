"""Another program: a pass in plain Keras on TensorFlow, with the network of dreamscripts.

The loss is deliberately written again here, so that the comparison of the results checks both.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from dreamscripts.benchmarks.process import MeasuringError
from dreamscripts.benchmarks.program import OnDevice, Passes, Requests, Task, random_matrices, serve, timed_product
from dreamscripts.settings.schema import Settings

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


def open_plain_tensorflow(task: Task) -> tuple[dict[str, Any], Requests]:
    """Build the Keras model with the weights from the task's file, and the loss for the task's size."""
    started = time.perf_counter()
    import tensorflow as tf

    settings, side = Settings.model_validate(task["settings"]), task["side"]
    tf.config.experimental.enable_tensor_float_32_execution(settings.precision == "tf32")
    loss_and_gradient = _compile(_build_model(settings, task["weights"]), settings, side)

    def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
        loss, gradient = loss_and_gradient(tf.constant(x[None]))
        return float(loss), gradient.numpy()[0]

    def product(side: int) -> Callable[[], object]:
        a, b = map(tf.constant, random_matrices(side))
        multiply = tf.function(lambda: tf.matmul(a, b)[0, 0])  # only one number is copied to the host
        return lambda: multiply().numpy()

    start_up = time.perf_counter() - started
    on_device = OnDevice(
        put=lambda x: tf.constant(x[None]),
        start=lambda x: loss_and_gradient(x)[1],
        wait=lambda gradient: gradient[0, 0, 0].numpy(),
    )
    passes = Passes(task, evaluate, on_device)
    device = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    about = {
        "device": device,
        "versions": {"tensorflow": tf.__version__},
        "start_up": start_up,
        "first_pass": passes.seconds_of_first,
    }
    multiply = timed_product(device, product)
    return about, {"compare": passes.compare, "pass": passes.time_pass, "multiply": multiply}


def _build_model(settings: Settings, weights_file: str) -> "keras.Model":
    """Build a model from a picture to a dict of the settings' features, with the weights from a file.

    Raises MeasuringError if a feature is not a layer of the Keras model.
    """
    import keras

    from dreamscripts.networks.layers import describe_layers, find_layer
    from dreamscripts.networks.loading import build
    from dreamscripts.networks.rewrite.clone import give_weights

    whole = build(settings.network, settings.weights)
    with np.load(weights_file) as weights:
        for layer in whole.layers:
            if f"{layer.name}:0" in weights:  # deeper layers are not used and not in the file
                give_weights(layer, [weights[f"{layer.name}:{i}"] for i in range(len(layer.weights))])
    facts = describe_layers(whole)
    outputs = {}
    for name in settings.features:
        found = find_layer(facts, name)
        if found is None:
            raise MeasuringError(f"{name} is not a layer of the Keras model")
        outputs[name] = found.operation.output
    return keras.Model(whole.inputs[0], outputs)


def _compile(model: "keras.Model", settings: Settings, side: int) -> Callable[["tf.Tensor"], tuple]:
    """Return a tf.function from a picture (1, side, side, 3) to its loss and gradient."""
    import tensorflow as tf

    penalties = settings.penalties

    def loss_of(x: tf.Tensor) -> tf.Tensor:
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
    def loss_and_gradient(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = loss_of(x)
        return loss, tape.gradient(loss, x)

    return loss_and_gradient


if __name__ == "__main__":
    serve(open_plain_tensorflow)
