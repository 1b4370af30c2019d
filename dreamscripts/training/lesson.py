"""The lesson: what the student is asked at each step, and the loss of its answers.

F (N, h, w, c) are the features of a taught layer, of the student or of the teacher. E = the mean of F² over channels
(N, h, w) is the energy at each position. The loss is the sum, over the taught layers, of

1. features: the mean of (P F_student − F_teacher / rms)², where P is a linear map of the channels (a projection), and
   rms the teacher's root mean square of each channel;
2. energies: the mean of (√(E_student / mean E_student) − √(E_teacher / mean E_teacher))²;

and 3. direction: 2 · (1 − cos(∂e_student/∂x, ∂e_teacher/∂x)), each at full, half and quarter resolution, where e is a
weighted sum of the energies of one or two layers, drawn for each picture. A picture is dreamt along this gradient, so
a student that has its direction dreams as the teacher does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from dreamscripts.backends.training import value_and_gradient
from dreamscripts.networks.network import Network

SCALES = (1, 2, 4)  # sizes of the squares of pixels over which gradients are averaged before they are compared
DIRECTION = 2.0  # weight of the direction of the gradient
QUIET = 1e-3  # added to relative energies before their root, whose slope at 0 is infinite


class Answers(NamedTuple):
    """What a step of training returns besides the loss: its parts (3,), and both gradients (N, H, W, 3)."""

    parts: Any
    teachers: Any
    students: Any


@dataclass(frozen=True)
class Lesson:
    """The loss of a student. `rms` {layer: (c,)} are those of the teacher, and its keys are the taught layers."""

    teacher: Network
    student: Network
    projections: Mapping[str, keras.layers.Dense]
    rms: Mapping[str, np.ndarray]

    @property
    def variables(self) -> list[Any]:
        """All variables that the loss reads or assigns."""
        return [*self.trained, *self.teacher.model.variables]

    @property
    def trained(self) -> list[Any]:
        """The variables of the student and of the projections."""
        return [*self.student.model.variables, *(v for p in self.projections.values() for v in p.variables)]

    def loss(self, x: Any, weights: Any, *, training: bool) -> tuple[Any, Answers]:
        """Return the loss for preprocessed pictures x (N, H, W, 3), and the answers.

        `weights` (N, layers) are those of the layers' energies in the gradient. With `training`, the features and
        energies are those with the statistics of x in place of fixed ones (batch normalisation). The gradient is
        always that of a dream, with fixed statistics.
        """
        theirs, teachers = self._ask(self.teacher, x, weights)
        own, students = self._ask(self.student, x, weights)
        if training:
            own = self.student.features(x, training=True)
        features = sum(
            ops.mean(ops.square(self.projections[layer](own[layer]) - ops.divide(theirs[layer], rms)))
            for layer, rms in self.rms.items()
        )
        energies = sum(
            ops.mean(ops.square(loudness(energy(own[layer])) - loudness(energy(theirs[layer])))) for layer in self.rms
        )
        direction = DIRECTION * sum(1 - ops.mean(cosine(students, teachers, scale)) for scale in SCALES)
        parts = ops.stack([features, energies, direction])
        return ops.sum(parts), Answers(parts, teachers, students)

    def _ask(self, network: Network, x: Any, weights: Any) -> tuple[dict[str, Any], Any]:
        """Return the features of a network, and the gradient of its weighted energies with respect to x."""

        def weighted_energy(x: Any) -> tuple[Any, dict[str, Any]]:
            features = network.features(x)
            energies = [energy(features[layer]) for layer in self.rms]
            relative = [e / ops.stop_gradient(ops.mean(e)) for e in energies]
            return sum(ops.sum(weights[:, i, None, None] * e) for i, e in enumerate(relative)), features

        return value_and_gradient(weighted_energy, x, differentiable=network is self.student)


def energy(f: Any) -> Any:
    """Return the mean of F² over channels (N, h, w)."""
    return ops.mean(ops.square(f), axis=-1)


def loudness(energies: Any) -> Any:
    """Return the root of energies (N, h, w) relative to their mean."""
    return ops.sqrt(energies / ops.mean(energies) + QUIET)


def cosine(a: Any, b: Any, scale: int = 1) -> Any:
    """Return the cosine (N,) of the angle between gradients a and b (N, H, W, 3), averaged over squares of pixels."""
    if scale > 1:
        a, b = (ops.average_pool(g, scale, scale, data_format="channels_last") for g in (a, b))
    a, b = (ops.reshape(g, (ops.shape(g)[0], -1)) for g in (a, b))
    norms = ops.sqrt(ops.sum(ops.square(a), axis=1) * ops.sum(ops.square(b), axis=1))
    return ops.sum(a * b, axis=1) / ops.maximum(norms, 1e-12)
