"""The summary that ``scaleflow rd`` prints: what each codec needs against the anchor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evaluation.rate_point import RatePoint

_COLUMNS = ("psnr-y", "psnr-yuv", "psnr-rgb", "ms-ssim-y", "ms-ssim-rgb", "lpips", "vmaf", "xpsnr-y")
"""Metrics that are shown where they were measured; all are in the files."""


def bd_rate_lines(points: Sequence[RatePoint], anchor: str, metrics: Sequence[str]) -> list[str]:
    """Lines of the table, none where there is only one codec."""
    from evaluation.bd_rate_summary import bd_rate_cell

    codecs = [name for name in dict.fromkeys(point.codec for point in points) if name != anchor]
    shown = [name for name in _COLUMNS if name in metrics]
    if not codecs or not shown:
        return []
    clips = len({point.clip.name for point in points})
    width = max(10, *(len(name) for name in codecs))
    lines = [
        "",
        f"BD-rate against {anchor}: rate at equal quality, mean over {clips} clip{'s' if clips > 1 else ''}"
        + (" [95 % interval]" if clips > 2 else ""),
        f"  {'':<{width}}" + "".join(f"{name:>{_WIDTH}}" for name in shown),
    ]
    problems = []
    for codec in codecs:
        cells = [bd_rate_cell(points, codec, anchor, metric) for metric in shown]
        lines.append(f"  {codec:<{width}}" + "".join(f"{_text(cell, clips):>{_WIDTH}}" for cell in cells))
        problems += [
            f"  {codec}, {metric}: {cell['problem']}"
            for metric, cell in zip(shown, cells, strict=True)
            if "problem" in cell
        ]
    return [*lines, *problems]


_WIDTH = 26


def _text(cell: dict[str, Any], clips: int) -> str:
    if "problem" in cell:
        return "none"
    text = f"{cell['percent']:+.1f} %"
    if cell["interval"] is not None:
        text += " [{:+.0f}, {:+.0f}]".format(*cell["interval"])
    return text if cell["clips"] == clips else f"{text} ({cell['clips']} of {clips})"
