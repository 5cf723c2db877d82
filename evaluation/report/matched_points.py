"""Which points of the codecs are put side by side, and which of their pictures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from scaleflow.evaluation.rate_distortion.point import RatePoint


def common_rate(points: Iterable[RatePoint]) -> float:
    """The middle, in octaves, of the rates that all codecs reach, in bits per pixel.

    Where their ranges share nothing it lies halfway between them.
    """
    rates: dict[str, list[float]] = {}
    for point in points:
        rates.setdefault(point.codec, []).append(point.bits_per_pixel)
    low = max(min(of_codec) for of_codec in rates.values())
    high = min(max(of_codec) for of_codec in rates.values())
    return math.sqrt(low * high)


def nearest_points(points: Iterable[RatePoint], bits_per_pixel: float) -> list[RatePoint]:
    """Of each codec the point whose rate is nearest by ratio, in the order in which codecs come."""

    def distance(point: RatePoint) -> float:
        return abs(math.log(point.bits_per_pixel / bits_per_pixel))

    nearest: dict[str, RatePoint] = {}
    for point in points:
        if point.codec not in nearest or distance(point) < distance(nearest[point.codec]):
            nearest[point.codec] = point
    return list(nearest.values())


def spread_pictures(frames: int, count: int) -> Sequence[int]:
    """Numbers of ``count`` pictures, or all if there are fewer, each in the middle of an equal part of the clip."""
    count = min(frames, count)
    return [(2 * number + 1) * frames // (2 * count) for number in range(count)]
