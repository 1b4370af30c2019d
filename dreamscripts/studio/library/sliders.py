"""The settings that matter most, as sliders with plain names."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Slider:
    """A setting that is a number, with the range in which it is sensible."""

    key: str
    title: str
    about: str
    low: float
    high: float
    step: float
    scale: Literal["linear", "log"] = "linear"
    kind: Literal["number", "integer"] = "number"


SLIDERS = (
    Slider(
        "size",
        "Size",
        "The longest side of the picture, in pixels. Larger takes longer.",
        128,
        2048,
        16,
        "log",
        "integer",
    ),
    Slider(
        "optimizer.max_change",
        "Strength",
        "How much one iteration may change a pixel. More gives a stronger dream.",
        0.5,
        32,
        0.5,
        "log",
    ),
    Slider(
        "optimizer.step",
        "Step",
        "How far one pass goes. More gives a stronger dream, and a coarser one.",
        0.01,
        10,
        0.01,
        "log",
    ),
    Slider(
        "optimizer.iterations",
        "Iterations",
        "More let the dream grow further, and take longer.",
        1,
        50,
        1,
        "log",
        "integer",
    ),
    Slider(
        "octaves.count",
        "Size of the creatures",
        "At how many sizes the dream grows. More give larger creatures.",
        1,
        8,
        1,
        "linear",
        "integer",
    ),
    Slider("penalties.continuity", "Smoothness", "More gives smoother shapes, less gives sharper lines.", 0, 1, 0.01),
    Slider("penalties.dream_l2", "Calm", "More keeps colours near grey, less lets them glow.", 0, 1, 0.01),
    Slider(
        "jitter.shift",
        "Blur of the grid",
        "Random shifts, in pixels. They prevent a regular grid of dots or lines.",
        0,
        64,
        1,
        "linear",
        "integer",
    ),
    Slider("seed", "Chance", "Another number gives another dream.", 0, 100, 1, "linear", "integer"),
)
