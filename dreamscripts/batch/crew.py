"""Crew: where the workers of a batch come from."""

from collections.abc import Sequence
from typing import Protocol

from dreamscripts.batch.plan import Planned
from dreamscripts.batch.ray_workers import RayCluster
from dreamscripts.batch.workers import processors_of
from dreamscripts.jobs.lane import Start
from dreamscripts.jobs.process import WorkerProcess


class Crew(Protocol):
    """What starts workers."""

    start: Start

    def places(self, dreams: Sequence[Planned]) -> Sequence[Sequence[int]]:
        """Return the processors of each worker that is useful now for these dreams. Empty: any."""

    def close(self) -> None:
        """Learn that no more workers are needed."""


class LocalCrew:
    """Processes on this machine, so many as are `wanted`, or as are fast."""

    start: Start = WorkerProcess

    def __init__(self, wanted: int | None):
        self._wanted = wanted
        self._places: Sequence[Sequence[int]] | None = None

    def places(self, dreams: Sequence[Planned]) -> Sequence[Sequence[int]]:
        """Return the processors of each worker. They stay the same."""
        if self._places is None:
            self._places = processors_of(self._wanted, dreams)
        return self._places

    def close(self) -> None:
        """Do nothing: a process ends with its lane."""


class RayCrew:
    """Actors on a Ray cluster, at most so many as are `wanted`. Raises DreamError if there is no such cluster."""

    def __init__(self, address: str, wanted: int | None):
        self._cluster = RayCluster(address)
        self._wanted = wanted
        self.start: Start = self._cluster.start

    def places(self, dreams: Sequence[Planned]) -> Sequence[Sequence[int]]:
        """Return as many places as the cluster has now. Machines can come and go."""
        count = min(self._cluster.slots(), len(dreams))
        return [()] * (count if self._wanted is None else min(count, self._wanted))

    def close(self) -> None:
        """Leave the cluster."""
        self._cluster.close()
