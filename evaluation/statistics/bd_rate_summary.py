"""BD-rates of all codecs against one of them, as tables show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scaleflow.errors import DataError, UsageError
from scaleflow.evaluation.rate_distortion.point import RatePoint
from scaleflow.evaluation.statistics.bd_rate import bd_rate_of_average, bd_rates_of_clips, mean_bd_rate

USUAL_ANCHORS = ("x265", "x264")


def choose_anchor(codecs: Sequence[str], wanted: str | None) -> str:
    """The codec that BD-rates are against: the wanted one, x265, x264, or else the first.

    Raises:
        UsageError: the wanted one was not measured.
    """
    if wanted is not None and wanted not in codecs:
        raise UsageError(f"anchor {wanted} was not measured; there are {', '.join(codecs)}", fields=("anchor",))
    return wanted or next((name for name in USUAL_ANCHORS if name in codecs), codecs[0])


def bd_rate_cell(points: Sequence[RatePoint], codec: str, anchor: str, metric: str) -> dict[str, Any]:
    """Of one codec against another, what a cell of a table holds.

    ``percent``, the mean over clips, its ``interval`` where there is one, the number of ``clips``, ``quality``, the
    mean difference at equal rate, ``average``, the percent of the averaged curves, ``each`` by clip, and ``without``,
    why clips have none; or ``problem``, which says why there is no mean.
    """
    rates, problems = bd_rates_of_clips(points, codec, anchor, metric)
    if not rates:
        return {"problem": problems[0] if problems else f"no clip was measured with both {codec} and {anchor}"}
    mean = mean_bd_rate(rates)
    cell = {
        "percent": mean.percent,
        "interval": mean.interval,
        "clips": len(rates),
        "quality": mean.quality_difference,
        "each": {str(rate.clip): rate.percent for rate in rates},
        "without": problems,
    }
    try:
        cell["average"] = bd_rate_of_average(points, codec, anchor, metric).percent
    except DataError:
        cell["average"] = None  # curves may overlap on each clip and not on average
    return cell
