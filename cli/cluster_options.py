"""Options of verbs that work by several processes, or on a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scaleflow.cli import options
from scaleflow.errors import UsageError

if TYPE_CHECKING:
    from scaleflow.workers import WorkerReport

Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Work on a Ray cluster instead: local for one of this machine, local:2 with two workers, or "
        "ray://HOST:10001.",
        show_default=False,
    ),
]

MOST_NAMED = 4
"""Workers that the bar has room for."""


@dataclass(frozen=True)
class GroupMachineOptions(options.MachineOptions):
    """What groups of pictures are coded or decoded on."""

    workers: Annotated[
        int | None,
        typer.Option(
            help="Processes that take groups of pictures side by side; with --cluster most of its workers to use.",
            show_default="1, or all of the cluster",
        ),
    ] = None
    cluster: Cluster = None
    in_flight: Annotated[
        int | None,
        typer.Option(
            help="With --cluster: most groups of pictures that are read and not yet written, which bounds memory.",
            show_default="two a worker",
        ),
    ] = None

    def settings(self, *, shared_input: bool = False) -> dict[str, Any]:
        """Fields of the settings of encodes and decodes. Raises :class:`UsageError`."""
        for option, value in (("--in-flight", self.in_flight), ("--shared-input", shared_input)):
            if self.cluster is None and value:
                raise UsageError(f"{option} goes with --cluster only")
        who = who_works(self.cluster, self.workers, self.in_flight, shared_input)
        return {**who, "worker_threads": self.threads or 1}

    @property
    def model_device(self) -> str:
        """Where the model is loaded. Raises :class:`UsageError`."""
        if self.cluster is None or self.device == "cpu":
            return self.device
        if self.device != "auto":
            raise UsageError(f"--device {self.device} does not go with --cluster, whose workers compute on CPUs")
        return "cpu"


def who_works(
    address: str | None, workers: int | None, in_flight: int | None = None, shared_input: bool = False
) -> dict[str, Any]:
    """``workers`` of this machine, and the ``cluster`` that is named, if one is. Raises :class:`UsageError`."""
    if address is None:
        return {"workers": 1 if workers is None else workers, "cluster": None}
    from scaleflow.cluster import ClusterSettings

    cluster = ClusterSettings(address, workers=workers, in_flight=in_flight, shared_input=shared_input)
    return {"workers": 1, "cluster": cluster}


def worker_records(workers: Sequence[WorkerReport]) -> dict[str, Any]:
    """What a JSON line says of the workers of a cluster; nothing where there is none."""
    if not workers:
        return {}
    return {"workers": [asdict(worker) for worker in workers]}


def worker_text(workers: Sequence[WorkerReport]) -> str:
    """What the bar says of the workers of a cluster: of few each, of many the number; nothing where there is none."""
    if not workers:
        return ""
    if len(workers) > MOST_NAMED:
        return f", {len(workers)} workers"
    return ", " + ", ".join(f"{worker.name}: {worker.finished} done" for worker in workers)
