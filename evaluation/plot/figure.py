"""Draws rate-distortion curves: a panel for each metric, one legend for all."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from scaleflow.errors import UsageError
from scaleflow.evaluation.metrics.names import LOWER_IS_BETTER
from scaleflow.evaluation.plot.curve_sources import PlottedCurve
from scaleflow.evaluation.plot.log_ticks import log_ticks, tick_text
from scaleflow.evaluation.plot.metric_scale import axis_label, choose_metrics
from scaleflow.evaluation.statistics.decibels import column_in_decibels, in_decibels
from scaleflow.optional_packages import require_packages

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

logger = logging.getLogger(__name__)

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
"""Okabe and Ito's, which people with any kind of colour vision tell apart; without the yellow, too light for lines."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (5, 1.5, 1.5, 1.5)))
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: the same everywhere
    "font.size": 8,
    "axes.labelsize": 8.5,
    "axes.titlesize": 9,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 8,
    "text.parse_math": False,  # names may hold a $
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#d8d8d8",
    "grid.linewidth": 0.5,
}
PANEL_WIDTH, PANEL_HEIGHT, LEGEND_ROW_HEIGHT = 3.5, 2.7, 0.17
"""In inches."""

RATE_LABELS = {"bpp": "Rate (bits per pixel)", "bitrate": "Rate (kbit/s)"}
COSTS = ("gmac", "gbop", "ms")
"""Metrics of points of tasks that may stand on the horizontal axis instead of the rate."""


@dataclass(frozen=True)
class PlotSettings:
    """What to draw.

    Attributes:
        metrics: a panel each; the usual ones that the curves have where empty.
        rate: unit of the horizontal axis; or one of :data:`COSTS`, of curves of ``read_curves(..., over_cost=True)``.
        log_rate: logarithmic horizontal axis of rates; that of costs is linear.
        title: above the panels.
        intervals: draw the intervals over clips.
    """

    metrics: tuple[str, ...] = ()
    rate: Literal["bpp", "bitrate", "gmac", "gbop", "ms"] = "bpp"
    log_rate: bool = True
    title: str | None = None
    intervals: bool = True

    def __post_init__(self) -> None:
        if self.rate not in (*RATE_LABELS, *COSTS):
            raise UsageError(f"rate {self.rate!r} is not one of {', '.join((*RATE_LABELS, *COSTS))}", fields=("rate",))


def draw_figure(curves: Sequence[PlottedCurve], settings: PlotSettings | None = None) -> Figure:
    """Draw curves.

    Curves that lack a metric, or their rate in the unit asked for, are left out of that panel, and logged.

    Raises:
        UsageError: matplotlib is not installed, or a metric is asked for that no curve has.
    """
    require_packages("plotting", "evaluate", ["matplotlib"])
    import matplotlib
    from matplotlib.figure import Figure

    settings = settings or PlotSettings()
    metrics = settings.metrics or tuple(choose_metrics([_drawable(curve, settings.rate) for curve in curves]))
    if not metrics:
        raise UsageError("no curve has a metric with a finite value: measure larger pictures or another metric")
    chosen = {metric: _curves_of_panel(curves, metric, settings.rate) for metric in dict.fromkeys(metrics)}
    columns = min(len(chosen), 2 if len(chosen) in (2, 4) else 3)
    rows = math.ceil(len(chosen) / columns)
    shown = {number: curves[number] for number in sorted(set().union(*chosen.values()))}
    legend_columns = _legend_columns([curve.label for curve in shown.values()], columns)
    legend_height = LEGEND_ROW_HEIGHT * (1.5 + math.ceil(len(shown) / legend_columns))
    drawn: dict[int, Line2D] = {}
    with matplotlib.rc_context(STYLE):
        size = PANEL_WIDTH * columns, PANEL_HEIGHT * rows + legend_height + (0.3 if settings.title else 0)
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False).flatten()
        for panel, (metric, numbers) in zip(panels, chosen.items(), strict=False):
            for number in numbers:
                drawn[number] = _draw_curve(panel, curves[number], metric, number, settings)
            _draw_uncompressed(panel, [curves[number] for number in numbers], metric)
            _finish_panel(panel, metric, settings)
        for panel in panels[len(chosen) :]:
            panel.remove()
        if settings.title:
            figure.suptitle(settings.title, fontsize=10)
        legend = figure.legend(
            [drawn[number] for number in shown],
            [curve.label for curve in shown.values()],
            loc="outside lower center",
            ncols=legend_columns,
            frameon=False,
            handlelength=3.2,
            title=caption(list(shown.values()), tuple(chosen), settings),
        )
        legend.get_title().set_fontsize(7.5)
    return figure


def caption(curves: Sequence[PlottedCurve], metrics: Sequence[str], settings: PlotSettings) -> str:
    """What points and bars are: of how many clips they are the mean, and which interval is drawn."""
    counts = sorted({curve.clips for curve in curves if curve.clips is not None and curve.clips > 1})
    names = sorted({curve.curve.clip for curve in curves if curve.curve.clip is not None})
    if names:
        return f"Clip: {', '.join(names)}"
    if not counts:
        return ""
    span = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    text = f"Points: mean over {span} clips"
    if any(curve.clips is None for curve in curves):
        text += ", published curves as they are"
    if settings.intervals and any(curve.intervals.keys() & set(metrics) for curve in curves):
        text += "; bars: 95 % bootstrap interval of that mean over clips"
    return text


