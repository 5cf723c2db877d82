"""A cluster as a person names it, and which workers do some work: one's own processes, or those of a cluster."""

from __future__ import annotations

import re
from dataclasses import dataclass

from scaleflow.errors import UsageError
from scaleflow.optional_packages import require_packages
from scaleflow.worker_processes import WorkerProcesses
from scaleflow.workers import AnyResult, AnyTask, Work, Workers

MOST_WORKERS = 100_000


@dataclass(frozen=True)
class ClusterSettings:
    """A Ray cluster that takes part in some work.

    Attributes:
        address: ``local`` for a Ray of this machine that is started and ended with the work, with one worker a core;
            ``local:N`` for N workers; ``ray://HOST:PORT`` for the Ray Client server of a cluster that runs.
        workers: most of its workers to use; None for all that its cores allow.
        in_flight: most groups of pictures that are read and not yet written, which bounds memory; None for two a
            worker.
        shared_input: workers read the video themselves, which all nodes see under its path; otherwise its pictures are
            sent to them. Of encodes.
        retries: how often a task is done again whose worker was lost.
        timeout: seconds in which the cluster must answer.
        start_timeout: seconds in which one worker must be ready, at the start and when all were lost.

    Raises:
        UsageError: a value is out of range, or Ray is not installed.

    Example:
        >>> import scaleflow
        >>> scaleflow.ClusterSettings("head:10001")
        Traceback (most recent call last):
        ...
        scaleflow.errors.UsageError: cluster 'head:10001' is unknown: give local, local:2 ...
    """

    address: str
    workers: int | None = None
    in_flight: int | None = None
    shared_input: bool = False
    retries: int = 3
    timeout: float = 30.0
    start_timeout: float = 300.0

    def __post_init__(self) -> None:
        if re.fullmatch(r"local(:[1-9]\d{0,4})?|ray://[^/\s:]+:\d{1,5}", self.address) is None:
            raise UsageError(
                f"cluster {self.address!r} is unknown: give local, local:2 for two workers, or ray://HOST:10001",
                fields=("cluster",),
            )
        for name, low, high in (
            ("workers", 1, MOST_WORKERS),
            ("in_flight", 1, MOST_WORKERS),
            ("retries", 0, 1000),
            ("timeout", 1, 86400),
            ("start_timeout", 1, 86400),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise UsageError(f"{name} {value:g} is outside {low}..{high}", fields=(name,))
        if self.workers is not None and self.local_workers is not None:
            raise UsageError(
                f"workers {self.workers} and cluster {self.address} both say how many workers there are: give one",
                fields=("workers", "cluster"),
            )
        require_packages(f"cluster {self.address}", "cluster", ["ray"] if self.is_local else ["ray", "grpc"])

    @property
    def is_local(self) -> bool:
        """Whether it is started for the work."""
        return self.address.startswith("local")

    @property
    def local_workers(self) -> int | None:
        """The N of ``local:N``."""
        return int(self.address.removeprefix("local:")) if self.address.startswith("local:") else None


def check_workers(workers: int, cluster: ClusterSettings | None) -> None:
    """Raises :class:`UsageError` where both processes of this machine and a cluster are to do the work."""
    if workers > 1 and cluster is not None:
        raise UsageError(
            f"workers {workers} are processes of this machine, which cluster {cluster.address} replaces: give one of "
            "workers and cluster, or the cluster's own number of workers",
            fields=("workers", "cluster"),
        )


def open_workers(
    work: Work[AnyTask, AnyResult], workers: int, cluster: ClusterSettings | None
) -> Workers[AnyTask, AnyResult]:
    """Workers for some work, which begin when they are entered.

    Args:
        workers: processes of this machine, where there is no cluster.
    """
    if cluster is None:
        return WorkerProcesses(work, workers)
    from scaleflow.ray_workers import RayWorkers

    return RayWorkers(work, cluster)
