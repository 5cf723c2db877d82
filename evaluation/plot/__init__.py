"""Rate-distortion curves as pictures for papers."""

from scaleflow.evaluation.plot.curve_sources import PlottedCurve, points_of_tasks, read_curves
from scaleflow.evaluation.plot.figure import COSTS, PlotSettings, draw_figure
from scaleflow.evaluation.plot.figure_file import FIGURE_SUFFIXES, write_figure
from scaleflow.evaluation.plot.pareto_figure import draw_pareto_figure

__all__ = [
    "COSTS",
    "FIGURE_SUFFIXES",
    "PlotSettings",
    "PlottedCurve",
    "draw_figure",
    "draw_pareto_figure",
    "points_of_tasks",
    "read_curves",
    "write_figure",
]
