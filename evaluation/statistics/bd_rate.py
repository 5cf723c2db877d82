"""How much rate one codec needs against another at equal quality, and how much quality it has at equal rate.

Bjontegaard, "Calculation of average PSNR differences between RD-curves", VCEG-M33, 2001, with piecewise cubic Hermite
interpolation in place of the cubic fit (the ``bjontegaard`` package): a cubic through more than four points swings.
MS-SSIM is compared in dB, -10 log10(1 - m), in which its curves are about as straight as those of PSNR.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scaleflow.errors import DataError
from scaleflow.evaluation.metrics.names import LOWER_IS_BETTER
from scaleflow.evaluation.rate_distortion.point import RatePoint
from scaleflow.evaluation.rate_distortion.results import Curve, average_curve, curve_of_clip
from scaleflow.evaluation.statistics.bootstrap import FEWEST_CLIPS, bootstrap_interval
from scaleflow.evaluation.statistics.decibels import column_in_decibels

logger = logging.getLogger(__name__)


class NoOverlapError(DataError):
    """Two curves have no quality, or no rate, in common; nothing is extrapolated."""


@dataclass(frozen=True)
class BdRate:
    """One codec against an anchor.

    Attributes:
        clip: of which; None of curves that were averaged over clips first; ``mean of N clips`` of a mean of BD-rates.
        percent: mean rate at equal quality, less is better: -20 means that a fifth of the rate is saved.
        quality_difference: mean quality at equal rate in the metric's unit (dB for MS-SSIM), more is better but for
            LPIPS. NaN where the curves have no rate in common.
        low, high: the quality that both curves have, in which ``percent`` is the mean.
        overlap: of the quality that either curve has, the share that both have, 0..1.
        interval: of a mean over clips, its 95 % bootstrap interval in percent.
    """

    codec: str
    anchor: str
    metric: str
    clip: str | None
    percent: float
    quality_difference: float
    low: float
    high: float
    overlap: float
    interval: tuple[float, float] | None = None


def bd_rate(curve: Curve, anchor: Curve, metric: str, *, warn: bool = True) -> BdRate:
    """Compare two curves. Points that cost more than another and are no better are left out, which ``warn`` logs.

    Raises:
        DataError: one of them lacks the metric, or has fewer than two usable points.
        NoOverlapError: they have no quality in common.
    """
    from bjontegaard import bd_psnr
    from bjontegaard import bd_rate as interpolated_bd_rate

    by_bitrate = any(math.isnan(rate) for rate in (*curve.bits_per_pixel, *anchor.bits_per_pixel))
    rates, qualities = rising_front(curve, metric, by_bitrate, warn)
    anchor_rates, anchor_qualities = rising_front(anchor, metric, by_bitrate, warn)
    low, high = max(qualities[0], anchor_qualities[0]), min(qualities[-1], anchor_qualities[-1])
    widest = max(qualities[-1], anchor_qualities[-1]) - min(qualities[0], anchor_qualities[0])
    if low >= high:
        spans = [
            f"{_span(metric, part)} of {name}"
            for name, part in ((curve.codec, qualities), (anchor.codec, anchor_qualities))
        ]
        raise NoOverlapError(
            f"{_place(curve)}: no BD-rate, the curves share no {metric} ({' and '.join(spans)}): "
            "measure settings between"
        )
    given = (anchor_rates, anchor_qualities, rates, qualities)
    options = {"method": "pchip", "require_matching_points": False, "min_overlap": 0}
    share_rates = max(rates[0], anchor_rates[0]) < min(rates[-1], anchor_rates[-1])
    difference = float(bd_psnr(*given, **options)) if share_rates else math.nan
    lower_is_better = metric in LOWER_IS_BETTER
    return BdRate(
        codec=curve.codec,
        anchor=anchor.codec,
        metric=metric,
        clip=curve.clip,
        percent=float(interpolated_bd_rate(*given, **options)),
        quality_difference=-difference if lower_is_better else difference,
        low=-high if lower_is_better else low,
        high=-low if lower_is_better else high,
        overlap=(high - low) / widest,
    )


def bd_rate_of_average(points: Sequence[RatePoint], codec: str, anchor: str, metric: str) -> BdRate:
    """Of the curves averaged over clips. Raises as :func:`bd_rate`."""
    return bd_rate(average_curve(points, codec), average_curve(points, anchor), metric)


def bd_rates_of_clips(
    points: Sequence[RatePoint], codec: str, anchor: str, metric: str
) -> tuple[list[BdRate], list[str]]:
    """Of each clip that both were measured on; and why there is none of the other clips."""
    clips = [{point.clip.name for point in points if point.codec == name} for name in (codec, anchor)]
    found, problems = [], []
    for clip in sorted(clips[0] & clips[1]):
        try:
            found.append(bd_rate(curve_of_clip(points, codec, clip), curve_of_clip(points, anchor, clip), metric))
        except DataError as error:
            problems.append(str(error))
    return found, problems


def mean_bd_rate(rates: Sequence[BdRate]) -> BdRate:
    """Mean over clips, each counting once, with a bootstrap interval over the clips.

    Raises:
        NoOverlapError: there is no clip to take the mean of.
    """
    if not rates:
        raise NoOverlapError("no BD-rate: there is no clip on which both curves overlap")
    percents = np.array([rate.percent for rate in rates])
    differences = np.array([rate.quality_difference for rate in rates])
    return replace(
        rates[0],
        clip=f"mean of {len(rates)} clip{'s' if len(rates) > 1 else ''}",
        percent=float(percents.mean()),
        quality_difference=float(differences.mean()),
        low=max(rate.low for rate in rates),
        high=min(rate.high for rate in rates),
        overlap=float(np.mean([rate.overlap for rate in rates])),
        interval=bootstrap_interval(percents.tolist()) if len(rates) >= FEWEST_CLIPS else None,
    )


def rising_front(
    curve: Curve, metric: str, by_bitrate: bool = False, warn: bool = True
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rates and qualities, both rising: points that cost more than another and are no better are left out.

    A metric of which less is better has the other sign. Raises :class:`DataError` as :func:`bd_rate`.
    """
    if metric not in curve.metrics:
        raise DataError(
            f"{_place(curve)}: {curve.codec} was not measured in {metric}, only in {', '.join(curve.metrics)}"
        )
    values = np.array(column_in_decibels(metric, curve.metrics[metric]))
    values = -values if metric in LOWER_IS_BETTER else values
    rates = np.asarray(curve.bitrate if by_bitrate else curve.bits_per_pixel)
    kept: list[int] = []
    for position in np.argsort(rates, kind="stable"):
        if not (math.isfinite(values[position]) and rates[position] > 0):
            continue
        if not kept or (values[position] > values[kept[-1]] and rates[position] > rates[kept[-1]]):
            kept.append(int(position))
        elif warn:
            logger.warning(
                "%s: %s at %s costs no less than at %s and is no better in %s: left out of the curve",
                *(_place(curve), curve.codec, curve.settings[position], curve.settings[kept[-1]], metric),
            )
    if len(kept) < 2:
        raise DataError(f"{_place(curve)}: {curve.codec} has {len(kept)} usable point(s) in {metric}, a curve needs 2")
    return rates[kept], values[kept]


def _place(curve: Curve) -> str:
    return curve.clip or "average over clips"


def _span(metric: str, qualities: NDArray[np.float64]) -> str:
    ends = sorted(abs(float(value)) for value in (qualities[0], qualities[-1]))
    return f"{ends[0]:.4g}..{ends[1]:.4g}{' dB' if metric.startswith(('ms-ssim', 'psnr', 'xpsnr')) else ''}"
