"""The report's table of codecs: BD-rates, speeds and command lines."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from scaleflow.evaluation.plot.metric_scale import choose_metrics
from scaleflow.evaluation.rate_distortion.point import RatePoint
from scaleflow.evaluation.statistics.bd_rate_summary import bd_rate_cell, choose_anchor


def summarise_codecs(points: Sequence[RatePoint], wanted_anchor: str | None) -> dict[str, Any]:
    """A row for each codec.

    Raises:
        UsageError: the wanted anchor was not measured.
    """
    codecs = list(dict.fromkeys(point.codec for point in points))
    anchor = choose_anchor(codecs, wanted_anchor)
    measured: dict[str, set[str]] = {codec: set() for codec in codecs}
    for point in points:
        measured[point.codec] |= {name for name, value in point.metrics.items() if value is not None}
    metrics = choose_metrics(measured.values())
    rows = []
    for codec in codecs:
        chosen = [point for point in points if point.codec == codec]
        commands = {point.setting: shlex.join(point.encode_command) for point in chosen}
        rates = {m: bd_rate_cell(points, codec, anchor, m) for m in metrics} if codec != anchor else {}
        rows.append(
            {
                "codec": codec,
                "description": chosen[0].description,
                "bdRates": rates,
                "points": len(chosen),
                "encodeSpeed": _speeds(chosen, "encode_seconds"),
                "decodeSpeed": _speeds(chosen, "decode_seconds"),
                "encodeCommands": [{"setting": name, "command": command} for name, command in commands.items()],
                "decodeCommand": shlex.join(chosen[0].decode_command),
                "software": chosen[0].software,
            }
        )
    return {"anchor": anchor, "metrics": metrics, "rows": rows}


def _speeds(points: Sequence[RatePoint], seconds: str) -> list[float]:
    """Slowest and fastest, in pictures a second."""
    speeds = [point.clip.frames / getattr(point, seconds) for point in points if getattr(point, seconds) > 0]
    return [min(speeds), max(speeds)] if speeds else []
