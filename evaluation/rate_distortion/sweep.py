"""Measures clips with codecs at settings: many independent points, resumable, in several processes."""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import torch

from scaleflow.child_processes import deaf_children, listen
from scaleflow.cluster import ClusterSettings, check_workers, open_workers
from scaleflow.errors import DataError, ScaleFlowError, UsageError
from scaleflow.evaluation.rate_distortion.clip_change import ClipChange
from scaleflow.evaluation.rate_distortion.clip_files import ClipFile
from scaleflow.evaluation.rate_distortion.codecs import EvaluatedCodec
from scaleflow.evaluation.rate_distortion.measure_point import (
    MeasuringSettings,
    PointTask,
    attempt_point,
    is_as_measured,
)
from scaleflow.evaluation.rate_distortion.point import RatePoint
from scaleflow.evaluation.rate_distortion.point_file import read_points_in
from scaleflow.evaluation.rate_distortion.remote_point import RemotePoint, point_work
from scaleflow.evaluation.rate_distortion.source_clip import prepare_clip
from scaleflow.output_file import write_whole_file
from scaleflow.partial_file import only_writer
from scaleflow.workers import WorkerReport, as_they_finish

logger = logging.getLogger(__name__)

MOST_WORKERS = 256

SCRATCH = ".scratch-"
"""How folders in that of the results begin that hold what is to be deleted."""

_Waiting = tuple[PointTask, Path, Path, RatePoint | None]
_Finished = tuple[PointTask, RatePoint | None, str | None]


@dataclass(frozen=True)
class _Executor:
    """What runs tasks, and who of a cluster does what."""

    run: Callable[[Sequence[_Waiting]], Iterator[_Finished]]
    report: Callable[[], tuple[WorkerReport, ...]] = tuple


@dataclass(frozen=True)
class PointDone:
    """Progress: the ``number``-th of ``total`` points; ``point`` where it was measured, ``problem`` where it failed.

    ``was_there``: an earlier run had measured it. ``workers`` says who of a cluster does what.
    """

    number: int
    total: int
    clip: str
    codec: str
    setting: str
    point: RatePoint | None = None
    problem: str | None = None
    was_there: bool = False
    workers: tuple[WorkerReport, ...] = ()


@dataclass
class MeasuredPoints:
    """All points that were asked for: those that are there now, and why the others are not."""

    points: list[RatePoint] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def measure(
    clips: Sequence[ClipFile],
    codecs: Sequence[EvaluatedCodec],
    settings: MeasuringSettings,
    results: Path,
    *,
    masks: Mapping[str, Path] | None = None,
    change: ClipChange | None = None,
    frames: int = 96,
    workers: int = 1,
    cluster: ClusterSettings | None = None,
    overwrite: bool = False,
    progress: Callable[[PointDone], None] | None = None,
) -> MeasuredPoints:
    """Measure every clip with every codec at each of its settings, into a results folder.

    A point that is there already, of the same pictures, commands, software and weights, is kept; one that lacks a
    metric, or was compared without masks, is decoded and compared again. A point that fails does not stop the others.

    Args:
        masks: by the names of clips, where the masks of their regions of interest are.
        change: what is done to all pictures before they are coded.
        frames: most pictures of each clip.
        workers: points that are measured at the same time.
        cluster: measures them in place of processes of this machine; its nodes must see the folder under its name.
        overwrite: delete points of these clips and codecs that were measured otherwise, which is refused else, since
            curves of different pictures or encoders do not compare.

    Raises:
        UsageError: the folder cannot be made, holds points that do not go together with these, or is being written by
            another process.
        DataError: a point in the folder cannot be read.
    """
    names = [codec.name for codec in codecs]
    if len(set(names)) < len(names):
        raise UsageError(f"two codecs are named {max(names, key=names.count)}: give one another name, as in NAME=...")
    for codec in codecs:
        if codec.needs_masks and not all(clip.name in (masks or {}) for clip in clips):
            raise UsageError(
                f"codec {codec.name} codes regions of interest: say with masks where they are", fields=("masks",)
            )
    check_workers(workers, cluster)
    for folder in (results / "points", results / "streams"):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{folder}: cannot be made: {error.strerror}") from error
    with only_writer(results / "points"):
        for left_over in (results / "streams").glob(".*.partial*"):
            if left_over.is_symlink() or left_over.is_file():
                left_over.unlink()
        with _scratch_folder(results, cluster) as scratch, _executor(workers, cluster, settings, results) as executor:
            return _measure(
                clips, codecs, settings, results, masks or {}, change, frames, scratch, executor, overwrite, progress
            )


def _measure(
    clips: Sequence[ClipFile],
    codecs: Sequence[EvaluatedCodec],
    settings: MeasuringSettings,
    results: Path,
    masks: Mapping[str, Path],
    change: ClipChange | None,
    frames: int,
    scratch: Path,
    executor: _Executor,
    overwrite: bool,
    progress: Callable[[PointDone], None] | None,
) -> MeasuredPoints:
    found = MeasuredPoints()
    total = len(clips) * sum(len(codec.settings) for codec in codecs)
    number = 0
    for clip in clips:
        try:
            source = prepare_clip(clip, frames, scratch, masks.get(clip.name), change)
        except ScaleFlowError as error:
            logger.warning("%s is left out: %s", clip.name, error)
            found.problems.append(f"{clip.name}: {error}")
            number += sum(len(codec.settings) for codec in codecs)
            continue
        tasks = [PointTask(source, codec, setting, settings) for codec in codecs for setting in codec.settings]
        earlier = _earlier_points(results, tasks, overwrite)
        waiting = []
        for task in tasks:
            there = earlier.get(task.key)
            if there is not None and _is_complete(there, task, results):
                number += 1
                found.points.append(there)
                _tell(progress, task, number, total, there, None, True)
            else:
                waiting.append((task, results, scratch, there))
        for task, point, problem in executor.run(waiting):
            number += 1
            if point is not None:
                path = _point_path(results, task)
                write_whole_file(str(path), point.to_json().encode(), True, follow_links=False)
                found.points.append(point)
            else:
                found.problems.append(f"{clip.name}, {task.codec.name} {task.setting.label}: {problem}")
            _tell(progress, task, number, total, point, problem, False, executor.report())
        source.remove()
    return found


