"""Action recognition on coded videos: whole videos have a class, and networks choose how many frames they look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from scaleflow.cluster import ClusterSettings
from scaleflow.efficient_nets.data.action_clips import ActionClip, ActionData
from scaleflow.efficient_nets.frame_exit.weights_file import ActionNetwork
from scaleflow.errors import UsageError
from scaleflow.evaluation.networks.evaluate_action import ActionSetting, evaluate_action, identity_of_videos
from scaleflow.evaluation.rate_distortion.clip_files import ClipFile
from scaleflow.evaluation.rate_distortion.clip_regions import ClipRegions
from scaleflow.evaluation.rate_distortion.codecs import EvaluatedCodec
from scaleflow.evaluation.rate_distortion.measure_point import MeasuringSettings
from scaleflow.evaluation.task_rate_distortion.coding import MeasuredTask, TaskProgress
from scaleflow.evaluation.task_rate_distortion.looking import Shown, look_at_all
from scaleflow.evaluation.task_rate_distortion.task_point import NETWORKS_FOLDER, TaskPoint, read_task_points

ALL_FRAMES = 1 << 20
"""More than the videos have that people act in."""


@dataclass(frozen=True)
class MeasuredActionNetwork:
    """A network for action recognition, the hash of its file, and the gates to measure."""

    trained: ActionNetwork
    weights: str
    settings: tuple[ActionSetting, ...]


def measure_action_task(
    data: ActionData,
    networks: Sequence[MeasuredActionNetwork],
    codecs: Sequence[EvaluatedCodec],
    settings: MeasuringSettings,
    results: Path,
    *,
    frames: int | None = None,
    regions: ClipRegions | None = None,
    workers: int = 1,
    cluster: ClusterSettings | None = None,
    overwrite: bool = False,
    progress: Callable[[TaskProgress], None] = lambda progress: None,
) -> MeasuredTask:
    """As :func:`scaleflow.evaluation.task_rate_distortion.sweep.measure_task`, of videos that have one class each.

    Points are those that ``scaleflow nets eval`` makes of such networks: gates, fixed numbers of frames, and exits by
    chance.
    """
    names = {_clip_name(clip): clip for clip in data.clips}
    if len(names) < len(data.clips):
        raise UsageError(f"{data.place}: two videos have one name when / becomes -: rename one")

    def look(shown: Shown, found: MeasuredTask) -> None:
        videos = replace(data, clips=tuple(replace(clip, pictures=frames) for clip in data.clips))
        content = shown.content or identity_of_videos(videos)
        there = _points_there(networks, content, settings.threads, results)
        if there is not None:
            found.points += there
            for point in there:
                method = point.network.identity.method
                progress(TaskProgress(shown.place, *shown.step, method, point=point, was_there=True))
            return
        if shown.streams is not None:
            clips = tuple(replace(clip, path=shown.streams[name].decoded()) for name, clip in names.items())
            videos = replace(data, place=shown.place, clips=clips, content=content)

        def tell(done: int, total: int) -> None:
            progress(TaskProgress(shown.place, *shown.step, f"video {done} of {total}"))

        for network in networks:
            given = network.trained, network.weights, videos, network.settings
            for made in evaluate_action(*given, results / NETWORKS_FOLDER, settings.threads, tell):
                point = shown.keep(made, results, found)
                progress(TaskProgress(shown.place, *shown.step, made.identity.method, point=point))

    return look_at_all(
        [(ClipFile(name, clip.path), frames or ALL_FRAMES, False) for name, clip in names.items()],
        codecs,
        settings,
        results,
        data.place,
        look,
        regions=regions,
        workers=workers,
        cluster=cluster,
        overwrite=overwrite,
        progress=progress,
    )


def _points_there(
    networks: Sequence[MeasuredActionNetwork], content: str, threads: int, results: Path
) -> list[TaskPoint] | None:
    """The points of videos that all networks have looked at by all settings; None where some are missing."""
    there = [
        point
        for point in read_task_points(results)
        if (point.network.identity.content, point.network.identity.threads) == (content, threads)
    ]
    for network in networks:
        identities = [point.network.identity for point in there]
        known = {identity.settings for identity in identities if identity.weights == network.weights}
        if not {str(setting) for setting in network.settings} <= known:
            return None
    weights = {network.weights for network in networks}
    return [point for point in there if point.network.identity.weights in weights]


def _clip_name(clip: ActionClip) -> str:
    return clip.name.replace("/", "-")
