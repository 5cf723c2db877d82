"""BD-rates of a report's table."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from typing import Any

from codec.errors import DataError
from evaluation.rate_point import RatePoint

MODULE = "evaluation.bd_rate"


def bd_rate_cell(points: Sequence[RatePoint], codec: str, anchor: str, metric: str) -> dict[str, Any]:
    """Of one codec against another: ``percent``, the mean over clips, its ``interval`` where there is one, the number
    of ``clips`` and ``average``, that of the averaged curves; or ``problem``, which says why there is none.
    """
    if importlib.util.find_spec(MODULE) is None:
        return {"problem": "this version does not compute BD-rates"}
    if importlib.util.find_spec("bjontegaard") is None:
        return {"problem": 'not computed: pip install "scaleflow[evaluate]"'}
    bd_rate = importlib.import_module(MODULE)
    try:
        rates = bd_rate.bd_rates_of_clips(points, codec, anchor, metric)
        mean = bd_rate.mean_bd_rate(rates)
    except DataError as error:
        return {"problem": str(error)}
    cell = {"percent": mean.percent, "interval": mean.interval, "clips": len(rates)}
    try:
        cell["average"] = bd_rate.bd_rate_of_average(points, codec, anchor, metric).percent
    except DataError:
        cell["average"] = None  # curves may overlap on each clip and not on average
    return cell
