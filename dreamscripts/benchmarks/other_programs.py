"""The programs that dreamscripts is compared with, and the settings that they support."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from dreamscripts.backends.startup import ONEDNN
from dreamscripts.settings.schema import Settings


@dataclass(frozen=True)
class Program:
    """A module, what it is told besides the task, and the variables of its environment.

    A variable with the value None is removed. TensorFlow then decides.
    """

    module: str
    how: Mapping[str, bool] = field(default_factory=dict)
    environment: Mapping[str, str | None] = field(default_factory=dict)


TENSORFLOW, NO_ONEDNN = "plain tf.function", "plain tf.function, no oneDNN"
TORCH, CHANNELS_LAST, COMPILED = "PyTorch", "PyTorch channels-last", "PyTorch channels-last, compiled"
OTHERS = {
    TENSORFLOW: Program("plain_tensorflow", environment={ONEDNN: None}),
    NO_ONEDNN: Program("plain_tensorflow", environment={ONEDNN: "0"}),
    TORCH: Program("plain_torch", {"channels_last": False, "compile": False}),
    CHANNELS_LAST: Program("plain_torch", {"channels_last": True, "compile": False}),
    COMPILED: Program("plain_torch", {"channels_last": True, "compile": True}),
}


def excluded_programs(settings: Settings, prepared: Mapping[str, Any]) -> dict[str, str]:
    """Return {program: reason} for the programs that cannot compute the same pass.

    `prepared` is the description of the network by `preparing`.
    """
    if reason := _unsupported(settings):
        return dict.fromkeys(OTHERS, reason)
    excluded: dict[str, str] = {}
    backend = prepared["backend"]
    if reason := prepared["not_keras"] or (backend != "tensorflow" and f"Keras runs on {backend} here"):
        excluded = dict.fromkeys((TENSORFLOW, NO_ONEDNN), reason)
    elif settings.precision == "mixed_bfloat16":
        excluded = dict.fromkeys((TENSORFLOW, NO_ONEDNN), "it computes in float32 only")
    if reason := prepared["not_a_chain"] if find_spec("torch") else "PyTorch is not installed":
        excluded |= dict.fromkeys((TORCH, CHANNELS_LAST, COMPILED), reason)
    elif not _has_compiler():
        excluded[COMPILED] = "torch.compile needs a C++ compiler, and none was found"
    return excluded


def _has_compiler() -> bool:
    """Return whether there is a compiler where PyTorch looks for one."""
    return any(shutil.which(name) for name in (os.environ.get("CXX"), "g++", "clang++", "cl") if name)


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
    return ""
