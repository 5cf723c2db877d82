"""``scaleflow verify``."""

from __future__ import annotations

import typer

from scaleflow.cli import options
from scaleflow.cli.console import ProgressReport
from scaleflow.cli.decode import report_decoding, show_decoding
from scaleflow.cli.threads import set_threads


def verify(
    source: options.Source,
    model: options.StreamModel = None,
    weights: options.Weights = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
    json: options.Json = False,
) -> None:
    """Check an .sfv file and decode all its pictures; exit with 1 where it is damaged."""
    from scaleflow.codec.decoding.file import verify_file
    from scaleflow.codec.decoding.stream_model import load_stream_model

    set_threads(threads)
    with ProgressReport(json) as report:
        summary = verify_file(
            source,
            lambda header: load_stream_model(header, device=device, model=model, weights=weights),
            progress=lambda now: show_decoding(report, "verify", now),
        )
    report_decoding(None, summary, json)
    if not json and summary.is_sound:
        typer.echo(f"{source}: {summary.pictures} pictures, no damage")
    if not summary.is_sound:
        raise typer.Exit(1)
