"""The summary that ``scaleflow rd`` prints: what each codec needs against the anchor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from scaleflow.cli.decoder_table import decoder_lines

if TYPE_CHECKING:
    from scaleflow.evaluation.rate_distortion.point import RatePoint

_COLUMNS = (
    *("psnr-y", "psnr-yuv", "psnr-rgb", "ms-ssim-y", "ms-ssim-rgb", "lpips", "vmaf", "xpsnr-y"),
    *("st-lpips", "effnet-distance", "flicker"),
)
"""Metrics that are shown where they were measured; all are in the files."""


def summary_lines(points: Sequence[RatePoint], anchor: str, metrics: Sequence[str], by_clip: bool = False) -> list[str]:
    """BD-rates of whole pictures and, with masks, of the region and of what is outside; and where the bits went.

    Where codecs have a perceptual decoder also what it changes at equal bytes.

    ``by_clip`` adds the BD-rates of each clip to their means.
    """
    from scaleflow.evaluation.metrics.names import INSIDE, OUTSIDE, with_regions

    lines = bd_rate_lines(points, anchor, metrics, by_clip=by_clip) + decoder_lines(points, metrics, by_clip)
    if not any(point.clip.masks for point in points):
        return lines
    local = with_regions(metrics)[len(metrics) :]
    for region, words in ((INSIDE, "in the region"), (OUTSIDE, "outside the region")):
        names = [name for name in local if name.endswith(region)]
        lines += bd_rate_lines(points, anchor, names, f" {words}", by_clip)
    return [*lines, *region_lines(points)]


def region_lines(points: Sequence[RatePoint]) -> list[str]:
    """What regions took of the rate, of the codecs that say where their bits go: over all clips, by setting."""
    from scaleflow.codec.models.picture_analysis import REGION_MAP
    from scaleflow.evaluation.metrics.names import AREA_INSIDE, BITS_INSIDE
    from scaleflow.evaluation.rate_distortion.results import average_curve

    shares, maps = [], []
    area = 0.0
    for codec in dict.fromkeys(point.codec for point in points):
        curve = average_curve(points, codec)
        if not curve.settings:
            continue
        if BITS_INSIDE in curve.metrics:
            shares.append(_ends(codec, curve.settings, curve.metrics[BITS_INSIDE]))
            area = curve.metrics[AREA_INSIDE][0]
        if any(REGION_MAP in point.bits_per_pixel_by_kind for point in points if point.codec == codec):
            parts = [_share_of(REGION_MAP, points, codec, setting) for setting in curve.settings]
            maps.append(_ends(codec, curve.settings, parts, 2))
    lines = ["", f"Share of bits in the region, which is {area:.1f} % of the picture", *shares] if shares else []
    return [*lines, *(["", "Share of the maps of bin widths in the rate", *maps] if maps else [])]


def _share_of(kind: str, points: Sequence[RatePoint], codec: str, setting: str) -> float:
    """Percent of the bits of all clips alike, by bits per pixel."""
    chosen = [point for point in points if (point.codec, point.setting) == (codec, setting)]
    bits = sum(point.bits_per_pixel_by_kind.get(kind, 0.0) for point in chosen)
    return 100 * bits / sum(point.bits_per_pixel for point in chosen)


def _ends(codec: str, settings: Sequence[str], percent: Sequence[float], digits: int = 1) -> str:
    ends = [f"{percent[n]:.{digits}f} % at {settings[n]}" for n in (0, -1)]
    return f"  {codec}: {' to '.join(ends)}"


def bd_rate_lines(
    points: Sequence[RatePoint], anchor: str, metrics: Sequence[str], where: str = "", by_clip: bool = False
) -> list[str]:
    """Lines of the table, none where there is only one codec; ``where`` says of which part of the pictures it is."""
    from scaleflow.evaluation.metrics.names import INSIDE, OUTSIDE
    from scaleflow.evaluation.statistics.bd_rate_summary import bd_rate_cell

    codecs = [name for name in dict.fromkeys(point.codec for point in points) if name != anchor]
    shown = [name for name in metrics if name.removesuffix(INSIDE).removesuffix(OUTSIDE) in _COLUMNS]
    if not codecs or not shown:
        return []
    names = list(dict.fromkeys(point.clip.name for point in points))
    clips = len(names)
    width = max(10, *(len(name) for name in codecs), *((len(name) + 2 for name in names) if by_clip else ()))
    lines = [
        "",
        f"BD-rate against {anchor}: rate at equal quality{where}, mean over {clips} clip{'s' if clips > 1 else ''}"
        + (" [95 % interval]" if clips > 2 else ""),
        f"  {'':<{width}}" + "".join(f"{name:>{_WIDTH}}" for name in shown),
    ]
    problems = []
    for codec in codecs:
        cells = [bd_rate_cell(points, codec, anchor, metric) for metric in shown]
        lines.append(f"  {codec:<{width}}" + "".join(f"{_text(cell, clips):>{_WIDTH}}" for cell in cells))
        for name in names if by_clip else ():
            each = [cell.get("each", {}).get(name) for cell in cells]
            texts = ["none" if percent is None else f"{percent:+.1f} %" for percent in each]
            lines.append(f"    {name:<{width - 2}}" + "".join(f"{text:>{_WIDTH}}" for text in texts))
        problems += [
            f"  {codec}, {metric}: {cell['problem']}"
            for metric, cell in zip(shown, cells, strict=True)
            if "problem" in cell
        ]
    return [*lines, *problems]


_WIDTH = 28


def _text(cell: dict[str, Any], clips: int) -> str:
    if "problem" in cell:
        return "none"
    text = f"{cell['percent']:+.1f} %"
    if cell["interval"] is not None:
        text += " [{:+.0f}, {:+.0f}]".format(*cell["interval"])
    return text if cell["clips"] == clips else f"{text} ({cell['clips']} of {clips})"
