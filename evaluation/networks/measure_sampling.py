"""Runs a detector on frames that are resampled by what it found before, beside the same detector on reduced ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from scaleflow.efficient_nets.data.box_rows import known
from scaleflow.efficient_nets.data.window import Window
from scaleflow.efficient_nets.labelling.resampling import detect_resampled
from scaleflow.efficient_nets.salisa.detector import SalisaDetector
from scaleflow.efficient_nets.tasks.task import TaskMeasure
from scaleflow.efficient_nets.video.cost import Cost
from scaleflow.efficient_nets.video.network import VideoNetwork
from scaleflow.errors import UsageError
from scaleflow.evaluation.networks.point import NetworkPoint, PointIdentity
from scaleflow.evaluation.networks.point_record import PointRecord
from scaleflow.evaluation.networks.videos import EvaluatedData, EvaluatedVideo


def measure_sampling(
    identity: PointIdentity,
    detector: SalisaDetector,
    dense: VideoNetwork,
    task: TaskMeasure,
    classes: Sequence[str],
    data: EvaluatedData,
    repeats: int = 1,
    progress: Callable[[int], None] = lambda frames: None,
) -> NetworkPoint:
    """Measure a point: costs and times have the resampling in them, and mapping boxes back.

    Args:
        identity: its size is that of the picture that the detector sees; ``dense`` sees the frames reduced to it.
        detector: as :func:`~scaleflow.efficient_nets.labelling.resampling.sampling_detector` made it.
        task: detection.
        repeats: run all so often, and take the shortest time of each frame.

    Raises:
        UsageError: there are no videos, or no labels where the settings ask for them.
        DataError: pictures or labels cannot be read.
    """
    if detector.settings.boxes == "labels" and not all(video.targets for video in data.videos):
        raise UsageError(f"salisa boxes=labels: {data.place} has none")
    if all(len(video.targets) == 1 for video in data.videos):
        raise UsageError(f"salisa: {data.place} holds single pictures, of which none has one before it: give videos")
    record = PointRecord.of(task, classes, labelled=bool(data.videos[0].targets))
    with torch.inference_mode():
        for video in data.videos:
            before: tuple[Tensor, Tensor] | None = None
            for number, seen in enumerate(_run(video, detector, dense, task, identity.size, warm=bool(record.seconds))):
                if record.labelled:
                    target = video.targets[number]()
                    record.add_found(video.name, False, seen.rows, target)
                    record.dense_found.add(video.name, seen.dense_rows, target)
                record.agreed.add(video.name, seen.rows, seen.dense_rows)
                if before is not None:
                    record.changes.append((task.change(before[0], seen.rows), task.change(before[1], seen.dense_rows)))
                before = seen.rows, seen.dense_rows
                record.spent.append(seen.cost)
                record.full.append(seen.dense_cost)
                record.videos.append(video.name)
                record.keys.append(seen.even)
                record.seconds.append(seen.seconds)
                record.dense_seconds.append(seen.dense_seconds)
                progress(len(record.seconds))
        for _ in range(repeats - 1):
            again = (seen for video in data.videos for seen in _run(video, detector, dense, task, identity.size, True))
            for number, seen in enumerate(again):
                record.shorten(number, seen.seconds, seen.dense_seconds)
                progress(number)
    return record.point(identity, task.measure)


class _Seen:
    """What both found in a frame, in its samples, and what that cost."""

    def __init__(self, even: bool, rows: Tensor, cost: Cost, seconds: float) -> None:
        self.even, self.rows, self.cost, self.seconds = even, rows, cost, seconds
        self.dense_rows, self.dense_cost, self.dense_seconds = rows, cost, seconds


def _run(
    video: EvaluatedVideo,
    detector: SalisaDetector,
    dense: VideoNetwork,
    task: TaskMeasure,
    size: tuple[int, int],
    warm: bool,
) -> Iterator[_Seen]:
    """Frame by frame; the first call of all prepares kernels, and is made twice where they are not ``warm``."""
    before: Tensor | None = None
    for number, picture in enumerate(video.pictures()):
        frame, source = picture[None], (picture.shape[1], picture.shape[2])
        even = before is None or detector.settings.is_even(number)
        if not warm:
            detect_resampled(detector, frame, None)
            detect_resampled(detector, frame, torch.zeros(0, 6))
            warm = True
        seen = _Seen(even, *detect_resampled(detector, frame, None if even else before))
        whole = Window.whole(source, size)
        reduced = whole.picture(picture)[None].contiguous(memory_format=torch.channels_last)
        dense.reset()
        start = time.perf_counter()
        output = dense(reduced)
        seen.dense_seconds = time.perf_counter() - start
        seen.dense_rows = task.prediction(output[0], source)
        seen.dense_cost = dense.cost().latest[-1].total
        before = known(video.targets[number]()) if detector.settings.boxes == "labels" else seen.rows
        yield seen
