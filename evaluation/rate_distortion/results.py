"""The folder that ``scaleflow rd`` writes and that plots, BD-rates and reports are made from.

``points/`` has a JSON file for each finished point and ``streams/`` its coded file; beside them, made from the points,
``CODEC.json`` in the schema of CompressAI's plot tools, and the pictures of all points as ``frames.csv`` and
``frames.parquet``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scaleflow.errors import DataError
from scaleflow.evaluation.rate_distortion.point import RatePoint
from scaleflow.evaluation.rate_distortion.point_file import read_points_in


@dataclass(frozen=True)
class Curve:
    """Points of one codec, by rising rate; of one clip, or averaged over clips by setting.

    Attributes:
        clip: its name; None of the average.
        bits_per_pixel, bitrate: of each point.
        metrics: values of each point by metric, NaN where there is none.
    """

    codec: str
    clip: str | None
    settings: tuple[str, ...]
    bits_per_pixel: tuple[float, ...]
    bitrate: tuple[float, ...]
    metrics: dict[str, tuple[float, ...]]


def read_points(folder: Path) -> list[RatePoint]:
    """All finished points of a results folder, by codec, clip and rate.

    Raises:
        DataError: the folder has none, or one cannot be read.
    """
    points = list(read_points_in(folder).values())
    if not points:
        raise DataError(f"{folder} holds no points: scaleflow rd makes them")
    return sorted(points, key=lambda point: (point.codec, point.clip.name, point.bits_per_pixel))


def curve_of_clip(points: Iterable[RatePoint], codec: str, clip: str) -> Curve:
    """One codec on one clip."""
    chosen = [point for point in points if (point.codec, point.clip.name) == (codec, clip)]
    return _curve(codec, clip, [(point.setting, [point]) for point in chosen])


def average_curve(points: Iterable[RatePoint], codec: str) -> Curve:
    """One codec, averaged over clips setting by setting; settings that lack a clip are left out.

    A metric that one clip has no value for (all pictures identical, or too small) has none on average.
    """
    chosen = [point for point in points if point.codec == codec]
    clips = {point.clip.name for point in chosen}
    by_setting: dict[str, list[RatePoint]] = {}
    for point in chosen:
        by_setting.setdefault(point.setting, []).append(point)
    return _curve(codec, None, [(name, group) for name, group in by_setting.items() if len(group) == len(clips)])


def _curve(codec: str, clip: str | None, groups: Sequence[tuple[str, Sequence[RatePoint]]]) -> Curve:
    names = dict.fromkeys(name for _, group in groups for point in group for name in point.metrics)
    rows = []
    for setting, group in groups:
        values = {name: _mean([point.metrics.get(name) for point in group]) for name in names}
        rates = _mean([point.bits_per_pixel for point in group]), _mean([point.bitrate for point in group])
        rows.append((*rates, setting, values))
    rows.sort(key=lambda row: row[0])
    return Curve(
        codec,
        clip,
        tuple(row[2] for row in rows),
        tuple(row[0] for row in rows),
        tuple(row[1] for row in rows),
        {name: tuple(row[3][name] for row in rows) for name in names},
    )


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else math.nan


def compressai_schema(points: Sequence[RatePoint], codec: str) -> dict[str, Any]:
    """What ``compressai.utils.plot`` and ``compressai.utils.video.plot`` read, and each clip beside the average."""
    chosen = [point for point in points if point.codec == codec]
    clips = list(dict.fromkeys(point.clip.name for point in chosen))
    average = average_curve(chosen, codec)
    return {
        "name": codec,
        "description": chosen[0].description,
        "results": _columns(average),
        "settings": list(average.settings),
        "clips": {
            clip: {"settings": list(curve.settings), **_columns(curve)}
            for clip in clips
            for curve in (curve_of_clip(chosen, codec, clip),)
        },
    }


def _columns(curve: Curve) -> dict[str, list[float | None]]:
    columns = {"bpp": curve.bits_per_pixel, "bitrate": curve.bitrate, **curve.metrics}
    # their tools cannot draw a missing value: a metric that is not known everywhere is left out
    return {name: list(column) for name, column in columns.items() if all(map(math.isfinite, column))}
