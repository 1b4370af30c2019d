"""Describe how a student was made, for the metadata of its file and for the report."""

import hashlib
from typing import Any

import keras
import numpy as np

from dreamscripts import __version__
from dreamscripts.networks.network import Network
from dreamscripts.settings.network_names import short_name
from dreamscripts.training.distil import Distillation


def origin_of(distillation: Distillation, agreement: dict[str, float]) -> dict[str, Any]:
    """Return the origin of the student as it is now, with its agreement {layer: cosine}, of JSON types."""
    recipe, pair = distillation.recipe, distillation.pair
    return {
        "preprocessing": pair.teacher.preprocessing.name,
        "teacher": short_name(recipe.network),
        "weights": weights_digest(pair.teacher),
        "student": None if recipe.student is None else short_name(recipe.student),
        "width": None if recipe.student and recipe.width is None else pair.width,
        "layers": pair.layers,
        "photographs": len(distillation.photographs.files),
        "held_out": len(distillation.held_out),
        "steps": distillation.step,
        "minutes": round(distillation.seconds / 60, 2),
        "batch": recipe.batch,
        "crop": distillation.side,
        "seed": recipe.seed,
        "backend": keras.backend.backend(),
        "version": __version__,
        "agreement": {layer: round(cosine, 4) for layer, cosine in agreement.items()},
    }


def weights_digest(network: Network) -> str:
    """Return a hash of the weights of a network up to its deepest layer in use, whatever file they came from."""
    digest = hashlib.sha256()
    for layer in network.model.layers:
        for weight in layer.get_weights():
            digest.update(np.ascontiguousarray(weight, "<f4").tobytes())
    return f"sha256:{digest.hexdigest()}"
