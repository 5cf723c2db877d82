"""``scaleflow report``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from scaleflow.cli import blind_test_options, options
from scaleflow.cli.console import ProgressReport
from scaleflow.cli.extra_packages import require_measuring_packages
from scaleflow.cli.threads import set_threads
from scaleflow.cli.values import size_text
from scaleflow.errors import UsageError


def report(
    results: Annotated[
        Path, typer.Argument(metavar="RESULTS", help="Folder that scaleflow rd or task-rd wrote.", show_default=False)
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="A .html file.", show_default=False)],
    clip: Annotated[list[str] | None, typer.Option(help="Only this one; may be repeated.", show_default="all")] = None,
    bits_per_pixel: Annotated[
        float | None,
        typer.Option(
            "--bits-per-pixel",
            help="Rate at which pictures are compared.",
            show_default="the middle of the rates that all codecs have",
        ),
    ] = None,
    pictures: Annotated[int, typer.Option(help="Pictures of each clip to embed, 0 for none.")] = 3,
    anchor: Annotated[
        str | None, typer.Option(help="Codec that BD-rates are against.", show_default="x265, x264 or the first")
    ] = None,
    *,
    model: Annotated[
        list[str] | None,
        typer.Option(help="Another model that streams may need: ssf2020-N or ssf2020:PATH; may be repeated."),
    ] = None,
    weights_folder: options.WeightsFolder = None,
    decoder_weights: Annotated[
        list[Path] | None,
        typer.Option(
            help="Weights of a perceptual decoder that codecs were measured with; may be repeated.",
            show_default="the shipped ones, and those of --weights-folder",
        ),
    ] = None,
    network: Annotated[
        Path | None,
        typer.Option(
            help="Of scaleflow task-rd: a run of scaleflow nets train that was measured; what it finds is shown.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="The data that it was measured on; what should be found is shown.", show_default=False),
    ] = None,
    machine: options.MachineOptions,
    blind_test: blind_test_options.BlindTestOptions,
    overwrite: options.Overwrite = False,
) -> None:
    """Write a report to look at: one HTML file with curves, pictures side by side and maps; or a blind test."""
    require_measuring_packages("report")
    from scaleflow.evaluation.blind_test import write_blind_test
    from scaleflow.evaluation.report import ReportSettings, write_report

    settings = ReportSettings(
        tuple(clip or ()),
        bits_per_pixel,
        pictures,
        anchor,
        machine.device,
        tuple(model or ()),
        weights_folder,
        tuple(decoder_weights or ()),
        network,
        data,
    )
    blind_settings = blind_test.settings()
    if blind_settings is not None and anchor is not None:
        raise UsageError("--anchor: a blind test has no BD-rates; leave --anchor or --blind out")
    set_threads(machine.threads)
    started = time.monotonic()
    with ProgressReport(use_json=False) as shown:

        def show(name: str, done: int, total: int) -> None:
            shown.update("report", done, total, time.monotonic() - started, name, {})

        if blind_settings is None:
            write_report(results, output, settings, overwrite=overwrite, progress=show)
            return
        pairs = write_blind_test(results, output, settings, blind_settings, overwrite=overwrite, progress=show)
    typer.echo(f"{output}: {pairs} pairs, {size_text(output.stat().st_size)}")
