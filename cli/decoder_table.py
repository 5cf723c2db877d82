"""The part of the summary of ``scaleflow rd`` that says what a perceptual decoder gains, and what fidelity pays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scaleflow.evaluation.rate_distortion.point import RatePoint
    from scaleflow.evaluation.statistics.decoder_comparison import DecoderComparison

_WIDTH = 17


def decoder_lines(points: Sequence[RatePoint], metrics: Sequence[str], by_clip: bool = False) -> list[str]:
    """Lines of the table; none where no codec has a perceptual decoder.

    ``by_clip`` adds the changes of each clip to their means.
    """
    from scaleflow.evaluation.statistics.decoder_comparison import compare_decoders, lone_codecs

    groups: dict[tuple[str, str], list[DecoderComparison]] = {}
    for found in compare_decoders(points):
        groups.setdefault((found.codec, found.against), []).append(found)
    lines: list[str] = []
    for (codec, against), strengths in groups.items():
        strengths.sort(key=lambda found: found.perception)
        shown = [name for name in metrics if any(name in found.mean for found in strengths)]
        rows = [(f"perception {found.perception:g}", found) for found in strengths]
        names = [*(label for label, _ in rows), *(("  " + name for name in rows[0][1].clips) if by_clip else ())]
        width = max(map(len, names))
        counts = {f"{_counted(one.streams, 'stream')} of {_counted(len(one.clips), 'clip')}" for one in strengths}
        lines += [
            "",
            f"{codec} against {against}, whose streams are the same: mean change over {' or '.join(sorted(counts))}",
            f"  {'':<{width}}" + "".join(f"{name:>{_WIDTH}}" for name in shown),
        ]
        for label, found in rows:
            lines.append(_line(label, width, shown, found.mean))
            for name, changes in found.clips.items() if by_clip else ():
                lines.append(_line(f"  {name}", width, shown, changes))
    for name in lone_codecs(points):
        lines += ["", f"{name}: to see what fidelity pays, measure the codec without --decoder perceptual too"]
    return lines


def decoder_records(found: Sequence[DecoderComparison]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [
        {
            "codec": one.codec,
            "against": one.against,
            "perception": one.perception,
            "streams": one.streams,
            "mean": one.mean,
            "clips": {name: dict(changes) for name, changes in one.clips.items()},
        }
        for one in found
    ]


def _line(name: str, width: int, metrics: Sequence[str], changes: Mapping[str, float]) -> str:
    return f"  {name:<{width}}" + "".join(f"{_text(metric, changes.get(metric)):>{_WIDTH}}" for metric in metrics)


def _text(metric: str, value: float | None) -> str:
    from scaleflow.evaluation.plot.metric_scale import metric_unit
    from scaleflow.evaluation.statistics.decoder_comparison import is_relative

    if value is None:
        return "none"
    return f"{value:+.1f} %" if is_relative(metric) else f"{value:+.2f} {metric_unit(metric)}".strip()


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'s' if number != 1 else ''}"
