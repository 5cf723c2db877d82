"""``scaleflow plot``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from scaleflow.cli import options
from scaleflow.cli.extra_packages import require_measuring_packages
from scaleflow.errors import UsageError


class Rate(str, Enum):
    """What the horizontal axis shows."""

    bpp = "bpp"
    bitrate = "bitrate"
    gmac = "gmac"
    gbop = "gbop"
    ms = "ms"


def plot(
    results: Annotated[
        list[Path],
        typer.Argument(
            metavar="RESULTS...",
            help="Folders that scaleflow rd or task-rd wrote, and files in CompressAI's schema.",
            show_default=False,
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="A .svg, .pdf or .png file.", show_default=False)],
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            "--y",
            help="A panel each, as in psnr-yuv,ms-ssim-rgb, or miou; may be repeated.",
            show_default="the usual ones there are",
        ),
    ] = None,
    codec: Annotated[list[str] | None, typer.Option(help="Only this one; may be repeated.", show_default="all")] = None,
    clip: Annotated[
        str | None, typer.Option(help="Curves of this clip.", show_default="averages over all clips")
    ] = None,
    rate: Annotated[
        Rate,
        typer.Option(
            "--rate", "--x", help="Bits per pixel or kbit/s; or, of scaleflow task-rd, what the networks cost."
        ),
    ] = Rate.bpp,
    pareto: Annotated[
        bool,
        typer.Option(
            "--pareto",
            help="Of scaleflow task-rd, draw which settings no other beats in rate, measure and GMAC, instead of "
            "curves.",
        ),
    ] = False,
    linear: Annotated[bool, typer.Option("--linear", help="Linear instead of logarithmic rate.")] = False,
    title: Annotated[str | None, typer.Option(help="Written above the panels.", show_default=False)] = None,
    intervals: Annotated[
        bool, typer.Option(help="Draw 95 % bootstrap intervals of means over three clips and more.")
    ] = True,
    overwrite: options.Overwrite = False,
) -> None:
    """Draw rate-distortion curves for a paper."""
    require_measuring_packages("plot")
    from scaleflow.evaluation.plot import (
        COSTS,
        PlotSettings,
        draw_figure,
        draw_pareto_figure,
        points_of_tasks,
        read_curves,
        write_figure,
    )
    from scaleflow.evaluation.plot.figure_file import check_figure_output

    check_figure_output(output, overwrite)
    metrics = tuple(name.strip() for names in metric or [] for name in names.split(",") if name.strip())
    over_cost = rate.value in COSTS
    if (over_cost or pareto) and clip is not None:
        raise UsageError(f"--clip {clip}: networks are measured on all clips together; leave it out")
    points = points_of_tasks(results, codec or []) if over_cost or pareto else []
    if pareto:
        if metrics or rate is not Rate.bpp:
            raise UsageError("--pareto draws the task's own measure over bits per pixel: leave out --metric and --rate")
        write_figure(draw_pareto_figure(points, title), output, overwrite=overwrite)
        return
    curves = read_curves(results, clip=clip, codecs=codec or [], over_cost=over_cost)
    metrics = metrics or tuple(dict.fromkeys(point.network.measure for point in points))
    figure = draw_figure(
        curves, PlotSettings(metrics=metrics, rate=rate.value, log_rate=not linear, title=title, intervals=intervals)
    )
    write_figure(figure, output, overwrite=overwrite)
