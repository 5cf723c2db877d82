"""The Pareto surface of rate, measure and cost: settings of codec and network that no other beats in all three."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scaleflow.evaluation.task_rate_distortion.task_point import TaskPoint

COST = "gmac"
"""Of :attr:`TaskPoint.metrics`: MACs are the same in each run, times are not."""


def on_surface(points: Sequence[TaskPoint]) -> list[bool | None]:
    """Whether a point lies on the surface: no other one has a rate and a cost that are not higher and a measure that is
    not lower, and is better in one of these.

    Points are compared with those of the same measure on the same videos.

    Returns:
        One for each point; None of pictures that were not coded, and where the measure is not known.
    """
    places = [_place(point) for point in points]
    groups: dict[tuple[str, tuple[str, ...]], list[tuple[float, float, float]]] = {}
    for point, place in zip(points, places, strict=True):
        if place is not None:
            groups.setdefault(_group(point), []).append(place)
    return [
        None if place is None else not any(_beats(other, place) for other in groups[_group(point)])
        for point, place in zip(points, places, strict=True)
    ]


def _group(point: TaskPoint) -> tuple[str, tuple[str, ...]]:
    return point.network.measure, tuple(sorted(point.record.streams))


def _place(point: TaskPoint) -> tuple[float, float, float] | None:
    """Rate, cost, and the measure with its sign changed, so that less is better in all three."""
    rate, value = point.record.bits_per_pixel, point.metrics.get(point.network.measure)
    cost = point.metrics[COST]
    if rate is None or value is None or cost is None or not math.isfinite(value):
        return None
    return rate, cost, -value


def _beats(one: tuple[float, float, float], other: tuple[float, float, float]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))
