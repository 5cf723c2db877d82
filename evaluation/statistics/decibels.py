"""The scale on which a metric is compared and drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence


def is_structural(metric: str) -> bool:
    """Whether a metric is taken in dB of its distance from 1, as MS-SSIM is."""
    return metric.startswith("ms-ssim")


def in_decibels(metric: str, value: float | None) -> float:
    """MS-SSIM m as -10 log10(1 - m) dB, in which its curves are about as straight as PSNR's; other metrics as they are.

    NaN where there is no value or it is infinite.
    """
    if value is None or not math.isfinite(value):
        return math.nan
    if not is_structural(metric):
        return value
    return -10 * math.log10(1 - value) if value < 1 else math.nan


def column_in_decibels(metric: str, values: Sequence[float | None]) -> list[float]:
    """:func:`in_decibels` of each."""
    return [in_decibels(metric, value) for value in values]
