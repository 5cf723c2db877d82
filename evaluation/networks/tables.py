"""Results as tables: tidy CSV for programs, Markdown for people."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scaleflow.evaluation.networks.action_table import action_table
from scaleflow.evaluation.networks.curve_names import network_names
from scaleflow.evaluation.networks.point import NetworkPoint
from scaleflow.output_file import write_whole_file

FURTHER = {"map": ("map_50", "map_small")}
"""Measures that the table has beside the task's own."""


def write_tables(points: Sequence[NetworkPoint], folder: Path) -> list[Path]:
    """``points.csv``, a row for each point, and ``frames.csv``, a row for each of their frames."""
    written = []
    for name, rows in (("points.csv", list(map(point_row, points))), ("frames.csv", frame_rows(points))):
        text = io.StringIO()
        columns = list(dict.fromkeys(key for row in rows for key in row))
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        path = folder / name
        write_whole_file(str(path), text.getvalue().encode(), True, follow_links=False)
        written.append(path)
    return written


def point_row(point: NetworkPoint) -> dict[str, Any]:
    """Identity, costs, and every measure in a column of its own."""
    identity = asdict(point.identity)
    width, height = identity.pop("size")
    costs = ("macs", "executed_macs", "bops", "dense_macs", "dense_bops", "seconds", "dense_seconds")
    return {
        **identity,
        "width": width,
        "height": height,
        "frames": len(point.frames.seconds),
        **{name: getattr(point, name) for name in costs},
        "changes": point.changes,
        "dense_changes": point.dense_changes,
        **point.measures,
        **{f"dense {name}": value for name, value in point.dense_measures.items()},
        **{f"agreement {name}": value for name, value in point.agreement.items()},
    }


def frame_rows(points: Sequence[NetworkPoint]) -> list[dict[str, Any]]:
    """Costs of each frame."""
    return [
        {
            "task": point.identity.task,
            "method": point.identity.method,
            "settings": point.identity.settings,
            "width": point.identity.size[0],
            "height": point.identity.size[1],
            "frame": number,
            **dict(zip(columns, values, strict=True)),
        }
        for point in points
        for columns in [("video", "key", "macs", "bops", "seconds", "dense_seconds")]
        for number, values in enumerate(zip(*asdict(point.frames).values(), strict=True))
    ]


def markdown_table(points: Sequence[NetworkPoint]) -> list[str]:
    """A table for each task and data, with a line for each point, and a column for networks if there are several.

    What was saved is against the dense network with the most MACs there is.
    """
    lines = []
    for data in dict.fromkeys((point.identity.task, point.identity.content) for point in points):
        chosen = [point for point in points if (point.identity.task, point.identity.content) == data]
        largest = max(point.dense_macs for point in chosen)
        if chosen[0].of_whole_videos:
            lines += [f"{data[0]} on {chosen[0].identity.data}, {len(chosen[0].frames.seconds)} videos:", ""]
            lines += [*action_table(chosen), ""]
            continue
        networks = network_names(chosen)
        several = len(networks) > 1
        first = "| network | method" if several else "| method"
        further = FURTHER.get(chosen[0].measure, ())
        lines += [
            f"{data[0]} on {chosen[0].identity.data}, {len(chosen[0].frames.seconds)} frames:",
            "",
            f"{first} | settings | size | {' | '.join((chosen[0].measure, *further))} | dense, same size | agreement "
            "| GMAC a frame | times fewer MACs | times fewer BOPs | ms a frame | frames a second "
            "| times faster, same size |",
            "|---" * ((13 if several else 12) + len(further)) + "|",
            *(
                _line(point, largest, networks[point.identity.network] if several else None, further)
                for point in chosen
            ),
            "",
        ]
    return lines[:-1]


def _line(point: NetworkPoint, largest: float, network: str | None, further: Sequence[str]) -> str:
    identity = point.identity
    bops = largest * 1024  # of a network in float32
    cells = [
        *([] if network is None else [network]),
        identity.method,
        identity.settings,
        f"{identity.size[0]}x{identity.size[1]}",
        *(_number(point.measures.get(name)) for name in (point.measure, *further)),
        _number(point.dense_measures.get(point.measure)),
        _number(point.agreement.get(point.measure)),
        f"{point.macs / 1e9:.3f}",
        f"{largest / point.macs:.2f}",
        f"{bops / point.bops:.2f}",
        f"{1000 * point.seconds:.0f}",
        f"{1 / point.seconds:.1f}",
        f"{point.dense_seconds / point.seconds:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
