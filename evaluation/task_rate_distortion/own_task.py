"""Tasks that ScaleFlow does not know, with networks of others: what must be said of one, and its measurement."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from scaleflow.cluster import ClusterSettings
from scaleflow.codec.models.weights_hash import hash_tensors
from scaleflow.efficient_nets.data.labelled_frames import LabelledData
from scaleflow.efficient_nets.methods.known_methods import DENSE
from scaleflow.efficient_nets.video.cost import dense_cost
from scaleflow.efficient_nets.video.cost_record import counted
from scaleflow.evaluation.networks.measure_finder import Finding, FindingMeter, measure_finder
from scaleflow.evaluation.networks.point import NetworkPoint, PointIdentity
from scaleflow.evaluation.networks.videos import EvaluatedData
from scaleflow.evaluation.rate_distortion.clip_regions import ClipRegions
from scaleflow.evaluation.rate_distortion.codecs import EvaluatedCodec
from scaleflow.evaluation.rate_distortion.measure_point import MeasuringSettings
from scaleflow.evaluation.task_rate_distortion.coding import MeasuredTask, TaskProgress
from scaleflow.evaluation.task_rate_distortion.looking import Shown
from scaleflow.evaluation.task_rate_distortion.sweep import look_at_frames
from scaleflow.evaluation.task_rate_distortion.task_point import NETWORKS_FOLDER


class OwnTask(Protocol):
    """A task, and the network that is measured.

    Attributes:
        name: of the task, for results.
        measure: name of the value of the meter that says how well the network does; more is better.
        network: whose convolutions and linear layers are counted while :meth:`find` runs; its weights tell its points
            from those of another.
    """

    name: str
    measure: str
    network: nn.Module

    def find(self, picture: Tensor) -> Any:
        """What the network finds in a picture (3, H, W), R'G'B' in 0..1, in whatever form the meter takes."""

    def meter(self) -> FindingMeter:
        """A new one: ``add(video, found, target)`` takes in a frame, ``values()`` gives measures by name.

        Meters are asked for the values of single frames, of about 25 frames at a time, and of all.
        """


def measure_own_task(
    task: OwnTask,
    data: LabelledData,
    codecs: Sequence[EvaluatedCodec],
    settings: MeasuringSettings,
    results: Path,
    *,
    first: int = 0,
    frames: int | None = None,
    frame_rate: Fraction | None = None,
    regions: ClipRegions | None = None,
    workers: int = 1,
    cluster: ClusterSettings | None = None,
    overwrite: bool = False,
    progress: Callable[[TaskProgress], None] = lambda progress: None,
) -> MeasuredTask:
    """As :func:`scaleflow.evaluation.task_rate_distortion.sweep.measure_task`, of a task of one's own.

    Args:
        data: frames whose targets are in the form that the meter takes.

    Raises:
        UsageError, DataError: as ``measure_task``.
    """
    weights = hash_tensors(task.network.state_dict())[:20]

    def look(videos: EvaluatedData, shown: Shown, found: MeasuredTask) -> None:
        def tell(done: int) -> None:
            progress(TaskProgress(shown.place, *shown.step, f"{task.name}, frame {done}"))

        place = results / NETWORKS_FOLDER
        made, was_there = _point(task, weights, shown.size, videos, settings.threads, place, tell)
        point = shown.keep(made, results, found)
        progress(TaskProgress(shown.place, *shown.step, task.name, point=point, was_there=was_there))

    return look_at_frames(
        data,
        codecs,
        settings,
        results,
        look,
        first=first,
        frames=frames,
        frame_rate=frame_rate,
        regions=regions,
        workers=workers,
        cluster=cluster,
        overwrite=overwrite,
        progress=progress,
    )


def _point(
    task: OwnTask,
    weights: str,
    size: tuple[int, int],
    videos: EvaluatedData,
    threads: int,
    folder: Path,
    tell: Callable[[int], None],
) -> tuple[NetworkPoint, bool]:
    """The point, and whether it was there."""
    identity = PointIdentity(
        network=type(task.network).__name__,
        weights=weights,
        task=task.name,
        data=videos.place,
        content=videos.content,
        method=DENSE,
        settings="",
        size=size,
        threads=threads,
    )
    kept = NetworkPoint.kept(identity, folder)
    if kept is not None:
        return kept, True

    def find(picture: Tensor) -> Finding:
        with counted(task.network) as macs:
            start = time.perf_counter()
            found = task.find(picture)
            seconds = time.perf_counter() - start
        return Finding(found, dense_cost(sum(macs)), seconds)

    point = measure_finder(identity, task.measure, task.meter, videos, find, tell)
    point.keep(folder)
    return point, False
