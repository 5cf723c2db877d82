"""The curves to draw, from results folders and from files that others published."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from scaleflow.errors import UsageError
from scaleflow.evaluation.rate_distortion.point import RatePoint
from scaleflow.evaluation.rate_distortion.published_curve import read_published_curve
from scaleflow.evaluation.rate_distortion.results import (
    Curve,
    average_curve,
    curve_of_clip,
    read_points,
)
from scaleflow.evaluation.statistics.bootstrap import FEWEST_CLIPS, bootstrap_interval
from scaleflow.evaluation.task_rate_distortion.curves import curves_over_cost, task_curves
from scaleflow.evaluation.task_rate_distortion.task_point import UNCOMPRESSED, TaskPoint, read_task_points

logger = logging.getLogger(__name__)

Interval = tuple[float, float]


@dataclass(frozen=True)
class PlottedCurve:
    """A curve under the name that the legend gives it.

    Attributes:
        clips: how many clips it is the mean of; 1 of a single clip, None where the source does not say.
        intervals: by metric, for each point of the curve the 95 % interval of the mean over clips in the metric's own
            unit; empty where there are too few clips.
        uncompressed: by metric, what pictures have that were not coded; empty where that is not known.
    """

    label: str
    curve: Curve
    clips: int | None = None
    intervals: dict[str, tuple[Interval, ...]] = field(default_factory=dict)
    uncompressed: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for metric, intervals in self.intervals.items():
            if len(intervals) != len(self.curve.metrics[metric]):
                raise ValueError(f"{len(intervals)} intervals for {len(self.curve.metrics[metric])} points of {metric}")


def read_curves(
    sources: Sequence[Path], *, clip: str | None = None, codecs: Sequence[str] = (), over_cost: bool = False
) -> list[PlottedCurve]:
    """The curves of results folders and of files in CompressAI's schema, in the order given.

    Of a folder of ``scaleflow task-rd`` they are those of the networks, of all videos together, which have the measures
    of pictures as well; curves of a clip are those of pictures alone.

    Args:
        sources: folders that ``scaleflow rd`` or ``scaleflow task-rd`` wrote, and files.
        clip: curves of this clip instead of averages; files hold averages only and are left out.
        codecs: only these; all where empty.
        over_cost: of folders of ``scaleflow task-rd``, a curve for each codec at each setting instead, whose points are
            the networks and methods that looked at its pictures.

    Raises:
        UsageError: there is no such source, clip or codec, or costs are asked of a source that has none.
        DataError: a source holds no curve, or is damaged.
    """
    found: list[tuple[Path, PlottedCurve]] = []
    for source in sources:
        curves = _read_costs(source) if over_cost else _read_source(source, clip)
        found += [(source, curve) for curve in curves]
    if clip is not None and not found:
        raise UsageError(f"clip {clip!r} was not measured: {_clips_in(sources)}")
    _check_codecs(codecs, list(dict.fromkeys(curve.curve.codec for _, curve in found)))
    return _with_labels([(source, curve) for source, curve in found if not codecs or curve.curve.codec in codecs])


def points_of_tasks(sources: Sequence[Path], codecs: Sequence[str] = ()) -> list[TaskPoint]:
    """The points of folders of ``scaleflow task-rd``, of these codecs alone where some are named.

    Raises:
        UsageError: a source is no such folder, or has no such codec.
        DataError: a point is damaged.
    """
    found: list[TaskPoint] = []
    for source in sources:
        points = read_task_points(source) if source.is_dir() else []
        if not points:
            raise UsageError(f"{source}: has no costs of networks: give a folder that scaleflow task-rd wrote")
        found += points
    _check_codecs(codecs, list(dict.fromkeys(point.record.codec for point in found)))
    return [point for point in found if not codecs or point.record.codec in codecs]


def _check_codecs(codecs: Sequence[str], names: Sequence[str]) -> None:
    for codec in codecs:
        if codec not in names:
            raise UsageError(f"codec {codec!r} was not measured; there are {', '.join(names)}")


def _read_costs(source: Path) -> list[PlottedCurve]:
    return [PlottedCurve(_name_with_rate(curve), curve) for curve in curves_over_cost(points_of_tasks([source]))]


def _name_with_rate(curve: Curve) -> str:
    if curve.codec == UNCOMPRESSED:
        return curve.codec
    return f"{curve.codec} at {curve.bits_per_pixel[0]:.3g} bpp"


def _read_source(source: Path, clip: str | None) -> list[PlottedCurve]:
    if source.is_dir():
        of_tasks = read_task_points(source) if clip is None else []
        return curves_of_tasks(of_tasks) if of_tasks else curves_of_points(read_points(source), clip)
    if not source.exists():
        raise UsageError(f"{source}: no such folder or file; give a folder that scaleflow rd wrote, or a .json file")
    curves = read_published_curve(source)
    if clip is not None:
        logger.warning("%s holds averages, not clip %s: left out", source, clip)
        return []
    return [PlottedCurve(curve.codec, curve) for curve in curves]


def curves_of_tasks(points: Sequence[TaskPoint]) -> list[PlottedCurve]:
    """The curve of each codec, network and method; the latter two are named where there are several."""
    curves = task_curves(points)
    several = len({curve.looked for curve in curves}) > 1
    return [
        PlottedCurve(curve.label if several else curve.codec, curve.curve, uncompressed=curve.uncompressed)
        for curve in curves
    ]


def curves_of_points(points: Sequence[RatePoint], clip: str | None = None) -> list[PlottedCurve]:
    """The curve of each codec, of one clip or averaged over all; codecs without a point of it are left out."""
    curves = []
    for codec in dict.fromkeys(point.codec for point in points):
        chosen = [point for point in points if point.codec == codec]
        if clip is None:
            curves.append(_average(chosen, codec))
        elif any(point.clip.name == clip for point in chosen):
            curves.append(PlottedCurve(codec, curve_of_clip(chosen, codec, clip), 1))
    return [curve for curve in curves if curve.curve.settings]


def _average(points: Sequence[RatePoint], codec: str) -> PlottedCurve:
    curve = average_curve(points, codec)
    clips = list(dict.fromkeys(point.clip.name for point in points))
    settings = dict.fromkeys(point.setting for point in points)
    incomplete = [setting for setting in settings if setting not in curve.settings]
    if incomplete:
        logger.warning("%s at %s lacks clips: left out of the average", codec, ", ".join(incomplete))
    if len(clips) < FEWEST_CLIPS:
        return PlottedCurve(codec, curve, len(clips))
    values = {(point.setting, point.clip.name): point.metrics for point in points}
    intervals = {
        metric: tuple(
            bootstrap_interval([values[setting, name].get(metric) for name in clips]) for setting in curve.settings
        )
        for metric in curve.metrics
    }
    return PlottedCurve(codec, curve, len(clips), intervals)


def _clips_in(sources: Sequence[Path]) -> str:
    names = {point.clip.name for source in sources if source.is_dir() for point in read_points(source)}
    return f"there are {', '.join(sorted(names))}" if names else "clips are in results folders, and none was given"


def _with_labels(found: Sequence[tuple[Path, PlottedCurve]]) -> list[PlottedCurve]:
    """Curves of one name from several sources also carry their source's."""
    labels = [curve.label for _, curve in found]
    named = [f"{label} ({source.resolve().name})" for label, (source, _) in zip(labels, found, strict=True)]
    placed = [f"{label} ({source})" for label, (source, _) in zip(labels, found, strict=True)]
    return [
        replace(curve, label=next((c[n] for c in (labels, named) if c.count(c[n]) == 1), placed[n]))
        for n, (_, curve) in enumerate(found)
    ]
