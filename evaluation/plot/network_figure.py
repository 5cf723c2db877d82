"""Accuracy over cost: a panel for each task, one curve for each network and method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from scaleflow.errors import UsageError
from scaleflow.evaluation.networks.curve_names import curve_names
from scaleflow.evaluation.networks.point import NetworkPoint
from scaleflow.evaluation.plot.figure import COLORS, DASHES, MARKERS, PANEL_HEIGHT, PANEL_WIDTH, STYLE
from scaleflow.evaluation.plot.metric_scale import TASK_TITLES
from scaleflow.optional_packages import require_packages

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NetworkCost = Literal["macs", "bops", "ms"]

COST_LABELS = {"macs": "GMAC a frame", "bops": "TBOP a frame", "ms": "ms a frame"}
LEGEND_COLUMNS = 2
"""That fit below each panel."""


def draw_network_figure(points: Sequence[NetworkPoint], cost: NetworkCost, title: str | None = None) -> Figure:
    """Draw curves; points without a settled accuracy are left out.

    Raises:
        UsageError: matplotlib is not installed, or there is nothing to draw.
    """
    require_packages("plotting", "evaluate", ["matplotlib"])
    import matplotlib
    from matplotlib.figure import Figure

    panels: dict[tuple[str, str], list[tuple[str, NetworkPoint]]] = {}
    for name, point in zip(names := curve_names(points), points, strict=True):
        if point.accuracy is not None:
            panels.setdefault((point.identity.task, point.identity.content), []).append((name, point))
    if not panels:
        raise UsageError("no point has an accuracy that could be drawn")
    curves = list(dict.fromkeys(names))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(PANEL_WIDTH * len(panels), PANEL_HEIGHT + 0.4), layout="constrained")
        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for panel, chosen in zip(axes, panels.values(), strict=True):
            _draw_panel(panel, chosen, curves, cost)
        if title:
            figure.suptitle(title, fontsize=10)
        handles = {
            label: line for panel in axes for line, label in zip(*panel.get_legend_handles_labels(), strict=True)
        }
        columns = min(LEGEND_COLUMNS * len(panels), 4, len(handles))
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=columns, frameon=False)
    return figure


def _draw_panel(
    panel: Axes, named_points: Sequence[tuple[str, NetworkPoint]], curves: Sequence[str], cost: NetworkCost
) -> None:
    points = [point for _, point in named_points]
    for number, curve in enumerate(curves):
        own = [(_cost(point, cost), point.accuracy) for name, point in named_points if name == curve]
        if own:
            pairs = sorted((value, accuracy) for value, accuracy in own if accuracy is not None)
            panel.plot(
                [value for value, _ in pairs],
                [accuracy for _, accuracy in pairs],
                color=COLORS[number % len(COLORS)],
                linestyle=DASHES[number % len(DASHES)],
                marker=MARKERS[number % len(MARKERS)],
                linewidth=1.3,
                markersize=4,
                label=curve,
            )
    measure = points[0].measure
    label = TASK_TITLES.get(measure, measure)
    panel.set_ylabel(label if points[0].measures else f"{label}, of the dense network's")
    label = COST_LABELS[cost]
    panel.set_xlabel(label.replace("a frame", "a video") if points[0].of_whole_videos else label)
    panel.set_xscale("log" if cost == "bops" else "linear")
    panel.set_title(points[0].identity.task)
    panel.grid(True)
    panel.set_axisbelow(True)


def _cost(point: NetworkPoint, cost: NetworkCost) -> float:
    return {"macs": point.macs / 1e9, "bops": point.bops / 1e12, "ms": 1000 * point.seconds}[cost]
