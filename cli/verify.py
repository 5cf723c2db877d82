"""``scaleflow verify``."""

from __future__ import annotations

import typer

from scaleflow.cli import options
from scaleflow.cli.console import ProgressReport
from scaleflow.cli.decode import report_decoding, show_decoding
from scaleflow.cli.threads import set_threads


def verify(
    source: options.Source,
    limits: options.LimitOptions,
    decoder: options.StreamModelOptions,
    machine: options.MachineOptions,
    printed: options.JsonOptions,
) -> None:
    """Check an .sfv file and decode all its pictures; exit with 1 where it is damaged."""
    from scaleflow.codec.decoding.file import verify_file

    set_threads(machine.threads)
    with ProgressReport(printed.json) as report:
        summary = verify_file(
            source,
            decoder.loader(machine.device),
            max_pixels=limits.max_pixels,
            progress=lambda now: show_decoding(report, "verify", now),
        )
    report_decoding(None, summary, printed.json)
    if not printed.json and summary.is_sound:
        typer.echo(f"{source}: {summary.pictures} pictures, no damage")
    if not summary.is_sound:
        raise typer.Exit(1)
