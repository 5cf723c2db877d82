"""Ticks of a logarithmic axis that people can read: few, round, and written as plain numbers."""

from __future__ import annotations

import math

STEPS: tuple[tuple[float, ...], ...] = (
    tuple(tenths / 10 for tenths in range(10, 100)),
    (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8),
    (1, 1.5, 2, 3, 4, 6, 8),
    (1, 2, 3, 5),
    (1, 2, 5),
    (1, 3),
    (1,),
)
"""Places of ticks within a decade, from the densest to the sparsest."""


def log_ticks(low: float, high: float, most: int = 7) -> list[float]:
    """The densest row of round numbers of which at most ``most`` lie in ``low..high``.

    Raises:
        ValueError: the range is empty or not above 0.
    """
    if not 0 < low < high:
        raise ValueError(f"{low}..{high} is no range of a logarithmic axis")
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks: list[float] = []
    for steps in STEPS:
        # By way of text, so that 0.3 is the number that is written so.
        ticks = [float(f"{step}e{decade}") for decade in decades for step in steps]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) <= most:
            break
    return ticks


def tick_text(value: float) -> str:
    """Without exponent where that is short: ``0.005``, ``20000``."""
    return f"{value:.10f}".rstrip("0").rstrip(".") if 1e-4 <= value < 1e6 else f"{value:g}"
