"""The settings that a loss is built from. All others are for the optimizer and the octaves."""

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dreamscripts.settings.schema import Settings

BUILT_FROM = (
    *("network", "weights", "preprocessing", "seed", "convolutions", "precision"),
    *("measure", "features", "guide", "penalties", "jitter", "tiles"),
)


def compiled_from(settings: "Settings") -> str:
    """Return all that a loss is compiled from, as a text. The seed is only for the draws."""
    return json.dumps(settings.model_dump(include={*BUILT_FROM} - {"seed"}), sort_keys=True)
