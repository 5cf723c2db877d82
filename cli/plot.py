"""``scaleflow plot``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from scaleflow.cli import options


class Rate(str, Enum):
    """Unit of the horizontal axis."""

    bpp = "bpp"
    bitrate = "bitrate"


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
    rate: Annotated[Rate, typer.Option("--rate", "--x", help="Bits per pixel or kbit/s.")] = Rate.bpp,
    linear: Annotated[bool, typer.Option("--linear", help="Linear instead of logarithmic rate.")] = False,
    title: Annotated[str | None, typer.Option(help="Written above the panels.", show_default=False)] = None,
    intervals: Annotated[
        bool, typer.Option(help="Draw 95 % bootstrap intervals of means over three clips and more.")
    ] = True,
    overwrite: options.Overwrite = False,
) -> None:
    """Draw rate-distortion curves for a paper."""
    from scaleflow.evaluation.plot import PlotSettings, draw_figure, read_curves, write_figure
    from scaleflow.evaluation.plot.figure_file import check_figure_output

    check_figure_output(output, overwrite)
    metrics = tuple(name.strip() for names in metric or [] for name in names.split(",") if name.strip())
    curves = read_curves(results, clip=clip, codecs=codec or [])
    figure = draw_figure(
        curves, PlotSettings(metrics=metrics, rate=rate.value, log_rate=not linear, title=title, intervals=intervals)
    )
    write_figure(figure, output, overwrite=overwrite)
