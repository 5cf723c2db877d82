"""On which scale a metric is drawn, and what is written on its axis."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from evaluation.rate_point import LOWER_IS_BETTER

_PLANES = {"y": "Y", "u": "U", "v": "V", "yuv": "YUV", "rgb": "RGB"}
_FAMILIES = {"psnr": "PSNR", "ms-ssim": "MS-SSIM", "xpsnr": "XPSNR", "vmaf": "VMAF", "lpips": "LPIPS"}
_OF_MEAN_ERROR = "-of-mean-mse"

DEFAULT_METRICS = (
    ("psnr-yuv", "psnr-rgb", "psnr-y"),
    ("ms-ssim-rgb", "ms-ssim-y"),
    ("lpips",),
    ("vmaf",),
)
"""Of each group the metric that most curves have is drawn where nothing is asked for, the first of equals."""


def choose_metrics(curves: Iterable[Iterable[str]]) -> list[str]:
    """What to draw where nothing is asked for, of the metrics that each curve has."""
    counts: dict[str, int] = {}
    for names in curves:
        for name in names:
            counts[name] = counts.get(name, 0) + 1
    best = [max(group, key=lambda name: counts.get(name, 0)) for group in DEFAULT_METRICS]
    # Rather something else than nothing.
    return [name for name in best if name in counts] or list(counts)[:1]


def is_structural(metric: str) -> bool:
    """Whether a metric is drawn in dB of its distance from 1, as MS-SSIM is."""
    return metric.startswith("ms-ssim")


def drawn_value(metric: str, value: float | None) -> float:
    """A metric's value as it is drawn: MS-SSIM in dB, -10 log10(1 - m); NaN where there is none or it is infinite."""
    if value is None or not math.isfinite(value):
        return math.nan
    if not is_structural(metric):
        return value
    return -10 * math.log10(1 - value) if value < 1 else math.nan


def drawn_values(metric: str, values: Sequence[float | None]) -> list[float]:
    """:func:`drawn_value` of each."""
    return [drawn_value(metric, value) for value in values]


def metric_title(metric: str) -> str:
    """A metric's name as papers write it: ``psnr-yuv`` is PSNR-YUV."""
    base = metric.removesuffix(_OF_MEAN_ERROR)
    family, _, planes = base.rpartition("-")
    if family in _FAMILIES and planes in _PLANES:
        title = f"{_FAMILIES[family]}-{_PLANES[planes]}"
    else:
        title = _FAMILIES.get(base, base)
    return title + (" of mean MSE" if base != metric else "")


def metric_unit(metric: str) -> str:
    """``dB``, or nothing."""
    return "dB" if metric.startswith(("psnr", "xpsnr", "ms-ssim")) else ""


def axis_label(metric: str) -> str:
    """What is written beside the axis: name, unit, and what a reader must know to compare with other plots."""
    title = metric_title(metric)
    if is_structural(metric):
        return f"{title} (dB)\n−10 log₁₀(1 − m)"
    if metric in LOWER_IS_BETTER:
        return f"{title} (lower is better)"
    unit = metric_unit(metric)
    return f"{title} ({unit})" if unit else title
