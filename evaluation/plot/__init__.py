"""Rate-distortion curves as pictures for papers."""

from scaleflow.evaluation.plot.curve_sources import PlottedCurve, read_curves
from scaleflow.evaluation.plot.figure import PlotSettings, draw_figure
from scaleflow.evaluation.plot.figure_file import FIGURE_SUFFIXES, write_figure

__all__ = ["FIGURE_SUFFIXES", "PlotSettings", "PlottedCurve", "draw_figure", "read_curves", "write_figure"]
