"""Codecs at settings, and networks by methods on what they decode: resumable, a file for each point."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from scaleflow.cluster import ClusterSettings
from scaleflow.efficient_nets.data.labelled_frames import LabelledData
from scaleflow.efficient_nets.networks.task_network import TaskNetwork
from scaleflow.efficient_nets.tasks.task import TaskMeasure
from scaleflow.errors import UsageError
from scaleflow.evaluation.networks.evaluate import NetworkPointDone, NetworkSetting, evaluate_network
from scaleflow.evaluation.networks.evaluate_restorer import evaluate_restorer
from scaleflow.evaluation.networks.restored_videos import RestoredVideos, Restorer
from scaleflow.evaluation.networks.videos import EvaluatedData, labelled_videos
from scaleflow.evaluation.rate_distortion.clip_regions import ClipRegions
from scaleflow.evaluation.rate_distortion.codecs import EvaluatedCodec
from scaleflow.evaluation.rate_distortion.measure_point import MeasuringSettings
from scaleflow.evaluation.task_rate_distortion.coding import MeasuredTask, TaskProgress
from scaleflow.evaluation.task_rate_distortion.label_check import check_labels
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
    task: TaskMeasure,
    data: LabelledData,
    networks: Sequence[MeasuredNetwork],
    codecs: Sequence[EvaluatedCodec],
    settings: MeasuringSettings,
    results: Path,
    *,
    first: int = 0,
    frames: int | None = None,
    frame_rate: Fraction | None = None,
    restorers: Sequence[Restorer] = (),
    regions: ClipRegions | None = None,
    workers: int = 1,
    cluster: ClusterSettings | None = None,
    overwrite: bool = False,
    progress: Callable[[TaskProgress], None] = lambda progress: None,
) -> MeasuredTask:
    """Code every video with every codec at each setting, and let every network look at what is decoded.

    Coding is that of :func:`scaleflow.evaluation.rate_distortion.sweep.measure`, into the same folder, so that plots
    and reports of rate and distortion are there as well. Each coded file is decoded once more for all networks that
    have not looked at it. Frames that stand alone are coded one by one. Methods that are told by a decoder what changed
    see what is decoded of ``.sfv`` files alone.

    Args:
        task: of the networks and of the data.
        networks: each with its settings. Without any, restorers alone are measured.
        settings: of coding.
        first, frames: number of the first frame of each video, and how many at most.
        frame_rate: of folders of pictures.
        restorers: networks also look at pictures that each of these has restored.
        regions: where the masks come from that codecs of regions of interest are given.
        workers: points of coding that are measured at the same time; networks look at one file after the other.
        cluster: measures points of coding in their place.

    Raises:
        UsageError: settings do not go together; or as ``measure``.
        DataError: data or a stored point cannot be read, or labels do not fit their pictures.
    """
    told = [item.method.name for own in networks for item in own.settings if item.method.change_maps is not None]
    if told and not any(codec.tells_changes for codec in codecs):
        raise UsageError(
            f"method {told[0]}: only decoders of .sfv files say what changed: name a codec of ScaleFlow's",
            fields=("method",),
        )

    def look(videos: EvaluatedData, shown: Shown, found: MeasuredTask) -> None:
        def tell(done: NetworkPointDone) -> None:
            if done.point is None:
                progress(TaskProgress(shown.place, *shown.step, f"{done.setting}, frame {done.frames}"))
                return
            point = shown.keep(done.point, results, found)
            progress(TaskProgress(shown.place, *shown.step, str(done.setting), point=point, was_there=done.was_there))

        def look_with_networks(seen: EvaluatedData, restored: RestoredVideos | None = None) -> None:
            for network in networks:
                own = network.trained, network.dense, network.weights
                chosen = [item for item in network.settings if shown.tells_changes or item.method.change_maps is None]
                evaluate_network(*own, task, seen, chosen, place, settings.threads, progress=tell, restored=restored)

        place = results / NETWORKS_FOLDER
        look_with_networks(videos)
        for restorer in restorers:
            with RestoredVideos(videos, restorer) as restored:
                look_with_networks(restored.data, restored)
                if not networks:
                    point, was_there = evaluate_restorer(task, restored, shown.size, place, settings.threads)
                    made = shown.keep(point, results, found)
                    details = restorer.settings
                    progress(TaskProgress(shown.place, *shown.step, details, point=made, was_there=was_there))

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
        changes=bool(told),
        workers=workers,
        cluster=cluster,
        overwrite=overwrite,
        progress=progress,
    )


def look_at_frames(
    data: LabelledData,
    codecs: Sequence[EvaluatedCodec],
    settings: MeasuringSettings,
    results: Path,
    look: Callable[[EvaluatedData, Shown, MeasuredTask], None],
    *,
    first: int,
    frames: int | None,
    frame_rate: Fraction | None,
    regions: ClipRegions | None,
    changes: bool = False,
    workers: int,
    cluster: ClusterSettings | None,
    overwrite: bool,
    progress: Callable[[TaskProgress], None],
) -> MeasuredTask:
    """Code labelled frames, and let ``look`` see them as they are, and then as each codec decodes them at each setting.

    Args:
        changes: decoders are to say what changed.
        others: as of :func:`measure_task`.

    Raises:
        UsageError, DataError: as :func:`measure_task`.
    """
    with tempfile.TemporaryDirectory(prefix="scaleflow-task-") as scratch:
        clips = labelled_clips(data, Path(scratch), first=first, frames=frames, frame_rate=frame_rate)
        check_labels(clips)
        whole = labelled_videos(data, frames, first)
        return look_at_all(
            [(clip.clip, len(clip.frames), clip.still) for clip in clips],
            codecs,
            settings,
            results,
            data.place,
            lambda shown, found: look(whole if shown.streams is None else _decoded(clips, shown), shown, found),
            regions=regions,
            changes=changes,
            workers=workers,
            cluster=cluster,
            overwrite=overwrite,
            progress=progress,
        )


def _decoded(clips: Sequence[LabelledClip], shown: Shown) -> EvaluatedData:
    assert shown.streams is not None
    videos = [video for clip in clips for video in clip.videos(shown.streams[clip.clip.name])]
    return EvaluatedData(shown.place, tuple(videos), shown.content)
