"""The settings that matter most, as sliders with plain names."""

from dataclasses import dataclass
from functools import partial
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


whole = partial(Slider, kind="integer", step=1)

SLIDERS = (
    Slider(
        "size",
        "Size",
        "The longest side of the picture, in pixels. A larger picture takes longer.",
        low=128,
        high=2048,
        step=16,
        scale="log",
        kind="integer",
    ),
    Slider(
        "optimizer.max_change",
        "Strength",
        "How much one step may change the picture. More gives a stronger dream.",
        low=0.5,
        high=32,
        step=0.5,
        scale="log",
    ),
    Slider(
        "optimizer.step",
        "Stride",
        "How far a step goes. More gives a stronger dream, and a coarser one.",
        low=0.01,
        high=10,
        step=0.01,
        scale="log",
    ),
    whole(
        "optimizer.iterations",
        "How far",
        "More lets the dream grow further, and takes longer.",
        low=1,
        high=50,
        scale="log",
    ),
    whole("octaves.count", "Size of the creatures", "More gives larger creatures, and takes longer.", low=1, high=8),
    Slider(
        "penalties.continuity",
        "Smoothness",
        "More gives smoother shapes, less gives sharper lines.",
        low=0,
        high=1,
        step=0.01,
    ),
    Slider(
        "penalties.dream_l2", "Calm", "More keeps colours near grey, less lets them glow.", low=0, high=1, step=0.01
    ),
    whole("jitter.shift", "Loosening", "More prevents a regular grid of dots or lines.", low=0, high=64),
    whole("seed", "Chance", "Another number gives another dream.", low=0, high=100),
)
