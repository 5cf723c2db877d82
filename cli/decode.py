"""``scaleflow decode``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scaleflow.cli import options
from scaleflow.cli.cluster_options import GroupMachineOptions, worker_records, worker_text
from scaleflow.cli.console import ProgressReport, check_json, console, print_json
from scaleflow.cli.threads import set_threads

if TYPE_CHECKING:
    from scaleflow.codec.decoding.file import DecodeProgress, DecodeSummary


@dataclass(frozen=True)
class DecodeOutputOptions(options.OutputOptions):
    """What is written."""

    lossless: Annotated[
        bool, typer.Option("--lossless", help="FFV1 in mkv, lossless x264 in mp4, instead of near-lossless x264.")
    ] = False
    format: Annotated[
        str | None,
        typer.Option(help="Form of the output, instead of by its name: mp4, mkv, y4m, pictures...", show_default=False),
    ] = None
    tolerate_damage: Annotated[
        bool, typer.Option("--tolerate-damage", help="Exit with 0 although pictures were lost.")
    ] = False


def decode(
    source: options.Source,
    output: Annotated[
        str,
        typer.Argument(
            metavar="OUTPUT",
            help="mp4, mov, mkv, webm, y4m, yuv, a folder or pattern of pictures, or - for standard output.",
            show_default=False,
        ),
    ],
    part: options.PartOptions,
    limits: options.StreamLimitOptions,
    decoder: options.ShownOptions,
    machine: GroupMachineOptions,
    written: DecodeOutputOptions,
) -> None:
    """Decode an .sfv file to a video."""
    check_json(written.json, output)
    from scaleflow.codec.decoding.file import DecodeSettings, check_decode, decode_file

    settings = DecodeSettings(
        part.start,
        part.duration,
        part.frames,
        written.lossless,
        written.format,
        written.overwrite,
        max_pixels=limits.max_pixels,
        max_stand_ins=limits.max_stand_ins,
        **machine.settings(),
    )
    check_decode(source, output, settings)
    set_threads(machine.threads)
    with ProgressReport(written.json) as report:
        summary = decode_file(
            source,
            output,
            decoder.loader(machine.model_device),
            settings,
            progress=lambda now: show_decoding(report, "decode", now),
        )
    report_decoding(output, summary, written.json)
    if not summary.is_sound and not written.tolerate_damage:
        raise typer.Exit(1)


def show_decoding(report: ProgressReport, stage: str, now: DecodeProgress) -> None:
    """Where a decode stands."""
    speed = now.pictures / now.seconds if now.seconds > 0 else 0.0
    record = {
        "pictures": now.pictures,
        "bytes_read": now.bytes_read,
        "bytes_total": now.bytes_total,
        "seconds": round(now.seconds, 3),
        "pictures_per_second": round(speed, 3),
        **worker_records(now.workers),
    }
    details = f"{now.pictures} pictures, {speed:.1f}/s{worker_text(now.workers)}"
    report.update(stage, now.bytes_read, now.bytes_total, now.seconds, details, record)


def report_decoding(output: str | None, summary: DecodeSummary, use_json: bool) -> None:
    """What was decoded, and what was not."""
    if use_json:
        record: dict[str, Any] = {
            "event": "summary",
            "pictures": summary.pictures,
            "repeated": summary.repeated,
            "lost": summary.lost,
            "damaged_places": summary.damage_count,
            "damage": [vars(damage) for damage in summary.damage],
            "losses": [vars(loss) for loss in summary.losses],
            "seconds": summary.seconds,
        }
        print_json(record if output is None else record | {"output": output})
        return
    if not summary.is_sound:
        console.print(
            f"scaleflow: {summary.damage_count} damaged places, {summary.lost} pictures known to be lost", markup=False
        )
    if console.is_terminal and output is not None:
        speed = summary.pictures / summary.seconds if summary.seconds else 0.0
        console.print(f"{output}: {summary.pictures} pictures, {speed:.1f} pictures/s", markup=False)
