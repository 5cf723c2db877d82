"""On which scale a metric is drawn, and what is written on its axis."""

from __future__ import annotations

from collections.abc import Iterable

from scaleflow.evaluation.metrics.names import (
    AREA_INSIDE,
    BITS_INSIDE,
    INSIDE,
    LOWER_IS_BETTER,
    OF_MEAN_MSE,
    OUTSIDE,
    RESTORED_LPIPS,
)
from scaleflow.evaluation.statistics.decibels import is_structural

_PLANES = {"y": "Y", "u": "U", "v": "V", "yuv": "YUV", "rgb": "RGB"}
_FAMILIES = {
    "psnr": "PSNR",
    "ms-ssim": "MS-SSIM",
    "xpsnr": "XPSNR",
    "vmaf": "VMAF",
    "lpips": "LPIPS",
    "st-lpips": "ST-LPIPS",
    "flicker": "Flicker",
}
_TITLES = {
    "effnet-distance": "EfficientNet-Lite0 distance",
    "effnet-frechet": "EfficientNet-Lite0 Fréchet distance",
    "effnet-kernel": "EfficientNet-Lite0 kernel distance",
}
TASK_TITLES = {
    "miou": "Mean IoU (%)",
    "j": "J (%)",
    "f": "Boundary measure F (%)",
    "pck": "Points within 10 samples (%)",
    "psnr": "PSNR (dB)",
    RESTORED_LPIPS: "LPIPS of restored pictures (lower is better)",
    "map": "mAP (%)",
    "map_small": "mAP of small objects (%)",
    "accuracy": "Accuracy (%)",
    "gmac": "GMAC a frame",
    "gbop": "GBOP a frame",
    "ms": "ms a frame",
}
"""What is written beside the axis of measures of tasks, and of what networks cost."""

_REGIONS = {INSIDE: " in the region", OUTSIDE: " outside the region", "": ""}
_SHARES = {AREA_INSIDE: "Samples in the region", BITS_INSIDE: "Bits in the region"}

_REGIONS_DRAWN = ("", INSIDE, OUTSIDE)
DEFAULT_METRICS = (
    *(tuple(name + part for name in ("psnr-yuv", "psnr-rgb", "psnr-y")) for part in _REGIONS_DRAWN),
    *(tuple(name + part for name in ("ms-ssim-rgb", "ms-ssim-y")) for part in _REGIONS_DRAWN),
    *(("lpips" + part,) for part in _REGIONS_DRAWN),
    ("vmaf",),
    ("st-lpips",),
    ("effnet-distance",),
    ("flicker",),
    *((name,) for name in ("miou", "j", "pck", "map", "accuracy", "gmac")),
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


def metric_title(metric: str) -> str:
    """A metric's name as papers write it: ``psnr-yuv`` is PSNR-YUV."""
    if metric in _SHARES:
        return _SHARES[metric]
    whole = metric.removesuffix(OF_MEAN_MSE)
    region = next(part for part in _REGIONS if whole.endswith(part))
    base = whole.removesuffix(region)
    family, _, planes = base.rpartition("-")
    if family in _FAMILIES and planes in _PLANES:
        title = f"{_FAMILIES[family]}-{_PLANES[planes]}"
    else:
        title = _FAMILIES.get(base) or _TITLES.get(base, base)
    return title + (" of mean MSE" if whole != metric else "") + _REGIONS[region]


def metric_unit(metric: str) -> str:
    """``dB``, ``%`` or nothing."""
    if metric in _SHARES:
        return "%"
    return "dB" if metric.startswith(("psnr", "xpsnr", "ms-ssim")) else ""


def axis_label(metric: str) -> str:
    """What is written beside the axis: name, unit, and what a reader must know to compare with other plots."""
    if metric in TASK_TITLES:
        return TASK_TITLES[metric]
    title = metric_title(metric)
    if is_structural(metric):
        return f"{title} (dB)\n−10 log₁₀(1 − m)"
    if metric in LOWER_IS_BETTER:
        return f"{title} (lower is better)"
    unit = metric_unit(metric)
    return f"{title} ({unit})" if unit else title
