"""Reads curves that others published, whose values are checked once, here."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from scaleflow import json_values
from scaleflow.errors import DataError
from scaleflow.evaluation.rate_distortion.point_file import LARGEST_RATE, LARGEST_VALUE, LEAST_RATE
from scaleflow.evaluation.rate_distortion.results import Curve

MOST_CURVES = 1000
MOST_POINTS = 10_000


def read_published_curve(path: Path) -> list[Curve]:
    """Curves in CompressAI's schema, or several of them in one file under ``curves``.

    Raises:
        DataError: the file holds nothing of that form, or rates that are none.
    """
    data = json_values.record(json_values.read_json(path, missing_numbers=True), str(path))
    if "curves" not in data:
        name = json_values.text(data.get("name", path.stem), f"{path}: name")
        return [_curve(name, json_values.record(data.get("results", data), f"{path}: results"), f"{path}: {name}")]
    curves = json_values.record(data["curves"], f"{path}: curves")
    if not 0 < len(curves) <= MOST_CURVES:
        raise DataError(f"{path}: holds no curve in CompressAI's schema: curves has {len(curves)} of them")
    found = []
    for name, curve in curves.items():
        place = f"{path}: {json_values.text(name, f'{path}: curves')}"
        points = json_values.records(json_values.field(json_values.record(curve, place), "points", place), place)
        columns = {key: [point.get(key) for point in points] for key in (points[0] if points else ())}
        found.append(_curve(name, columns, place))
    return found


def _curve(name: str, columns: dict[str, Any], place: str) -> Curve:
    columns = {key: column for key, column in columns.items() if isinstance(column, list)}
    rates, bitrates = columns.pop("bpp", None), columns.pop("bitrate", None) or columns.pop("kbps", None)
    given = rates or bitrates
    if not given:
        raise DataError(f"{place}: holds no curve in CompressAI's schema: neither bpp nor bitrate")
    count = len(given)
    if count > MOST_POINTS:
        raise DataError(f"{place}: {count} points are more than {MOST_POINTS}")
    settings = columns.pop("point", columns.pop("q", list(range(count))))
    if len(settings) != count:
        raise DataError(f"{place}: has {count} rates for {len(settings)} points")
    metrics = {
        json_values.text(key, place): _values(column, f"{place}.{key}")
        for key, column in columns.items()
        if len(column) == count and all(value is None or _is_number(value) for value in column)
    }
    if not metrics:
        raise DataError(f"{place}: has no metric with a value for each of its rates")
    return Curve(
        name,
        None,
        tuple(_setting(value, f"{place}: settings") for value in settings),
        _rates(rates, count, f"{place}: bpp"),
        _rates(bitrates, count, f"{place}: bitrate"),
        metrics,
    )


def _rates(column: list[Any] | None, count: int, place: str) -> tuple[float, ...]:
    if not column:
        return (math.nan,) * count
    if len(column) != count:
        raise DataError(f"{place} has {len(column)} values for {count} points")
    return tuple(json_values.number(value, f"{place}[{n}]", LEAST_RATE, LARGEST_RATE) for n, value in enumerate(column))


def _values(column: list[Any], place: str) -> tuple[float, ...]:
    return tuple(
        math.nan if value is None else json_values.number(value, f"{place}[{n}]", -LARGEST_VALUE, LARGEST_VALUE)
        for n, value in enumerate(column)
    )


def _setting(value: object, place: str) -> str:
    return f"{json_values.number(value, place):g}" if _is_number(value) else json_values.text(value, place)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
