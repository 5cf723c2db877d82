"""Curves of measures of a task over the rate, what was lost, and BD-rates with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from scaleflow.errors import DataError
from scaleflow.evaluation.networks.curve_names import curve_names
from scaleflow.evaluation.rate_distortion.results import Curve
from scaleflow.evaluation.statistics.bd_rate import BdRate, NoOverlapError, bd_rate, rising_front
from scaleflow.evaluation.statistics.bootstrap import FEWEST_CLIPS, bootstrap_interval
from scaleflow.evaluation.task_rate_distortion.task_point import UNCOMPRESSED, TaskPoint

LOSSES = (0.01, 0.05)
"""Shares of the measure of uncompressed pictures whose loss is looked for."""


@dataclass(frozen=True)
class TaskCurve:
    """What a network finds in what a codec decodes, over the rate.

    Attributes:
        looked: network and method, as :func:`scaleflow.evaluation.networks.curve_names.curve_names` call them.
        codec: its name.
        measure: the task's.
        curve: its metrics are those of :attr:`TaskPoint.metrics`.
        parts: the same of each part of the videos, of the measure alone.
        uncompressed: metrics of the pictures as they were given; empty where the network was not shown them.
    """

    looked: str
    codec: str
    measure: str
    curve: Curve
    parts: tuple[Curve, ...]
    uncompressed: dict[str, float]

    @property
    def label(self) -> str:
        """Codec, network and method."""
        return f"{self.codec}, {self.looked}"


def task_curves(points: Sequence[TaskPoint]) -> list[TaskCurve]:
    """Of each codec, network, method and size, in the order of the points."""
    names = looked_names(points)
    groups: dict[tuple[str, str], list[TaskPoint]] = {}
    plain: dict[str, TaskPoint] = {}
    for name, point in zip(names, points, strict=True):
        if point.record.codec == UNCOMPRESSED:
            plain[name] = point
        else:
            groups.setdefault((name, point.record.codec), []).append(point)
    return [
        TaskCurve(
            looked,
            codec,
            group[0].network.measure,
            _curve_over_rate(codec, group),
            _part_curves(codec, group),
            {name: value for name, value in plain[looked].metrics.items() if value is not None}
            if looked in plain
            else {},
        )
        for (looked, codec), group in groups.items()
    ]


def curves_over_cost(points: Sequence[TaskPoint]) -> list[Curve]:
    """Of each codec at each setting: all networks and methods that look at the same pictures, the cheapest first."""
    names = looked_names(points)
    groups: dict[tuple[str, str], list[tuple[str, TaskPoint]]] = {}
    for name, point in zip(names, points, strict=True):
        groups.setdefault((point.record.codec, point.record.setting), []).append((name, point))
    return [
        _curve(codec, [point for _, point in ordered], [name for name, _ in ordered])
        for (codec, _), group in groups.items()
        for ordered in [sorted(group, key=lambda pair: pair[1].network.macs)]
    ]


def rate_of_loss(curve: TaskCurve, share: float) -> float | None:
    """Bits per pixel at which the measure has fallen by a share of what it is for uncompressed pictures.

    Between points the logarithm of the rate is interpolated; points that cost more than another and are no better are
    left out. None where the curve lies above or below that everywhere, or nothing is known of uncompressed pictures.
    """
    if curve.measure not in curve.uncompressed:
        return None
    wanted = (1 - share) * curve.uncompressed[curve.measure]
    try:
        rates, values = rising_front(curve.curve, curve.measure, warn=False)
    except DataError:
        return None
    if not values[0] <= wanted <= values[-1]:
        return None
    return float(np.exp(np.interp(wanted, values, np.log(rates))))


def task_bd_rate(curve: TaskCurve, anchor: TaskCurve) -> BdRate:
    """Rate at equal measure; the interval is that of the mean over parts of the videos on which both curves overlap.

    Parts are some 25 successive frames: what is measured is taken for a sample of such parts. Where fewer than three
    overlap there is no interval.

    Raises:
        NoOverlapError, DataError: as :func:`scaleflow.evaluation.statistics.bd_rate.bd_rate`.
    """
    whole = bd_rate(curve.curve, anchor.curve, curve.measure, warn=False)
    parts = []
    for own, other in zip(curve.parts, anchor.parts, strict=False):
        try:
            parts.append(bd_rate(own, other, curve.measure, warn=False).percent)
        except (NoOverlapError, DataError):
            continue
    if len(parts) < FEWEST_CLIPS:
        return whole
    return replace(whole, interval=bootstrap_interval(parts))


def looked_names(points: Sequence[TaskPoint]) -> list[str]:
    """Of each point its network, method, settings and size, where points differ in them."""
    names = curve_names([point.network for point in points])
    found = []
    for name, point in zip(names, points, strict=True):
        identity = point.network.identity
        same = [other.network.identity for key, other in zip(names, points, strict=True) if key == name]
        words = [name.removesuffix(", at several sizes")]
        if len({other.settings for other in same}) > 1 and identity.settings:
            words.append(identity.settings)
        if len({other.size for other in same}) > 1:
            words.append(f"at {identity.size[0]}x{identity.size[1]}")
        found.append(" ".join(words))
    return found


def _curve_over_rate(codec: str, points: Sequence[TaskPoint]) -> Curve:
    ordered = sorted(points, key=lambda point: point.record.bits_per_pixel or 0.0)
    return _curve(codec, ordered, [point.record.setting for point in ordered])


def _curve(codec: str, ordered: Sequence[TaskPoint], settings: Sequence[str]) -> Curve:
    names = dict.fromkeys(name for point in ordered for name in point.metrics)
    return Curve(
        codec,
        None,
        tuple(settings),
        tuple(point.record.bits_per_pixel or math.nan for point in ordered),
        tuple(point.record.bitrate or math.nan for point in ordered),
        {name: tuple(_number(point.metrics.get(name)) for point in ordered) for name in names},
    )


def _part_curves(codec: str, points: Sequence[TaskPoint]) -> tuple[Curve, ...]:
    ordered = sorted(points, key=lambda point: point.record.bits_per_pixel or 0.0)
    counts = {len(point.record.part_rates) for point in ordered}
    if len(counts) != 1:
        return ()
    curves = []
    for number in range(counts.pop()):
        rows = sorted(
            (point.record.part_rates[number], _number(point.network.parts[number].value), point.record.setting)
            for point in ordered
        )
        rates, values, settings = zip(*rows, strict=True)
        unknown = (math.nan,) * len(rows)
        part = f"part {number + 1}"
        curves.append(Curve(codec, part, settings, rates, unknown, {ordered[0].network.measure: values}))
    return tuple(curves)


def _number(value: float | None) -> float:
    return math.nan if value is None else value
