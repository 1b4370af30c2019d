"""Projections: linear maps from the channels of a student's layer to those of the teacher's, which are wider."""

from collections.abc import Mapping

import keras
import numpy as np
from keras import ops

from dreamscripts.networks.network import Network

RIDGE = 1e-3  # added to the mean square of each of the student's channels, relative to it, so that a solution exists
FLOOR = 0.03  # least root mean square of a teacher's channel, relative to the layer's: some channels are almost silent


def channel_sizes(teacher: Network, batches: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Return {layer: (c,)}: the root mean square of each channel of the teacher on preprocessed pictures, float32.

    It is raised by 3 % of that of the layer.
    """
    squares: dict[str, list[np.ndarray]] = {}
    for x in batches:
        for layer, f in teacher.features(x).items():
            squares.setdefault(layer, []).append(ops.convert_to_numpy(ops.mean(ops.square(f), axis=(0, 1, 2))))
    sizes = {}
    for layer, values in squares.items():
        mean = np.mean(values, axis=0)
        sizes[layer] = (np.sqrt(mean) + FLOOR * np.sqrt(mean.mean()) + 1e-12).astype(np.float32)
    return sizes


def make_projections(teacher: Network, student: Network) -> dict[str, keras.layers.Dense]:
    """Return {layer: projection} for the outputs of both networks. Their weights are 0."""
    made = {}
    for layer, output in teacher.model.output.items():
        narrow = student.model.output[layer].shape[student.channel_axis]
        made[layer] = keras.layers.Dense(
            output.shape[teacher.channel_axis], dtype="float32", kernel_initializer="zeros", name="projection"
        )
        made[layer].build((None, None, None, narrow))
    return made


def solve(
    projections: Mapping[str, keras.layers.Dense],
    teacher: Network,
    student: Network,
    sizes: Mapping[str, np.ndarray],
    batches: list[np.ndarray],
) -> None:
    """Set each projection to the least-squares map from the student's features to F_teacher / sizes."""
    sums = {layer: (np.zeros(()), np.zeros(())) for layer in projections}
    for x in batches:
        of_student, of_teacher = student.features(x), teacher.features(x)
        for layer, (own, both) in sums.items():
            a = _rows(of_student[layer])
            a = np.concatenate([a, np.ones((len(a), 1))], axis=1)
            sums[layer] = own + a.T @ a, both + a.T @ (_rows(of_teacher[layer]) / sizes[layer])
    for layer, (own, both) in sums.items():
        squares = np.diag(own)
        ridge = RIDGE * np.maximum(squares, 1e-6 * squares.mean())  # a channel may be silent
        solution = np.linalg.solve(own + np.diag(ridge), both)
        projections[layer].set_weights([solution[:-1], solution[-1]])


def _rows(features: object) -> np.ndarray:
    """Return features (N, h, w, c) as float64 (positions, c)."""
    f = ops.convert_to_numpy(features).astype(np.float64)
    return f.reshape(-1, f.shape[-1])
