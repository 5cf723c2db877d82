"""``scaleflow rd``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from scaleflow.cli import options
from scaleflow.cli.cluster_options import worker_records, worker_text
from scaleflow.cli.codec_options import (
    CodecOptions,
    SweepDecoderOptions,
    SweepMachineOptions,
    measuring_settings,
    parse_codecs,
)
from scaleflow.cli.console import console, print_json
from scaleflow.cli.decoder_table import decoder_records
from scaleflow.cli.extra_packages import require_measuring_packages
from scaleflow.cli.rd_table import summary_lines
from scaleflow.cli.sweep_regions import SweepRegionOptions, sweep_regions
from scaleflow.cli.sweep_run import say_problems, sweep_progress
from scaleflow.cli.values import parse_frame_rate
from scaleflow.errors import UsageError

if TYPE_CHECKING:
    from scaleflow.evaluation.rate_distortion.sweep import PointDone


@dataclass(frozen=True)
class ClipOptions:
    """What is coded."""

    PANEL: ClassVar[str] = "Clips"

    shift: Annotated[
        str | None,
        typer.Option(
            metavar="X,Y",
            help="Cut X columns and Y rows off before all codecs, such as 6,6: compressed sources favour codecs whose "
            "blocks lie where theirs did.",
            show_default=False,
        ),
    ] = None
    reduce: Annotated[int, typer.Option(min=1, help="Reduce pictures by this factor, by area, before all codecs.")] = 1
    frames: Annotated[int, typer.Option(min=1, help="Most pictures of each clip.")] = 96
    fps: Annotated[
        str | None,
        typer.Option(help="Frame rate of folders of pictures and of raw video.", show_default="25, or by the name"),
    ] = None
    partial: Annotated[bool, typer.Option("--partial", help="Take data sets of which clips are missing.")] = False


@dataclass(frozen=True)
class MeasuredOptions:
    """What is measured, and shown."""

    PANEL: ClassVar[str] = options.MetricOptions.PANEL

    metrics: Annotated[
        str,
        typer.Option(
            help="As of scaleflow compare: psnr, ms-ssim, lpips, vmaf, xpsnr, effnet, flicker or single ones. Beside "
            "lpips, effnet and flicker, PSNR is measured in any case."
        ),
    ] = "psnr,ms-ssim"
    anchor: Annotated[
        str | None,
        typer.Option(help="Codec that BD-rates are against.", show_default="x265, x264 or the first"),
    ] = None
    by_clip: Annotated[bool, typer.Option("--by-clip", help="Print also the BD-rates of each clip.")] = False


def rd(
    clips: Annotated[
        list[str],
        typer.Argument(
            metavar="CLIPS...",
            help="Videos, folders of videos or of pictures, or data sets as NAME:FOLDER, such as uvg:videos/uvg.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the results; a run that was stopped goes on there.")],
    *,
    coded: ClipOptions,
    region: SweepRegionOptions,
    coders: CodecOptions,
    decoder: SweepDecoderOptions,
    measuring: MeasuredOptions,
    aids: options.MetricOptions,
    machine: SweepMachineOptions,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Delete points of these clips and codecs that were measured otherwise.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Measure rate-distortion: clips, coded by codecs at several settings, decoded and compared."""
    require_measuring_packages("rd")
    from scaleflow.evaluation.metrics.names import expand_metrics, with_fidelity
    from scaleflow.evaluation.rate_distortion.clip_change import ClipChange
    from scaleflow.evaluation.rate_distortion.clip_files import find_clips
    from scaleflow.evaluation.rate_distortion.results import read_points
    from scaleflow.evaluation.rate_distortion.results_files import write_results
    from scaleflow.evaluation.rate_distortion.sweep import measure
    from scaleflow.evaluation.statistics.bd_rate_summary import choose_anchor
    from scaleflow.evaluation.statistics.decoder_comparison import compare_decoders

    names = with_fidelity(expand_metrics([name.strip() for name in measuring.metrics.split(",") if name.strip()]))
    who = machine.given()
    codecs = parse_codecs(coders, decoder)
    if measuring.anchor is not None:
        earlier = read_points(out) if any((out / "points").glob("*.json")) else []
        choose_anchor(
            list(dict.fromkeys([point.codec for point in earlier] + [item.name for item in codecs])), measuring.anchor
        )
    frame_rate = parse_frame_rate(coded.fps) if coded.fps is not None else None
    files = find_clips(clips, frame_rate=frame_rate, partial=coded.partial)
    change = ClipChange(_pair(coded.shift), coded.reduce)
    regions = sweep_regions(region)
    if regions is not None and str(change):
        raise UsageError("--roi: masks are of pictures as they are; leave out --shift and --reduce")
    settings = measuring_settings(names, codecs, coders, aids, machine)

    with sweep_progress("rd", out) as shown:

        def show(done: PointDone) -> None:
            if json:
                print_json(_record(done))
            elif done.problem is not None:
                console.print(f"scaleflow: {done.clip}, {done.codec} {done.setting}: {done.problem}", markup=False)
            details = f"{done.number}/{done.total} points, {done.clip}, {done.codec} {done.setting}"
            details += worker_text(done.workers)
            shown(done.number, done.total, details)

        masks = {} if regions is None else regions.masks_of([(file, coded.frames) for file in files], out)
        found = measure(
            files,
            codecs,
            settings,
            out,
            masks=masks,
            change=change,
            frames=coded.frames,
            **who,
            overwrite=overwrite,
            progress=show,
        )
    if found.points:
        points = read_points(out)
        write_results(points, out)
        of_codecs = list(dict.fromkeys(point.codec for point in points))
        lines = summary_lines(points, choose_anchor(of_codecs, measuring.anchor), names, measuring.by_clip)
        if json:
            decoders = decoder_records(compare_decoders(points))
            record = {"event": "done", "points": len(found.points), "failed": len(found.problems)}
            print_json(record | {"decoders": decoders} if decoders else record)
        else:
            done = f"{out}: {len(found.points)} points" + (f", clips after {change}" if str(change) else "")
            typer.echo("\n".join([done, *lines]))
    say_problems(len(found.points), found.problems)


def _pair(text: str | None) -> tuple[int, int]:
    if text is None:
        return 0, 0
    try:
        x, y = (int(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--shift {text!r}: give two numbers of samples, such as 6,6") from None
    return x, y


def _record(done: PointDone) -> dict[str, object]:
    record: dict[str, object] = {
        "event": "point" if done.problem is None else "failed",
        "number": done.number,
        "total": done.total,
        "clip": done.clip,
        "codec": done.codec,
        "setting": done.setting,
    }
    if done.point is not None:
        record |= {"bpp": done.point.bits_per_pixel, "metrics": done.point.metrics, "resumed": done.was_there}
    if done.problem is not None:
        record["problem"] = done.problem
    return record | worker_records(done.workers)
