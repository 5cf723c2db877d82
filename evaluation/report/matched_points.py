"""Which points of the codecs are put side by side, and which of their pictures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import product

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


def points_at_equal_rate(
    first: Iterable[RatePoint], second: Iterable[RatePoint], tolerance: float
) -> list[tuple[RatePoint, RatePoint]]:
    """Pairs of a point of one codec and one of another on the same clip whose files are of nearly one size.

    The closest sizes are paired first, and each point once, so that a codec's rates are not counted several times.

    Args:
        tolerance: how much larger one file may be than the other, as a share of the smaller.

    Returns:
        By rising rate.
    """
    pairs = sorted(product(first, second), key=lambda pair: size_difference(*pair))
    taken: set[str] = set()
    found = []
    for a, b in pairs:
        if size_difference(a, b) <= tolerance and not {a.stream, b.stream} & taken:
            taken |= {a.stream, b.stream}
            found.append((a, b))
    return sorted(found, key=lambda pair: pair[0].file_bytes + pair[1].file_bytes)


def size_difference(first: RatePoint, second: RatePoint) -> float:
    """How much larger the larger of two files is, as a share of the smaller."""
    small, large = sorted((first.file_bytes, second.file_bytes))
    return (large - small) / small


def spread_pictures(frames: int, count: int) -> Sequence[int]:
    """Numbers of ``count`` pictures, or all if there are fewer, each in the middle of an equal part of the clip."""
    count = min(frames, count)
    return [(2 * number + 1) * frames // (2 * count) for number in range(count)]
