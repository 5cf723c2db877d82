"""Codecs at settings, and networks by methods on what they decode: resumable, a file for each point."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from scaleflow.efficient_nets.data.labelled_frames import LabelledData
from scaleflow.efficient_nets.networks.task_network import TaskNetwork
from scaleflow.efficient_nets.tasks.task import Task
from scaleflow.evaluation.networks.evaluate import NetworkPointDone, NetworkSetting, evaluate_network
from scaleflow.evaluation.networks.videos import EvaluatedData, labelled_videos
from scaleflow.evaluation.rate_distortion.codecs import EvaluatedCodec
from scaleflow.evaluation.rate_distortion.measure_point import MeasuringSettings
from scaleflow.evaluation.task_rate_distortion.coding import MeasuredTask, TaskProgress
from scaleflow.evaluation.task_rate_distortion.labelled_clips import LabelledClip, labelled_clips
from scaleflow.evaluation.task_rate_distortion.looking import Shown, look_at_all
from scaleflow.evaluation.task_rate_distortion.task_point import NETWORKS_FOLDER


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
    with tempfile.TemporaryDirectory(prefix="scaleflow-task-") as scratch:
        clips = labelled_clips(data, Path(scratch), first=first, frames=frames, frame_rate=frame_rate)
        whole = labelled_videos(data, frames, first)

        def look(shown: Shown, found: MeasuredTask) -> None:
            videos = whole if shown.streams is None else _decoded_videos(clips, shown)

            def tell(done: NetworkPointDone) -> None:
                if done.point is None:
                    progress(TaskProgress(shown.place, *shown.step, f"{done.setting}, frame {done.frames}"))
                    return
                point = shown.keep(done.point, results, found)
                progress(
                    TaskProgress(shown.place, *shown.step, str(done.setting), point=point, was_there=done.was_there)
                )

            place = results / NETWORKS_FOLDER
            for network in networks:
                own = network.trained, network.dense, network.weights
                evaluate_network(*own, task, videos, network.settings, place, settings.threads, progress=tell)

        counted = [(clip.clip, len(clip.frames), clip.still) for clip in clips]
        return look_at_all(
            counted,
            codecs,
            settings,
            results,
            data.place,
            look,
            workers=workers,
            overwrite=overwrite,
            progress=progress,
        )


def _decoded_videos(clips: Sequence[LabelledClip], shown: Shown) -> EvaluatedData:
    assert shown.streams is not None
    videos = [video for clip in clips for video in clip.videos(shown.streams[clip.clip.name])]
    return EvaluatedData(shown.place, tuple(videos), shown.content)
