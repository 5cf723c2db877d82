"""What a report says of a task: curves and BD-rates of each network and method, and strips of frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scaleflow.errors import DataError
from scaleflow.evaluation.plot.metric_scale import axis_label
from scaleflow.evaluation.rate_distortion.point import RatePoint
from scaleflow.evaluation.statistics.bd_rate_summary import choose_anchor
from scaleflow.evaluation.task_rate_distortion.curves import (
    LOSSES,
    TaskCurve,
    looked_names,
    rate_of_loss,
    task_bd_rate,
    task_curves,
)
from scaleflow.evaluation.task_rate_distortion.labelled_clips import STILLS, clip_name
from scaleflow.evaluation.task_rate_distortion.task_point import UNCOMPRESSED, TaskPoint


def summarise_task(points: Sequence[TaskPoint], wanted_anchor: str | None) -> dict[str, Any] | None:
    """For each network and method its measure, a row for each codec, and curves; None where nothing was coded.

    Raises:
        UsageError: the wanted anchor was not measured.
    """
    curves = task_curves(points)
    if not curves:
        return None
    anchor = choose_anchor(list(dict.fromkeys(curve.codec for curve in curves)), wanted_anchor)
    looks = []
    for looked in dict.fromkeys(curve.looked for curve in curves):
        own = [curve for curve in curves if curve.looked == looked]
        others = next((curve for curve in own if curve.codec == anchor), None)
        measure = own[0].measure
        looks.append(
            {
                "name": looked,
                "measure": measure,
                "axis": axis_label(measure),
                "uncompressed": own[0].uncompressed.get(measure),
                "rows": [_row(curve, others) for curve in own],
            }
        )
    return {"anchor": anchor, "losses": LOSSES, "looks": looks}


def _row(curve: TaskCurve, anchor: TaskCurve | None) -> dict[str, Any]:
    values = curve.curve.metrics
    row: dict[str, Any] = {
        "codec": curve.codec,
        "settings": curve.curve.settings,
        "bpp": curve.curve.bits_per_pixel,
        "values": values[curve.measure],
        "rates": [rate_of_loss(curve, share) for share in LOSSES],
        "gmac": [min(values["gmac"]), max(values["gmac"])],
        "bdRate": None,
        "interval": None,
        "problem": None,
    }
    if anchor is None or anchor is curve:
        return row
    try:
        found = task_bd_rate(curve, anchor)
    except DataError as error:
        return row | {"problem": str(error)}
    return row | {"bdRate": found.percent, "interval": found.interval}


def frame_strips(points: Sequence[TaskPoint], clip: str, chosen: Sequence[RatePoint]) -> list[dict[str, Any]]:
    """Of each network and method that looked at a clip: the measure of each frame, uncompressed and as codecs show it.

    Args:
        chosen: the point of each codec whose frames are shown.
    """
    settings: dict[str, str | None] = {UNCOMPRESSED: None}
    settings |= {point.codec: point.setting for point in chosen}
    strips: dict[str, dict[str, Any]] = {}
    for looked, point in zip(looked_names(points), points, strict=True):
        codec = point.record.codec
        if codec not in settings or settings[codec] not in (None, point.record.setting):
            continue
        values = _values_of_clip(point, clip)
        if values:
            strip = strips.setdefault(looked, {"name": looked, "measure": point.network.measure, "rows": []})
            strip["rows"].append({"codec": codec, "setting": point.record.setting, "values": values})
    order = list(settings)
    for strip in strips.values():
        strip["rows"].sort(key=lambda row: order.index(row["codec"]))
    return list(strips.values())


def _values_of_clip(point: TaskPoint, clip: str) -> list[float | None]:
    videos, values = point.network.frames.videos, point.network.frame_values
    if not values:
        return []
    names = {clip_name(video) for video in videos}
    if clip == STILLS or len(names) == 1:
        return list(values)
    return [value for video, value in zip(videos, values, strict=True) if clip_name(video) == clip]
