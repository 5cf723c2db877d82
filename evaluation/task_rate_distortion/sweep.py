"""Codecs at settings, and networks by methods on what they decode: resumable, a file for each point."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from scaleflow.efficient_nets.data.labelled_frames import LabelledData
from scaleflow.efficient_nets.networks.task_network import TaskNetwork
from scaleflow.efficient_nets.tasks.task import Task
from scaleflow.errors import ScaleFlowError, UsageError
from scaleflow.evaluation.networks.evaluate import NetworkPointDone, NetworkSetting, evaluate_network
from scaleflow.evaluation.networks.videos import EvaluatedData, labelled_videos
from scaleflow.evaluation.rate_distortion.codecs import CodecSetting, EvaluatedCodec
from scaleflow.evaluation.rate_distortion.measure_point import MeasuringSettings
from scaleflow.evaluation.rate_distortion.point import RatePoint
from scaleflow.evaluation.task_rate_distortion.coding import MeasuredTask, TaskProgress, code_clips
from scaleflow.evaluation.task_rate_distortion.decoded_streams import (
    DecodedStream,
    close_all,
    decoded_streams,
    streams_hash,
)
from scaleflow.evaluation.task_rate_distortion.labelled_clips import LabelledClip, labelled_clips
from scaleflow.evaluation.task_rate_distortion.task_point import (
    NETWORKS_FOLDER,
    UNCOMPRESSED,
    TaskPoint,
    write_task_point,
)
from scaleflow.evaluation.task_rate_distortion.task_record import task_record


@dataclass(frozen=True)
class MeasuredNetwork:
    """A network, and how it is to look at videos.

    Attributes:
        trained: perhaps for a method.
        dense: what it is compared with.
        weights: hash of its file.
        settings: methods and sizes.
    """

    trained: TaskNetwork
    dense: TaskNetwork
    weights: str
    settings: tuple[NetworkSetting, ...]


def measure_task(
    task: Task,
    data: LabelledData,
    networks: Sequence[MeasuredNetwork],
    codecs: Sequence[EvaluatedCodec],
    settings: MeasuringSettings,
    results: Path,
    *,
    first: int = 0,
    frames: int | None = None,
    frame_rate: Fraction | None = None,
    workers: int = 1,
    overwrite: bool = False,
    progress: Callable[[TaskProgress], None] = lambda progress: None,
) -> MeasuredTask:
    """Code every video with every codec at each setting, and let every network look at what is decoded.

    Coding is that of :func:`scaleflow.evaluation.rate_distortion.sweep.measure`, into the same folder, so that plots
    and reports of rate and distortion are there as well. Each coded file is decoded once more for all networks that
    have not looked at it. Frames that stand alone are coded one by one.

    Args:
        task: of the networks and of the data.
        networks: each with its settings.
        settings: of coding.
        first, frames: number of the first frame of each video, and how many at most.
        frame_rate: of folders of pictures.
        workers: points of coding that are measured at the same time; networks look at one file after the other.

    Raises:
        UsageError: settings do not go together; or as ``measure``.
        DataError: data or a stored point cannot be read.
    """
    for codec in codecs:
        if codec.name == UNCOMPRESSED:
            raise UsageError(f"codec {codec.name}: that is what the pictures themselves are called: name it otherwise")
    found = MeasuredTask()
    with tempfile.TemporaryDirectory(prefix="scaleflow-task-") as scratch:
        clips = labelled_clips(data, Path(scratch), first=first, frames=frames, frame_rate=frame_rate)
        coded = code_clips(
            [(clip.clip, len(clip.frames), clip.still) for clip in clips],
            codecs,
            settings,
            results,
            workers,
            overwrite,
            progress,
        )
        found.problems += coded.problems
        whole = labelled_videos(data, frames, first)
        steps = 1 + sum(len(codec.settings) for codec in codecs)
        _look(task, whole, networks, settings, results, None, (1, steps), found, progress)
        number = 1
        for codec in codecs:
            for setting in codec.settings:
                number += 1
                rates = coded.of(codec, setting, [clip.clip.name for clip in clips])
                if rates is None:
                    continue
                streams = decoded_streams(rates, results, codec, setting, settings)
                try:
                    decoded = _decoded_data(data, clips, streams, rates, codec, setting)
                    _look(task, decoded, networks, settings, results, rates, (number, steps), found, progress)
                except ScaleFlowError as error:
                    found.problems.append(f"{codec.name} {setting.label}: {error}")
                finally:
                    close_all(streams)
    return found


def _decoded_data(
    data: LabelledData,
    clips: Sequence[LabelledClip],
    streams: Mapping[str, DecodedStream],
    rates: Mapping[str, RatePoint],
    codec: EvaluatedCodec,
    setting: CodecSetting,
) -> EvaluatedData:
    videos = [video for clip in clips for video in clip.videos(streams[clip.clip.name])]
    return EvaluatedData(f"{data.place}, {codec.name} {setting.label}", tuple(videos), streams_hash(rates))


def _look(
    task: Task,
    videos: EvaluatedData,
    networks: Sequence[MeasuredNetwork],
    settings: MeasuringSettings,
    results: Path,
    rates: Mapping[str, RatePoint] | None,
    step: tuple[int, int],
    found: MeasuredTask,
    progress: Callable[[TaskProgress], None],
) -> None:
    """Let all networks look at videos; ``rates`` are those of the videos by name, None of what was not coded."""

    def tell(done: NetworkPointDone) -> None:
        if done.point is None:
            progress(TaskProgress(videos.place, *step, f"{done.setting}, frame {done.frames}"))
            return
        point = TaskPoint(task_record(done.point, rates), done.point)
        write_task_point(point, results)
        found.points.append(point)
        progress(TaskProgress(videos.place, *step, str(done.setting), point=point, was_there=done.was_there))

    place = results / NETWORKS_FOLDER
    for network in networks:
        own = network.trained, network.dense, network.weights
        evaluate_network(*own, task, videos, network.settings, place, settings.threads, progress=tell)
