"""Codes the videos of a task, as ``scaleflow rd`` does, and says how far a measurement is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from scaleflow.cluster import ClusterSettings
from scaleflow.evaluation.rate_distortion.clip_files import ClipFile
from scaleflow.evaluation.rate_distortion.codecs import CodecSetting, EvaluatedCodec
from scaleflow.evaluation.rate_distortion.measure_point import MeasuringSettings
from scaleflow.evaluation.rate_distortion.point import RatePoint
from scaleflow.evaluation.rate_distortion.sweep import PointDone, measure
from scaleflow.evaluation.task_rate_distortion.task_point import TaskPoint


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


@dataclass
class CodedClips:
    """Points of coding by codec, setting and clip, and why some are missing."""

    points: dict[tuple[str, str, str], RatePoint]
    problems: list[str]

    def of(self, codec: EvaluatedCodec, setting: CodecSetting, clips: Sequence[str]) -> dict[str, RatePoint] | None:
        """The points of all clips by their names; None where one is missing."""
        found = {name: self.points.get((codec.name, setting.label, name)) for name in clips}
        there = {name: point for name, point in found.items() if point is not None}
        return there if len(there) == len(found) else None


def code_clips(
    clips: Sequence[tuple[ClipFile, int, bool]],
    codecs: Sequence[EvaluatedCodec],
    settings: MeasuringSettings,
    results: Path,
    masks: Mapping[str, Path],
    workers: int,
    cluster: ClusterSettings | None,
    overwrite: bool,
    progress: Callable[[TaskProgress], None],
) -> CodedClips:
    """Code clips, each with the number of its pictures and whether these stand alone, which are coded one by one.

    Args:
        masks: of regions of interest, by the names of the clips.

    Raises:
        UsageError, DataError: as :func:`scaleflow.evaluation.rate_distortion.sweep.measure`.
    """

    def tell(done: PointDone) -> None:
        details = f"{done.clip}, {done.codec} {done.setting}"
        progress(TaskProgress("coding", done.number, done.total, details, coded=done))

    points: dict[tuple[str, str, str], RatePoint] = {}
    problems: list[str] = []
    for still in dict.fromkeys(still for _, _, still in clips):
        chosen = [(clip, frames) for clip, frames, alone in clips if alone == still]
        measured = measure(
            [clip for clip, _ in chosen],
            codecs,
            replace(settings, intra_period=1) if still else settings,
            results,
            masks=masks,
            frames=max(frames for _, frames in chosen),
            workers=workers,
            cluster=cluster,
            overwrite=overwrite,
            progress=tell,
        )
        points |= {(point.codec, point.setting, point.clip.name): point for point in measured.points}
        problems += measured.problems
    return CodedClips(points, problems)
