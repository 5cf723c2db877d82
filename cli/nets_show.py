"""``scaleflow nets plot`` and ``scaleflow nets table``: results of networks beside each other."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from scaleflow.cli import options

Results = Annotated[
    list[Path],
    typer.Argument(metavar="RESULTS...", help="Folders that scaleflow nets eval wrote.", show_default=False),
]


class Cost(str, Enum):
    """What accuracy is drawn over."""

    macs = "macs"
    bops = "bops"
    ms = "ms"


def plot(
    results: Results,
    output: Annotated[Path, typer.Option("--output", "-o", help="A .svg, .pdf or .png file.", show_default=False)],
    cost: Annotated[Cost, typer.Option(help="Horizontal axis: macs, bops, or ms of wall time.")] = Cost.macs,
    title: Annotated[str | None, typer.Option(help="Written above the panels.", show_default=False)] = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Draw accuracy over cost: a panel for each task and data, a curve for each network and method."""
    from scaleflow.evaluation.networks.evaluate import read_network_points
    from scaleflow.evaluation.plot import write_figure
    from scaleflow.evaluation.plot.figure_file import check_figure_output
    from scaleflow.evaluation.plot.network_figure import draw_network_figure

    check_figure_output(output, overwrite)
    points = [point for folder in results for point in read_network_points(folder)]
    write_figure(draw_network_figure(points, cost.value, title), output, overwrite=overwrite)


def table(
    results: Results,
) -> None:
    """Print all points of several folders beside each other, as tables in Markdown."""
    from scaleflow.evaluation.networks.evaluate import read_network_points
    from scaleflow.evaluation.networks.tables import markdown_table

    points = [point for folder in results for point in read_network_points(folder)]
    typer.echo("\n".join(markdown_table(points)))