def _curves_of_panel(curves: Sequence[PlottedCurve], metric: str, rate: str) -> list[int]:
    """Positions of the curves that have a metric and a rate."""
    found = []
    for number, curve in enumerate(curves):
        if metric not in curve.curve.metrics:
            logger.warning("%s has no %s: left out of that panel", curve.label, metric)
        elif not _finite_points(curve, metric, rate):
            logger.warning("%s has no point with both %s and %s: left out of that panel", curve.label, metric, rate)
        else:
            found.append(number)
    if not found:
        names = sorted({name for curve in curves for name in curve.curve.metrics})
        raise UsageError(f"no curve has metric {metric!r} by {rate}; there are {', '.join(names)}")
    return found


def _drawable(curve: PlottedCurve, rate: str) -> list[str]:
    """Metrics of which a curve has a point."""
    return [metric for metric in curve.curve.metrics if _finite_points(curve, metric, rate)]


def _finite_points(curve: PlottedCurve, metric: str, rate: str) -> list[int]:
    values = column_in_decibels(metric, curve.curve.metrics[metric])
    return [n for n, pair in enumerate(zip(_rates(curve, rate), values, strict=True)) if all(map(math.isfinite, pair))]


def _rates(curve: PlottedCurve, rate: str) -> Sequence[float]:
    if rate in COSTS:
        return curve.curve.metrics.get(rate, (math.nan,) * len(curve.curve.settings))
    return curve.curve.bits_per_pixel if rate == "bpp" else curve.curve.bitrate


def _draw_curve(panel: Axes, curve: PlottedCurve, metric: str, number: int, settings: PlotSettings) -> Line2D:
    color = COLORS[number % len(COLORS)]
    rates = np.asarray(_rates(curve, settings.rate))
    points = sorted(_finite_points(curve, metric, settings.rate), key=lambda point: rates[point])
    values = np.asarray(column_in_decibels(metric, curve.curve.metrics[metric]))
    if settings.intervals and metric in curve.intervals:
        ends = np.array([[in_decibels(metric, end) for end in curve.intervals[metric][point]] for point in points])
        # Rounding may put a mean just outside an interval without width.
        lengths = np.maximum(np.abs(ends.T - values[points]), 0)
        panel.errorbar(
            rates[points], values[points], yerr=lengths, fmt="none", ecolor=color, elinewidth=0.7, capsize=1.8,
            capthick=0.7, alpha=0.55, zorder=1.5,
        )  # fmt: skip
    (line,) = panel.plot(
        rates[points],
        values[points],
        color=color,
        linestyle=DASHES[number % len(DASHES)],
        linewidth=1.3,
        marker=MARKERS[number % len(MARKERS)],
        markersize=4,
        markeredgecolor="white",
        markeredgewidth=0.4,
        label=curve.label,
    )
    return line


def _draw_uncompressed(panel: Axes, curves: Sequence[PlottedCurve], metric: str) -> None:
    """A line at what pictures have that were not coded, once for curves that agree in it."""
    values = {curve.uncompressed[metric] for curve in curves if metric in curve.uncompressed}
    for value in sorted(value for value in values if math.isfinite(value)):
        panel.axhline(value, color="#666666", linewidth=0.8, linestyle=(0, (1, 1.5)), zorder=1)
        panel.annotate(
            "uncompressed",
            (0.01, value),
            xycoords=("axes fraction", "data"),
            xytext=(0, 2),
            textcoords="offset points",
            fontsize=6.5,
            color="#444444",
        )


def _finish_panel(panel: Axes, metric: str, settings: PlotSettings) -> None:
    from matplotlib.ticker import MaxNLocator

    panel.set_xlabel(RATE_LABELS.get(settings.rate) or axis_label(settings.rate))
    panel.set_ylabel(axis_label(metric))
    panel.grid(True)
    panel.set_axisbelow(True)
    panel.margins(0.04)
    panel.yaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    if settings.log_rate and settings.rate not in COSTS:
        set_log_rate(panel)
    else:
        panel.set_xlim(left=0)
    if metric in LOWER_IS_BETTER:
        # Better is up in every panel.
        panel.invert_yaxis()


def set_log_rate(panel: Axes) -> None:
    """Make the horizontal axis of what has been drawn logarithmic, with few ticks that people can read."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    panel.set_xscale("log")
    low, high = panel.get_xlim()
    panel.xaxis.set_major_locator(FixedLocator(log_ticks(low, high)))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, position: tick_text(value)))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.set_xlim(low, high)


def _legend_columns(labels: Sequence[str], panels: int) -> int:
    """As many as fit: about 11 letters to an inch, and the sample of the line before them."""
    width = max((len(label) for label in labels), default=1) / 11 + 0.75
    return max(1, min(len(labels), int(PANEL_WIDTH * panels / width)))
