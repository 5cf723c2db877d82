"""Names of metrics, and the groups that they are asked for by."""

from __future__ import annotations

from collections.abc import Sequence

from scaleflow.errors import UsageError

GROUPS: dict[str, tuple[str, ...]] = {
    "psnr": ("psnr-y", "psnr-u", "psnr-v", "psnr-yuv", "psnr-rgb"),
    "ms-ssim": ("ms-ssim-y", "ms-ssim-rgb"),
    "lpips": ("lpips",),
    "st-lpips": ("st-lpips",),
    "vmaf": ("vmaf",),
    "xpsnr": ("xpsnr-y", "xpsnr-u", "xpsnr-v"),
    "effnet": ("effnet-distance", "effnet-frechet", "effnet-kernel"),
    "flicker": ("flicker",),
}
"""What each name on the command line stands for; single metrics are asked for by their own names."""

METRICS = tuple(name for group in GROUPS.values() for name in group)
"""All metrics, in the order in which they are reported."""

INSIDE, OUTSIDE = "-roi", "-background"
"""End the names of metrics that are taken within a region of interest, and outside it."""

AREA_INSIDE, BITS_INSIDE = "area-roi", "bits-roi"
"""How much of the picture the region is, and how much of the bits it gets, in percent."""

_LOCAL_GROUPS = ("psnr", "ms-ssim", "lpips")
"""Of which parts of a picture have a value; the filters of ffmpeg see whole pictures."""

RESTORED_LPIPS = "restored lpips"
"""LPIPS of what a network made of decoded pictures."""

LOWER_IS_BETTER = frozenset(
    (*GROUPS["effnet"], "flicker", "st-lpips", RESTORED_LPIPS, *("lpips" + part for part in ("", INSIDE, OUTSIDE)))
)
"""Metrics that are 0 where pictures are identical; ``effnet-kernel`` about 0."""

_OF_PERCEPTION = frozenset(name for group in ("lpips", "st-lpips", "effnet", "flicker") for name in GROUPS[group])
"""Metrics that detail may better which is not in the original."""

OF_MEAN_MSE = "-of-mean-mse"
"""Ends the name of a PSNR that is not a mean of PSNRs but the PSNR of the mean squared error of all pictures."""


def expand_metrics(names: Sequence[str]) -> tuple[str, ...]:
    """Single metrics, each once and in the order of :data:`METRICS`, of names of groups and metrics.

    Raises:
        UsageError: a name is unknown, or there is none.
    """
    wanted: set[str] = set()
    for name in names:
        if name not in GROUPS and name not in METRICS:
            known = ", ".join((*GROUPS, *(metric for metric in METRICS if metric not in GROUPS)))
            raise UsageError(f"there is no metric {name!r}; there are {known}")
        wanted.update(GROUPS.get(name, (name,)))
    if not wanted:
        raise UsageError(f"no metric is named; there are {', '.join(GROUPS)}")
    return tuple(name for name in METRICS if name in wanted)


def with_fidelity(names: Sequence[str]) -> tuple[str, ...]:
    """The given metrics, with ``psnr-yuv`` where some are of perception and none is a PSNR.

    What a picture gains in perception is often paid in fidelity, and says little without it.
    """
    asked = set(names)
    if asked & _OF_PERCEPTION and not asked & set(GROUPS["psnr"]):
        asked.add("psnr-yuv")
    return tuple(name for name in METRICS if name in asked)


def with_regions(names: Sequence[str]) -> tuple[str, ...]:
    """The given metrics, then those of them that regions have: within the region, then outside."""
    local = [name for group in _LOCAL_GROUPS for name in GROUPS[group] if name in names]
    return (*names, *(name + region for region in (INSIDE, OUTSIDE) for name in local))


def is_in_decibels(name: str) -> bool:
    """Whether a metric is in dB, and infinite where pictures are identical."""
    return "psnr" in name
