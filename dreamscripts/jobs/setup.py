"""Setup: what a worker process knows from its start."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Setup:
    """How a worker is started. It must be possible to pickle it."""

    name: str
    """Of its lane, for people."""
    base: Path
    """The folder of the runs and the films. With `remote`, of those under way on this machine."""
    allowed: Collection[str] = ()
    """The paths of models, weights and pictures that settings may name."""
    onednn: bool | None = None
    """As in `start_keras`."""
    niceness: int = 0
    """0 to 19: how far it steps back behind other processes."""
    kept: int = 3
    """The number of evaluators that it keeps."""
    makes_previews: bool = False
    """Whether it loads the network of the previews first."""
    processors: Collection[int] = ()
    """The numbers of the processors that it may use. Empty: all."""
    remote: str | None = None
    """The URL of the folder where runs are kept, such as s3://bucket/folder. None: in `base`."""
