"""Reads the file of a measured point, which may come from anyone: its values are checked once, here.

What passes can be drawn, tabulated and written without further checks: numbers are finite and in range, names are plain
names, and no name leads out of the results folder.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from scaleflow import json_values
from scaleflow.errors import DataError, ScaleFlowError
from scaleflow.evaluation.rate_distortion.clip_change import ClipChange
from scaleflow.evaluation.rate_distortion.codec_name import is_codec_name
from scaleflow.evaluation.rate_distortion.point import EvaluatedClip, FrameRecords, RatePoint
from scaleflow.json_dataclass import read_fields

LARGEST_SIDE = 1 << 20
MOST_FRAMES = 10**9
LEAST_RATE = 1e-9
LARGEST_RATE = 1e9
"""Of bits per pixel and kbit/s; a file has a byte at least, and no picture more bits than fit here."""

LARGEST_VALUE = 1e9
"""Of metrics, seconds and shares."""

STREAMS = "streams"
"""The folder within the results folder that coded files lie in."""

_METRIC = re.compile(r"[a-z][a-z0-9.-]{0,63}")
_TAKEN = frozenset("clip codec setting settings picture time kind bits bpp bitrate kbps".split())
"""Columns that tables have beside those of metrics."""


@dataclass(frozen=True)
class _StoredFrames:
    """:class:`FrameRecords` as JSON holds them: None for what is no finite number."""

    times: list[float]
    bits: list[int]
    kinds: list[str]
    metrics: dict[str, list[float | None]]


@dataclass(frozen=True)
class _Stored(RatePoint):
    frames: _StoredFrames  # type: ignore[assignment]


def read_points_in(folder: Path) -> dict[Path, RatePoint]:
    """All points of a results folder by their files, in the order of names. Raises as :func:`read_point`."""
    return {path: read_point(path) for path in sorted((folder / "points").glob("*.json"))}


def read_point(path: Path) -> RatePoint:
    """A point that ``scaleflow rd`` wrote; what per-picture metrics have no value for comes back as NaN.

    Raises:
        DataError: it cannot be read, or is none; the message names the file and the place.
    """
    if not path.is_file():
        raise DataError(f"{path}: is no file that can be read")
    try:
        return _read(json_values.read_json(path), str(path))
    except ScaleFlowError as error:
        raise DataError(f"{error}: no point that scaleflow rd wrote; delete it") from error


def _read(value: object, place: str) -> RatePoint:
    values = read_fields(_Stored, value, f"{place}: point")
    stored: _StoredFrames = values["frames"]
    lengths = {"bits": len(stored.bits), "kinds": len(stored.kinds)}
    lengths |= {name: len(column) for name, column in stored.metrics.items()}
    for name, length in lengths.items():
        if length != len(stored.times):
            raise DataError(f"{place}: frames.{name} has {length} values for {len(stored.times)} pictures")
    metrics = {
        name: [math.nan if value is None else value for value in column] for name, column in stored.metrics.items()
    }
    values["frames"] = FrameRecords(stored.times, stored.bits, stored.kinds, metrics)
    point = RatePoint(**values)
    _check_clip(point.clip, f"{place}: clip")
    _check_point(point, place)
    _check_frames(point, f"{place}: frames")
    return point


def _check_clip(clip: EvaluatedClip, place: str) -> None:
    json_values.file_name(clip.name, f"{place}.name")
    for name in ("width", "height"):
        json_values.whole_number(getattr(clip, name), f"{place}.{name}", 1, LARGEST_SIDE)
    json_values.whole_number(clip.frames, f"{place}.frames", 1, MOST_FRAMES)
    json_values.number(clip.frame_rate, f"{place}.frame_rate", 1e-6, 1e6)
    json_values.whole_number(clip.bit_depth, f"{place}.bit_depth", 1, 16)
    try:
        ClipChange.from_text(clip.change)
    except ScaleFlowError as error:
        raise DataError(f"{place}.change: {error}") from error


def _check_point(point: RatePoint, place: str) -> None:
    if not is_codec_name(point.codec):
        raise DataError(f"{place}: codec {point.codec[:64]!r} is no name of a codec: letters, digits and . _ + -")
    folder, _, name = point.stream.partition("/")
    if folder != STREAMS or not is_codec_name(name):
        raise DataError(f"{place}: stream {point.stream[:64]!r} is no file of the folder {STREAMS}")
    json_values.whole_number(point.file_bytes, f"{place}: file_bytes", 1, 1 << 53)
    json_values.number(point.bits_per_pixel, f"{place}: bits_per_pixel", LEAST_RATE, LARGEST_RATE)
    json_values.number(point.bitrate, f"{place}: bitrate", LEAST_RATE, LARGEST_RATE)
    for name in ("encode_seconds", "decode_seconds"):
        json_values.number(getattr(point, name), f"{place}: {name}", 0, LARGEST_VALUE)
    json_values.whole_number(point.identical, f"{place}: identical", 0, point.clip.frames)
    for name, value in point.bits_per_pixel_by_kind.items():
        json_values.number(value, f"{place}: bits_per_pixel_by_kind.{name}", -LARGEST_RATE, LARGEST_RATE)
    _check_metrics({name: [value] for name, value in point.metrics.items()}, f"{place}: metrics")


def _check_frames(point: RatePoint, place: str) -> None:
    frames = point.frames
    if len(frames.times) != point.clip.frames:
        raise DataError(f"{place}: has {len(frames.times)} pictures, the clip {point.clip.frames}")
    for time in frames.times:
        json_values.number(time, f"{place}.times", -LARGEST_VALUE, LARGEST_VALUE)
    for bits in frames.bits:
        json_values.whole_number(bits, f"{place}.bits", 0, 1 << 53)
    if unknown := set(frames.kinds) - {"intra", "inter"}:
        raise DataError(f"{place}.kinds: {min(unknown)[:40]!r} is neither intra nor inter")
    _check_metrics(frames.metrics, f"{place}.metrics")


def _check_metrics(columns: dict[str, list[float]] | dict[str, list[float | None]], place: str) -> None:
    for name, column in columns.items():
        if not is_metric_name(name):
            raise DataError(f"{place}: {name[:64]!r} is no name of a metric")
        for value in column:
            if value is not None and not math.isnan(value):
                json_values.number(value, f"{place}.{name}", -LARGEST_VALUE, LARGEST_VALUE)


def is_metric_name(name: str) -> bool:
    """Whether a column of tables can be called so."""
    return _METRIC.fullmatch(name) is not None and name not in _TAKEN