def _tell(
    progress: Callable[[PointDone], None] | None,
    task: PointTask,
    number: int,
    total: int,
    point: RatePoint | None,
    problem: str | None,
    was_there: bool,
    workers: tuple[WorkerReport, ...] = (),
) -> None:
    if progress is not None:
        clip, codec, setting = task.source.clip.name, task.codec.name, task.setting.label
        progress(PointDone(number, total, clip, codec, setting, point, problem, was_there, workers))


def _point_path(results: Path, task: PointTask) -> Path:
    return results / "points" / f"{task.key}.json"


def _is_complete(point: RatePoint, task: PointTask, results: Path) -> bool:
    if not is_as_measured(point, results):
        logger.warning("%s is not what was measured: encoding it again", results / point.stream)
        return False
    has_masks = not task.source.clip.masks or point.clip.masks == task.source.clip.masks
    return has_masks and all(name in point.metrics for name in task.metrics)


def _earlier_points(results: Path, tasks: Sequence[PointTask], overwrite: bool) -> dict[str, RatePoint]:
    """Points of the tasks by key. Those that do not go together with the tasks are refused or deleted."""
    keys = {task.key for task in tasks}
    source = tasks[0].source.clip
    descriptions = {task.codec.name: task.description for task in tasks}
    software = {(task.codec.name, task.setting.label): task.software for task in tasks}
    found = {}
    for path, point in read_points_in(results).items():
        if Path(point.stream).stem != path.stem:
            raise DataError(f"{path}: names {point.stream}, the coded file of another point; delete it")
        of_clip = point.clip.name == source.name
        wrong_masks = of_clip and bool(point.clip.masks and source.masks) and point.clip.masks != source.masks
        if path.stem in keys and not wrong_masks:
            found[path.stem] = point
            continue
        wrong_pictures = of_clip and point.clip.content != source.content
        expected = software.get((point.codec, point.setting), point.software)
        wrong_codec = point.codec in descriptions and (
            point.description != descriptions[point.codec] or point.software != expected
        )
        if not (wrong_pictures or wrong_masks or wrong_codec):
            continue
        if not overwrite:
            what = (
                f"{point.clip.name} with other {'pictures' if wrong_pictures else 'masks'}"
                if wrong_pictures or wrong_masks
                else f"codec {point.codec} with other options, programs or weights"
            )
            raise UsageError(
                f"{results} holds points of {what} ({point.clip.name}, {point.codec} {point.setting}): "
                "choose another folder, name the codec otherwise, or delete these points with overwrite=True",
                fields=("overwrite",),
            )
        (results / point.stream).unlink(missing_ok=True)
        path.unlink()
    return found


@contextmanager
def _scratch_folder(results: Path, cluster: ClusterSettings | None) -> Iterator[Path]:
    """For clips as they are coded, and decoded pictures: beside the results where all nodes of a cluster see it."""
    if cluster is None:
        with tempfile.TemporaryDirectory(prefix="scaleflow-rd-") as name:
            yield Path(name)
        return
    for left_over in results.glob(f"{SCRATCH}*"):
        shutil.rmtree(left_over, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=results.resolve()) as name:
        yield Path(name)


@contextmanager
def _executor(
    workers: int, cluster: ClusterSettings | None, settings: MeasuringSettings, results: Path
) -> Iterator[_Executor]:
    """This process alone, a pool of them, or a cluster."""
    if cluster is not None:
        with point_work(results, settings.threads) as work, open_workers(work, 1, cluster) as far:
            yield _Executor(lambda waiting: as_they_finish([RemotePoint.of(*one) for one in waiting], far), far.report)
        return
    if not 1 <= workers <= MOST_WORKERS:
        raise UsageError(f"workers {workers} is outside 1..{MOST_WORKERS}", fields=("workers",))
    if workers == 1:
        yield _Executor(lambda waiting: (attempt_point(*one) for one in waiting))
        return
    # forked children would inherit locks of torch's threads
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=(settings.threads,))
    try:
        yield _Executor(lambda waiting: _in_pool(pool, waiting))
        pool.shutdown()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():
            child.terminate()
        raise


def _in_pool(pool: ProcessPoolExecutor, waiting: Sequence[_Waiting]) -> Iterator[_Finished]:
    with deaf_children():
        futures: list[Future[_Finished]] = [pool.submit(attempt_point, *one) for one in waiting]
    try:
        for future in as_completed(futures):
            yield future.result()
    except BrokenProcessPool as error:
        raise DataError(
            "a process was killed, perhaps for want of memory: try fewer workers", fields=("workers",)
        ) from error


def _start_worker(threads: int) -> None:
    torch.set_num_threads(threads)
    # Ctrl-C goes to all processes; the first one stops the others, and their encoders with them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What has come already finds nothing to clean up; an exception in here would be shown as a failure.
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(128 + number))
    listen()
    signal.signal(signal.SIGTERM, _stop_worker)


def _stop_worker(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
