"""The results of a benchmark, and the numbers that are computed from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from dreamscripts.settings.schema import Settings

FLOPS_PER_MULTIPLICATION = 4  # multiply and add, forward and backward (to the picture only)


@dataclass(frozen=True)
class Result:
    """The passes of one program. Lists have one entry per pass. The passes of all programs alternate."""

    name: str
    on_device: list[float]  # seconds per pass, picture and gradient on the device
    seconds: list[float]  # the same from NumPy to NumPy
    ratios: list[float]  # dreamscripts' time on the device divided by this program's, in the same round
    loss_error: float  # relative difference of its loss from dreamscripts'
    gradient_error: float  # relative difference of its gradient from dreamscripts', in the L2 norm
    peak_mib: float  # maximum resident memory of its process
    start_up: float  # seconds for imports and the network
    first_pass: float  # seconds, with compilation


@dataclass(frozen=True)
class Product:
    """The speed at which the program `name` multiplies two matrices of shape (side, side)."""

    name: str
    side: int
    gflops: float


@dataclass(frozen=True)
class Iteration:
    """One iteration of the settings' optimizer."""

    seconds: float
    passes: int
    outside: float  # seconds outside of passes


@dataclass(frozen=True)
class Size:
    """The passes of dreamscripts over a picture of side × side pixels, in a separate process."""

    side: int
    seconds: list[float]  # empty if the process died
    peak_mib: float = 0.0
    mib_before: float = 0.0  # resident memory before the first picture: program and network
    tiles: int | None = None  # pixels per side, if the picture was computed in tiles
    died: str = ""  # how the process died, in words, else empty

    @property
    def megapixels(self) -> float:
        return self.side**2 / 1e6

    @property
    def seconds_per_megapixel(self) -> float:
        return median(self.seconds) / self.megapixels

    @property
    def mib_per_megapixel(self) -> float:
        """The memory for the pictures, without the program and the network."""
        return (self.peak_mib - self.mib_before) / self.megapixels


@dataclass(frozen=True)
class Scoreboard:
    """All results of a benchmark, and its conditions."""

    settings: Settings
    about: Mapping[str, Any]  # command, started, device, cores, system, versions, choices, ways, tiles
    import_seconds: float
    help_seconds: float
    multiplications: int  # of the convolutions in one forward pass
    results: list[Result]  # dreamscripts first
    excluded: dict[str, str]  # other programs that were not measured, with the reason
    products: list[Product]
    iteration: Iteration
    sizes: list[Size]

    @property
    def gflop(self) -> float:
        """Billions of operations in one pass, counted as direct convolutions."""
        return FLOPS_PER_MULTIPLICATION * self.multiplications / 1e9

    @property
    def maximum(self) -> Product | None:
        """The fastest matrix product on the device of the passes, or None if no product was measured."""
        return max(self.products, key=lambda product: product.gflops, default=None)

    def share(self, result: Result) -> float | None:
        """Return a program's speed as a share of the maximum, if it was measured. Counts direct convolutions."""
        if self.maximum is None:
            return None
        return self.gflop / median(result.on_device) / self.maximum.gflops
