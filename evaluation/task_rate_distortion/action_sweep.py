"""Action recognition on coded videos: whole videos have a class, and networks choose how many frames they look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from scaleflow.efficient_nets.data.action_clips import ActionClip, ActionData
from scaleflow.efficient_nets.frame_exit.weights_file import ActionNetwork
from scaleflow.errors import ScaleFlowError, UsageError
from scaleflow.evaluation.networks.evaluate_action import ActionSetting, evaluate_action
from scaleflow.evaluation.rate_distortion.clip_files import ClipFile
from scaleflow.evaluation.rate_distortion.codecs import EvaluatedCodec
from scaleflow.evaluation.rate_distortion.measure_point import MeasuringSettings
from scaleflow.evaluation.rate_distortion.point import RatePoint
from scaleflow.evaluation.task_rate_distortion.coding import MeasuredTask, TaskProgress, code_clips
from scaleflow.evaluation.task_rate_distortion.decoded_streams import close_all, decoded_streams, streams_hash
from scaleflow.evaluation.task_rate_distortion.task_point import (
    NETWORKS_FOLDER,
    TaskPoint,
    read_task_points,
    write_task_point,
)
from scaleflow.evaluation.task_rate_distortion.task_record import task_record

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
    workers: int = 1,
    overwrite: bool = False,
    progress: Callable[[TaskProgress], None] = lambda progress: None,
) -> MeasuredTask:
    """As :func:`scaleflow.evaluation.task_rate_distortion.sweep.measure_task`, of videos that have one class each.

    Points are those that ``scaleflow nets eval`` makes of such networks: gates, fixed numbers of frames, and exits by
    chance.
    """
    found = MeasuredTask()
    names = {_clip_name(clip): clip for clip in data.clips}
    if len(names) < len(data.clips):
        raise UsageError(f"{data.place}: two videos have one name when / becomes -: rename one")
    coded = code_clips(
        [(ClipFile(name, clip.path), frames or ALL_FRAMES, False) for name, clip in names.items()],
        codecs,
        settings,
        results,
        workers,
        overwrite,
        progress,
    )
    found.problems += coded.problems
    steps = 1 + sum(len(codec.settings) for codec in codecs)
    _look(data, networks, settings, results, None, (1, steps), found, progress)
    number = 1
    for codec in codecs:
        for setting in codec.settings:
            number += 1
            rates = coded.of(codec, setting, list(names))
            if rates is None:
                continue
            streams = decoded_streams(rates, results, codec, setting, settings)

            def decoded() -> ActionData:
                clips = [replace(clip, path=streams[name].decoded()) for name, clip in names.items()]  # noqa: B023
                content = streams_hash(rates)  # noqa: B023
                place = f"{data.place}, {codec.name} {setting.label}"  # noqa: B023
                return replace(data, place=place, clips=tuple(clips), content=content)

            try:
                if not _is_there(networks, rates, results, found):
                    _look(decoded(), networks, settings, results, rates, (number, steps), found, progress)
            except ScaleFlowError as error:
                found.problems.append(f"{codec.name} {setting.label}: {error}")
            finally:
                close_all(streams)
    return found


def _look(
    data: ActionData,
    networks: Sequence[MeasuredActionNetwork],
    settings: MeasuringSettings,
    results: Path,
    rates: Mapping[str, RatePoint] | None,
    step: tuple[int, int],
    found: MeasuredTask,
    progress: Callable[[TaskProgress], None],
) -> None:
    def tell(done: int, total: int) -> None:
        progress(TaskProgress(data.place, *step, f"video {done} of {total}"))

    for network in networks:
        given = network.trained, network.weights, data, network.settings
        for made in evaluate_action(*given, results / NETWORKS_FOLDER, settings.threads, tell):
            point = TaskPoint(task_record(made, rates), made)
            write_task_point(point, results)
            found.points.append(point)
            progress(TaskProgress(data.place, *step, made.identity.method, point=point))


def _is_there(
    networks: Sequence[MeasuredActionNetwork], rates: Mapping[str, RatePoint], results: Path, found: MeasuredTask
) -> bool:
    """Whether all networks have looked at these coded files by all settings; their points are taken then."""
    streams = {name: point.stream_hash for name, point in rates.items()}
    content = streams_hash(rates)
    there = [
        point
        for point in read_task_points(results)
        if point.record.streams == streams and point.network.identity.content == content
    ]
    for network in networks:
        known = {
            point.network.identity.settings for point in there if point.network.identity.weights == network.weights
        }
        if not {str(setting) for setting in network.settings} <= known:
            return False
    weights = {network.weights for network in networks}
    found.points += [point for point in there if point.network.identity.weights in weights]
    return True


def _clip_name(clip: ActionClip) -> str:
    return clip.name.replace("/", "-")
