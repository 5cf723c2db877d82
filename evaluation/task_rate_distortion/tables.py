"""What ``scaleflow task-rd`` prints and writes: BD-rates for tasks, rates of losses, and a row for each point."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scaleflow.errors import DataError
from scaleflow.evaluation.networks.tables import point_row
from scaleflow.evaluation.statistics.bd_rate_summary import choose_anchor
from scaleflow.evaluation.task_rate_distortion.curves import (
    LOSSES,
    TaskCurve,
    looked_names,
    rate_of_loss,
    task_bd_rate,
    task_curves,
)
from scaleflow.evaluation.task_rate_distortion.pareto import COST, on_surface
from scaleflow.evaluation.task_rate_distortion.task_point import UNCOMPRESSED, TaskPoint
from scaleflow.output_file import write_whole_file

TABLE = "tasks.csv"


def task_lines(points: Sequence[TaskPoint], anchor: str | None = None) -> list[str]:
    """A table for each network and method: measure of uncompressed pictures, BD-rate, rates of losses, cost; and the
    settings that no other beats in all of rate, measure and cost.

    Raises:
        UsageError: the anchor was not measured.
    """
    curves = task_curves(points)
    lines: list[str] = []
    if not curves:
        return lines
    anchor = choose_anchor(list(dict.fromkeys(curve.codec for curve in curves)), anchor)
    for looked in dict.fromkeys(curve.looked for curve in curves):
        own = [curve for curve in curves if curve.looked == looked]
        lines += ["", *_table(looked, own, anchor)]
    return [*lines, *_surface_lines(points)]


def _table(looked: str, curves: Sequence[TaskCurve], anchor: str) -> list[str]:
    measure = curves[0].measure
    best = curves[0].uncompressed.get(measure)
    others = next((curve for curve in curves if curve.codec == anchor), None)
    width = max(12, *(len(curve.codec) for curve in curves))
    known = "" if best is None else f", {best:.2f} of uncompressed pictures"
    heads = [f"BD-rate to {anchor}", *(f"bpp at -{share:.0%}" for share in LOSSES), "GMAC", "ms"]
    lines = [f"{measure} of {looked}{known}", f"  {'':<{width}}" + "".join(f"{head:>24}" for head in heads)]
    problems = []
    for curve in curves:
        try:
            text = "" if others is None or curve is others else _bd_text(curve, others)
        except DataError as error:
            text = "none"
            problems.append(f"  {curve.codec}: {error}")
        rates = [rate_of_loss(curve, share) for share in LOSSES]
        cells = [text, *("-" if rate is None else f"{rate:.4f}" for rate in rates)]
        cells += [_range(curve.curve.metrics[name]) for name in ("gmac", "ms")]
        lines.append(f"  {curve.codec:<{width}}" + "".join(f"{cell:>24}" for cell in cells))
    return [*lines, *problems]


def _surface_lines(points: Sequence[TaskPoint]) -> list[str]:
    chosen = [
        (point, name)
        for point, name, best in zip(points, looked_names(points), on_surface(points), strict=True)
        if best
    ]
    lines: list[str] = []
    for measure in dict.fromkeys(point.network.measure for point, _ in chosen):
        of_measure = [(point, name) for point, name in chosen if point.network.measure == measure]
        all_of_them = sum(point.network.measure == measure and bool(point.record.bits_per_pixel) for point in points)
        head = f"{'bpp':>10}{measure:>10}{'GMAC':>10}"
        lines += ["", f"{len(of_measure)} of {all_of_them} settings, which no other beats in all three:", f"  {head}"]
        for point, name in sorted(of_measure, key=lambda pair: pair[0].record.bits_per_pixel or 0.0):
            rate, found, cost = point.record.bits_per_pixel, point.metrics[measure], point.metrics[COST]
            record = point.record
            lines.append(f"  {rate:>10.4f}{found:>10.2f}{cost:>10.3g}  {record.codec} {record.setting}, {name}")
    return lines


def _bd_text(curve: TaskCurve, anchor: TaskCurve) -> str:
    rate = task_bd_rate(curve, anchor)
    text = f"{rate.percent:+.1f} %"
    return text if rate.interval is None else text + " [{:+.0f}, {:+.0f}]".format(*rate.interval)


def _range(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:.3g}" if high - low < 0.005 * high else f"{low:.3g} to {high:.3g}"


def task_row(point: TaskPoint) -> dict[str, Any]:
    """Codec, setting and rate, and what the table of networks has."""
    record, network = point.record, point.network
    return {
        "codec": record.codec,
        "setting": record.setting,
        "bpp": record.bits_per_pixel,
        "bitrate": record.bitrate,
        **record.fidelity,
        **{(f"task {name}" if name in record.fidelity else name): value for name, value in point_row(network).items()},
    }


def write_task_table(points: Sequence[TaskPoint], folder: Path) -> Path:
    """``tasks.csv``, a row for each point, the uncompressed pictures first.

    ``pareto`` is that of :func:`scaleflow.evaluation.task_rate_distortion.pareto.on_surface`.
    """
    ordered = sorted(points, key=lambda point: point.record.codec != UNCOMPRESSED)
    surface = on_surface(ordered)
    rows = [{**task_row(point), "pareto": best} for point, best in zip(ordered, surface, strict=True)]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path = folder / TABLE
    write_whole_file(str(path), text.getvalue().encode(), True, follow_links=False)
    return path


def point_record(point: TaskPoint) -> dict[str, object]:
    """What ``--json`` says of a point."""
    record, network = point.record, point.network
    return {
        "codec": record.codec,
        "setting": record.setting,
        "bpp": record.bits_per_pixel,
        "network": network.identity.network,
        "method": network.identity.method,
        "settings": network.identity.settings,
        "size": list(network.identity.size),
        "metrics": point.metrics,
    }
