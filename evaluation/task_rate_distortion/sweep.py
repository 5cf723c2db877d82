"""Codecs at settings, and networks by methods on what they decode: resumable, a file for each point."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from scaleflow.efficient_nets.data.labelled_frames import LabelledData
from scaleflow.efficient_nets.networks.task_network import TaskNetwork
from scaleflow.efficient_nets.tasks.task import Task
from scaleflow.errors import ScaleFlowError, UsageError
from scaleflow.evaluation.networks.evaluate import NetworkPointDone, NetworkSetting, evaluate_network
from scaleflow.evaluation.networks.point import NetworkPoint
from scaleflow.evaluation.networks.videos import EvaluatedData, labelled_videos
from scaleflow.evaluation.rate_distortion.codecs import CodecSetting, EvaluatedCodec
from scaleflow.evaluation.rate_distortion.measure_point import MeasuringSettings
from scaleflow.evaluation.rate_distortion.point import RatePoint
from scaleflow.evaluation.rate_distortion.sweep import PointDone, measure
from scaleflow.evaluation.task_rate_distortion.decoded_streams import DecodedStream, close_all
from scaleflow.evaluation.task_rate_distortion.labelled_clips import LabelledClip, labelled_clips
from scaleflow.evaluation.task_rate_distortion.task_point import (
    NETWORKS_FOLDER,
    TASKS_FOLDER,
    UNCOMPRESSED,
    TaskPoint,
    TaskRecord,
)
from scaleflow.output_file import write_whole_file


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


@dataclass(frozen=True)
class TaskProgress:
    """What is being done: ``number`` of ``total`` steps of a part (``coding``, or the codec whose pictures are looked
    at), and points that are finished."""

    part: str
    number: int
    total: int
    details: str
    coded: PointDone | None = None
    point: TaskPoint | None = None
    was_there: bool = False


@dataclass
class MeasuredTask:
    """All points that were asked for: those that are there now, and why the others are not."""

    points: list[TaskPoint] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


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
        coded = _code(clips, codecs, settings, results, workers, overwrite, progress)
        found.problems += coded.problems
        whole = labelled_videos(data, frames, first)
        steps = 1 + sum(len(codec.settings) for codec in codecs)
        _look(task, whole, networks, settings, results, None, (1, steps), found, progress)
        number = 1
        for codec in codecs:
            for setting in codec.settings:
                number += 1
                rates = coded.of(codec, setting, clips)
                if rates is None:
                    continue
                streams = {
                    name: DecodedStream.of(
                        results / point.stream, codec, setting, point.clip.bit_depth, settings.threads, settings.ffmpeg
                    )
                    for name, point in rates.items()
                }
                try:
                    decoded = _decoded_data(data, clips, streams, rates, codec, setting)
                    _look(task, decoded, networks, settings, results, rates, (number, steps), found, progress)
                except ScaleFlowError as error:
                    found.problems.append(f"{codec.name} {setting.label}: {error}")
                finally:
                    close_all(streams)
    return found


@dataclass
class _Coded:
    points: dict[tuple[str, str, str], RatePoint]
    problems: list[str]

    def of(
        self, codec: EvaluatedCodec, setting: CodecSetting, clips: Sequence[LabelledClip]
    ) -> dict[str, RatePoint] | None:
        """The points of all clips by their names; None where one is missing."""
        found = {clip.clip.name: self.points.get((codec.name, setting.label, clip.clip.name)) for clip in clips}
        there = {name: point for name, point in found.items() if point is not None}
        return there if len(there) == len(found) else None


def _code(
    clips: Sequence[LabelledClip],
    codecs: Sequence[EvaluatedCodec],
    settings: MeasuringSettings,
    results: Path,
    workers: int,
    overwrite: bool,
    progress: Callable[[TaskProgress], None],
) -> _Coded:
    def tell(done: PointDone) -> None:
        details = f"{done.clip}, {done.codec} {done.setting}"
        progress(TaskProgress("coding", done.number, done.total, details, coded=done))

    points: dict[tuple[str, str, str], RatePoint] = {}
    problems: list[str] = []
    for still in dict.fromkeys(clip.still for clip in clips):
        chosen = [clip for clip in clips if clip.still == still]
        measured = measure(
            [clip.clip for clip in chosen],
            codecs,
            replace(settings, intra_period=1) if still else settings,
            results,
            frames=max(len(clip.frames) for clip in chosen),
            workers=workers,
            overwrite=overwrite,
            progress=tell,
        )
        points |= {(point.codec, point.setting, point.clip.name): point for point in measured.points}
        problems += measured.problems
    return _Coded(points, problems)


def _decoded_data(
    data: LabelledData,
    clips: Sequence[LabelledClip],
    streams: Mapping[str, DecodedStream],
    rates: Mapping[str, RatePoint],
    codec: EvaluatedCodec,
    setting: CodecSetting,
) -> EvaluatedData:
    videos = [video for clip in clips for video in clip.videos(streams[clip.clip.name])]
    commands = {name: rates[name].decode_command for name in streams}
    identity = repr([(name, rates[name].stream_hash, commands[name], rates[name].software) for name in streams])
    content = hashlib.sha256(identity.encode()).hexdigest()[:16]
    return EvaluatedData(f"{data.place}, {codec.name} {setting.label}", tuple(videos), content)


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
        record = _record(done.point, rates)
        point = TaskPoint(record, done.point)
        path = results / TASKS_FOLDER / f"{record.key}.json"
        write_whole_file(str(path), (point.to_json() + "\n").encode(), True, follow_links=False)
        found.points.append(point)
        progress(TaskProgress(videos.place, *step, str(done.setting), point=point, was_there=done.was_there))

    (results / TASKS_FOLDER).mkdir(parents=True, exist_ok=True)
    place = results / NETWORKS_FOLDER
    for network in networks:
        own = network.trained, network.dense, network.weights
        evaluate_network(*own, task, videos, network.settings, place, settings.threads, progress=tell)


def _record(point: NetworkPoint, rates: Mapping[str, RatePoint] | None) -> TaskRecord:
    if rates is None:
        return TaskRecord(UNCOMPRESSED, "", "as given", None, None, {}, {}, [], point.identity.key)
    coded = list(rates.values())
    samples = sum(one.clip.width * one.clip.height * one.clip.frames for one in coded)
    seconds = sum(one.clip.frames / one.clip.frame_rate for one in coded)
    bits = 8 * sum(one.file_bytes for one in coded)
    names = [name for name in coded[0].metrics if all(one.metrics.get(name) is not None for one in coded)]
    fidelity: dict[str, float | None] = {
        name: sum(one.metrics[name] or 0.0 for one in coded) / len(coded) for name in names
    }
    return TaskRecord(
        codec=coded[0].codec,
        description=coded[0].description,
        setting=coded[0].setting,
        bits_per_pixel=bits / samples,
        bitrate=bits / seconds / 1000,
        streams={name: one.stream_hash for name, one in rates.items()},
        fidelity=fidelity,
        part_rates=_part_rates(point, coded),
        network=point.identity.key,
    )


def _part_rates(point: NetworkPoint, coded: Sequence[RatePoint]) -> list[float]:
    """Bits per pixel of the pictures of each part; the container's bits are shared out evenly."""
    bits: list[float] = []
    for one in coded:
        extra = (8 * one.file_bytes - sum(one.frames.bits)) / one.clip.frames
        bits += [(value + extra) / (one.clip.width * one.clip.height) for value in one.frames.bits]
    return [sum(bits[part.first : part.first + part.frames]) / part.frames for part in point.parts]
