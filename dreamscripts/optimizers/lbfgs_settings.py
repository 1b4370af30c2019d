"""The settings of L-BFGS."""

from typing import Literal

from pydantic import Field

from dreamscripts.settings.tables import OptimizerSettings


class LbfgsSettings(OptimizerSettings):
    """L-BFGS: a quasi-Newton method with a line search, which finds its own step sizes."""

    name: Literal["lbfgs"] = "lbfgs"
    """The optimizer."""
    where: Literal["scipy", "device"] = "scipy"
    """scipy: SciPy's L-BFGS-B in float64. device: this package's L-BFGS in float32, on the device of the network."""
    history: int = Field(5, ge=1, le=100)
    """Number of vector pairs that estimate the curvature, 1 to 100, for where = "device". A pair needs as much
    memory as two pictures."""

    def without_effect(self) -> dict[str, str]:
        """See Table."""
        unused = {"history": 'optimizer.where is "scipy", which always keeps 10 pairs'} if self.where == "scipy" else {}
        return super().without_effect() | unused

    @property
    def pictures_kept(self) -> int:
        """See OptimizerSettings: SciPy keeps 25 pictures in float64."""
        return 2 * 25 if self.where == "scipy" else 2 * self.history + 8

    @property
    def on_device(self) -> bool:
        """See OptimizerSettings."""
        return self.where == "device"

    @property
    def couples_pictures(self) -> bool:
        """See OptimizerSettings: a line search has one step for all pictures of a batch."""
        return True

    @property
    def lighter(self) -> str:
        """See OptimizerSettings."""
        return "optimizer.where=device" if self.where == "scipy" else ""
