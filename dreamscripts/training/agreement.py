"""Measure how well the student agrees with its teacher, on photographs that are held out.

The agreement at a layer is the cosine of the angle between the gradients of the layer's energy (the sum of F²) with
respect to the picture, of the student and of the teacher: the mean over the photographs. 1 means that both dream the
same, at least at the first step. 0 is the agreement of unrelated networks.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import ops

from dreamscripts.backends.compiling import Compiled, compile_pass
from dreamscripts.networks.network import Network

SIDE = 192  # pixels of the photographs
BATCH = 8  # pictures in a pass


class Agreement:
    """The teacher's gradients on preprocessed pictures (N, H, W, 3), to compare students with."""

    def __init__(
        self, teacher: Network, layers: Sequence[str], pictures: np.ndarray, check: Callable[[], None] = lambda: None
    ):
        self._pictures = pictures.astype(np.float32)
        self._check = check
        self._teachers = {
            layer: self._directions(run, len(pictures)) for layer, run in _passes(teacher, layers).items()
        }
        self._students: tuple[Network, dict[str, Compiled]] | None = None

    def __len__(self) -> int:
        return len(self._pictures)

    def measure(self, student: Network, count: int | None = None) -> dict[str, float]:
        """Return {layer: mean cosine} on the first `count` pictures, or on all."""
        count = min(count or len(self), len(self))
        if self._students is None or self._students[0] is not student:
            self._students = student, _passes(student, list(self._teachers))
        return {
            layer: float((self._directions(run, count) * self._teachers[layer][:count]).sum(axis=1).mean())
            for layer, run in self._students[1].items()
        }

    def _directions(self, run: Compiled, count: int) -> np.ndarray:
        """Return the gradients of the first `count` pictures, each with the norm 1, float32 (count, H · W · 3)."""
        gradients = []
        for first in range(0, count, BATCH):
            self._check()
            chosen = np.arange(first, first + BATCH) % len(self)  # full batches, because each size is compiled
            _, gradient = run(self._pictures[chosen])
            gradients.append(ops.convert_to_numpy(gradient).reshape(BATCH, -1)[: count - first])
        flat = np.concatenate(gradients)
        return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-30)


def _passes(network: Network, layers: Sequence[str]) -> dict[str, Compiled]:
    """Compile {layer: pass} for the energy of each layer."""

    def compiled(layer: str) -> Compiled:
        cut = network.at(layer)

        def energy(x: Any) -> Any:
            return ops.reshape(ops.sum(ops.square(cut.features(x)[layer])), (1,))

        return compile_pass(energy, cut.model.variables, xla=False)

    return {layer: compiled(layer) for layer in layers}
