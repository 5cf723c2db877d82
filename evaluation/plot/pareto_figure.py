"""The Pareto surface of rate, measure of a task, and cost: cost is the colour, budgets of cost are lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from scaleflow.errors import UsageError
from scaleflow.evaluation.plot.figure import (
    LEGEND_ROW_HEIGHT,
    MARKERS,
    PANEL_HEIGHT,
    PANEL_WIDTH,
    RATE_LABELS,
    STYLE,
    set_log_rate,
)
from scaleflow.evaluation.plot.metric_scale import axis_label
from scaleflow.evaluation.task_rate_distortion.pareto import COST, on_surface
from scaleflow.evaluation.task_rate_distortion.task_point import TaskPoint
from scaleflow.optional_packages import require_packages

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

BUDGETS = 4
"""Most lines of a panel."""

BEATEN = "#c4c4c4"
LEGEND_COLUMNS = 3


def draw_pareto_figure(points: Sequence[TaskPoint], title: str | None = None) -> Figure:
    """Draw a panel for each measure: all points over their rate, those on the surface in the colour of their cost.

    A line leads along the best measures that can be had for at most the cost that its colour says.

    Raises:
        UsageError: matplotlib is not installed, or no point was coded.
    """
    require_packages("plotting", "evaluate", ["matplotlib"])
    import matplotlib
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    surface = dict(zip((id(point) for point in points), on_surface(points), strict=True))
    coded = [point for point in points if surface[id(point)] is not None]
    if not coded:
        raise UsageError("no point of a task has a rate, a measure and a cost")
    measures = list(dict.fromkeys(point.network.measure for point in coded))
    codecs = list(dict.fromkeys(point.record.codec for point in coded))
    costs = [_cost(point) for point in coded]
    with matplotlib.rc_context(STYLE):
        height = PANEL_HEIGHT + LEGEND_ROW_HEIGHT * (1 + len(codecs) / LEGEND_COLUMNS)
        figure = Figure(figsize=((PANEL_WIDTH + 0.6) * len(measures), height), layout="constrained")
        panels = figure.subplots(1, len(measures), squeeze=False)[0]
        colors = ScalarMappable(Normalize(min(costs), max(costs)), "viridis_r")
        for panel, measure in zip(panels, measures, strict=True):
            chosen = [point for point in coded if point.network.measure == measure]
            for point in chosen:
                _draw_point(panel, point, codecs.index(point.record.codec), bool(surface[id(point)]), colors)
            _draw_budgets(panel, [point for point in chosen if surface[id(point)]], colors)
            panel.set_xlabel(RATE_LABELS["bpp"])
            panel.set_ylabel(axis_label(measure))
            panel.grid(True)
            panel.set_axisbelow(True)
            set_log_rate(panel)
        figure.colorbar(colors, ax=panels, label=axis_label(COST))
        if title:
            figure.suptitle(title, fontsize=10)
        lines = [
            panels[0].plot([], [], linestyle="", color="#444444", marker=MARKERS[number % len(MARKERS)])[0]
            for number in range(len(codecs))
        ]
        figure.legend(
            lines,
            codecs,
            loc="outside lower center",
            ncols=LEGEND_COLUMNS,
            frameon=False,
            title="Grey: beaten by another in rate, measure and cost. Lines: best for at most a cost",
            title_fontsize=7,
        )
    return figure


def _draw_point(panel: Axes, point: TaskPoint, codec: int, best: bool, colors: ScalarMappable) -> None:
    panel.plot(
        [point.record.bits_per_pixel or 0.0],
        [_value(point)],
        marker=MARKERS[codec % len(MARKERS)],
        markersize=5 if best else 3,
        color=_color(colors, _cost(point)) if best else BEATEN,
        linestyle="",
        zorder=3 if best else 2,
        gid="surface" if best else "beaten",
    )


def _draw_budgets(panel: Axes, surface: Sequence[TaskPoint], colors: ScalarMappable) -> None:
    """A line of steps for each of a few costs: the highest measure up to a rate, of points that cost no more."""
    costs = sorted({_cost(point) for point in surface})
    last = len(costs) - 1
    count = min(BUDGETS, len(costs))
    for budget in [costs[round(last * (number + 1) / count) if count > 1 else last] for number in range(count)]:
        best: list[tuple[float, float]] = []
        for point in sorted(surface, key=lambda one: one.record.bits_per_pixel or 0.0):
            if _cost(point) <= budget and (not best or _value(point) > best[-1][1]):
                best.append((point.record.bits_per_pixel or 0.0, _value(point)))
        rates, values = zip(*best, strict=True)
        panel.step(rates, values, where="post", color=_color(colors, budget), linewidth=1.0, zorder=1, gid="budget")


def _color(colors: ScalarMappable, cost: float) -> tuple[float, ...]:
    return tuple(colors.to_rgba(np.array([cost]))[0])


def _cost(point: TaskPoint) -> float:
    return point.metrics[COST] or 0.0


def _value(point: TaskPoint) -> float:
    return point.metrics[point.network.measure] or 0.0
