"""How well a diffusion model by a clock restores pictures, without a network behind it."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from scaleflow.efficient_nets.methods.known_methods import DENSE
from scaleflow.efficient_nets.tasks.task import TaskMeasure
from scaleflow.efficient_nets.video.cost import Cost
from scaleflow.evaluation.networks.measure_finder import Finding, measure_finder
from scaleflow.evaluation.networks.point import NetworkPoint, PointIdentity
from scaleflow.evaluation.networks.restored_videos import RestoredVideos

CLOCKWORK = "clockwork"


def evaluate_restorer(
    task: TaskMeasure, restored: RestoredVideos, size: tuple[int, int], folder: Path, threads: int
) -> tuple[NetworkPoint, bool]:
    """The point of ``folder``, measured where it is not there, and whether it was.

    Args:
        task: whose meter compares restored pictures (1, 3, H, W) with targets.
        size: (width, height) of the pictures.

    Raises:
        DataError: pictures cannot be read or are too small, or a result not written.
    """
    restorer = restored.restorer
    identity = PointIdentity(
        network="diffusion",
        weights=restorer.weights,
        task=task.name,
        data=restored.data.place,
        content=restored.data.content,
        method=DENSE if restorer.clock.period == 1 else CLOCKWORK,
        settings=restorer.settings,
        size=size,
        threads=threads,
    )
    kept = NetworkPoint.kept(identity, folder)
    if kept is not None:
        return kept, True

    def find(picture: Tensor) -> Finding:
        return Finding(picture[None], Cost(), 0.0)  # cost and time are those of the videos

    found = measure_finder(identity, task.measure, lambda: task.meter(()), restored.data, find)
    point = restored.added_to(found)
    point.keep(folder)
    return point, False
