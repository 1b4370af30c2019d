"""The programs that dreamscripts is compared with, and the settings that they support."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from dreamscripts.backends.startup import ONEDNN
from dreamscripts.settings.schema import Settings

TENSORFLOW, NO_ONEDNN, TORCH = "plain tf.function", "plain tf.function, no oneDNN", "PyTorch channels-last"
# The module and the environment variables of each program. None removes a variable: TensorFlow then decides.
OTHERS: dict[str, tuple[str, dict[str, str | None]]] = {
    TENSORFLOW: ("plain_tensorflow", {ONEDNN: None}),
    NO_ONEDNN: ("plain_tensorflow", {ONEDNN: "0"}),
    TORCH: ("plain_torch", {}),
}


def excluded_programs(settings: Settings, prepared: Mapping[str, Any]) -> dict[str, str]:
    """Return {program: reason} for the programs that cannot compute the same pass.

    `prepared` is the description of the network by `preparing`.
    """
    if reason := _unsupported(settings):
        return dict.fromkeys(OTHERS, reason)
    excluded = {}
    backend = prepared["backend"]
    if reason := prepared["not_keras"] or (backend != "tensorflow" and f"Keras runs on {backend} here"):
        excluded = dict.fromkeys((TENSORFLOW, NO_ONEDNN), reason)
    if find_spec("torch") is None:
        excluded[TORCH] = "PyTorch is not installed"
    elif prepared["not_a_chain"]:
        excluded[TORCH] = prepared["not_a_chain"]
    return excluded


def _unsupported(settings: Settings) -> str:
    """Return why the other programs do not support the settings, or an empty text if they do."""
    for layer, feature in settings.features.items():
        if (measure := feature.measure or settings.measure) != "l2":
            return f'only dreamscripts has measure = "{measure}" ({layer})'
        if feature.channels:
            return f"only dreamscripts can select channels ({layer})"
    for name, weight in settings.penalties:
        if weight and name not in ("continuity", "dream_l2"):
            return f"only dreamscripts has penalties.{name}"
    if settings.tiles and settings.tiles.kind != "exact":
        return f'tiles.kind = "{settings.tiles.kind}" gives another loss'
    if settings.precision != "float32":
        return f'only dreamscripts has precision = "{settings.precision}"'
    return ""
