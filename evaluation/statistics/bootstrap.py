"""How sure a mean over few clips is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

SAMPLES = 10_000
FEWEST_CLIPS = 3
"""Below, an interval over clips would say nothing."""


def bootstrap_interval(values: Sequence[float | None]) -> tuple[float, float]:
    """95 % percentile interval of the mean; NaN where a value is missing.

    Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics, 1979. The seed is fixed: the same
    values give the same interval.
    """
    known = np.array([value for value in values if value is not None and math.isfinite(value)])
    if len(known) < len(values):
        return math.nan, math.nan
    drawn = np.random.default_rng(0).integers(len(known), size=(SAMPLES, len(known)))
    low, high = np.percentile(known[drawn].mean(1), (2.5, 97.5))
    return float(low), float(high)
