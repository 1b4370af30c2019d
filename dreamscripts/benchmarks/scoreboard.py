"""Scoreboard: what was measured, and what follows from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from dreamscripts.settings.schema import Settings

FLOPS_PER_MULTIPLICATION = 4  # a multiplication and an addition, there and back with respect to the picture only


@dataclass(frozen=True)
class Result:
    """What a contestant's passes took; the lists are pass by pass, in turn with the others'."""

    name: str
    seconds: list[float]
    ratios: list[float]  # our seconds to its seconds, of passes made in the same round
    loss_error: float  # of its loss against ours, relative
    gradient_error: float  # of its gradient against ours, relative in the L2 norm
    peak_mib: float  # of its process
    start_up: float  # seconds, imports and network
    first_pass: float  # seconds, compiling included


@dataclass(frozen=True)
class Product:
    """The rate of a product of two square matrices: `side` numbers a side, by `name`."""

    name: str
    side: int
    gflops: float


@dataclass(frozen=True)
class Iteration:
    """One iteration of the settings' optimizer."""

    seconds: float
    passes: int
    outside: float  # seconds that were not spent in passes


@dataclass(frozen=True)
class Size:
    """Our passes over a square picture of `side` pixels a side, in a process of its own."""

    side: int
    seconds: list[float]  # empty where the process died
    peak_mib: float = 0.0
    mib_before: float = 0.0  # resident before the first picture: the program and the network
    tiles: int | None = None  # pixels a side, where the picture was cut
    died: str = ""  # what became of the process, in words

    @property
    def megapixels(self) -> float:
        return self.side**2 / 1e6

    @property
    def seconds_per_megapixel(self) -> float:
        return median(self.seconds) / self.megapixels

    @property
    def mib_per_megapixel(self) -> float:
        """Of what the pictures take, beyond the program and the network."""
        return (self.peak_mib - self.mib_before) / self.megapixels


@dataclass(frozen=True)
class Scoreboard:
    """Everything that was measured, with where and how."""

    settings: Settings
    about: Mapping[str, Any]  # command, started, device, cores, system, versions, choices, ways, tiles
    import_seconds: float
    help_seconds: float
    multiplications: int  # of the convolutions, in one forward pass
    results: list[Result]  # ours first
    left_out: dict[str, str]  # rivals, and why
    products: list[Product]
    iteration: Iteration
    sizes: list[Size]

    @property
    def gflop(self) -> float:
        """Of one pass, as direct convolutions."""
        return FLOPS_PER_MULTIPLICATION * self.multiplications / 1e9

    @property
    def ceiling(self) -> Product | None:
        """The fastest product on the device that the passes run on; None where nobody measured one there."""
        return max(self.products, key=lambda product: product.gflops, default=None)

    def share(self, result: Result) -> float | None:
        """Of the ceiling that the passes of a contestant reach, direct convolutions counted."""
        return self.ceiling and self.gflop / median(result.seconds) / self.ceiling.gflops
