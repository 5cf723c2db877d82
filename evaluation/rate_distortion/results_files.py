"""What other programs read of a results folder: a file for each codec, and a table of all pictures."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scaleflow.evaluation.rate_distortion.point import RatePoint, without_infinities
from scaleflow.evaluation.rate_distortion.results import compressai_schema
from scaleflow.optional_packages import require_packages
from scaleflow.output_file import write_whole_file


def write_results(points: Sequence[RatePoint], folder: Path) -> list[Path]:
    """Write ``CODEC.json`` in CompressAI's schema, and ``frames.csv`` and ``frames.parquet``.

    Returns:
        The files, which replace those of earlier runs.

    Raises:
        UsageError: polars is missing.
    """
    require_packages("the table of pictures", "evaluate", ["polars"])
    from polars import DataFrame

    written = []
    for codec in dict.fromkeys(point.codec for point in points):
        path = folder / f"{codec}.json"
        content = without_infinities(compressai_schema(points, codec))
        write_whole_file(
            str(path), (json.dumps(content, indent=1, allow_nan=False) + "\n").encode(), True, follow_links=False
        )
        written.append(path)
    table = DataFrame(picture_rows(points), infer_schema_length=None)
    for name, write in (("frames.csv", table.write_csv), ("frames.parquet", table.write_parquet)):
        data = io.BytesIO()
        write(data)
        write_whole_file(str(folder / name), data.getvalue(), True, follow_links=False)
        written.append(folder / name)
    return written


def picture_rows(points: Sequence[RatePoint]) -> list[dict[str, Any]]:
    """A row for each picture of each point: clip, codec, setting, number, time, kind, bits and every metric."""
    metrics = dict.fromkeys(name for point in points for name in point.frames.metrics)
    return [
        {
            "clip": point.clip.name,
            "codec": point.codec,
            "setting": point.setting,
            "picture": number,
            "time": point.frames.times[number],
            "kind": point.frames.kinds[number],
            "bits": point.frames.bits[number],
            **{name: point.frames.metrics[name][number] if name in point.frames.metrics else None for name in metrics},
        }
        for point in points
        for number in range(len(point.frames.times))
    ]
