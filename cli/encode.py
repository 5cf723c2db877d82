"""``scaleflow encode``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from scaleflow.cli import encode_options, options, region_options
from scaleflow.cli.cluster_options import worker_records, worker_text
from scaleflow.cli.console import ProgressReport, check_json, console, print_json
from scaleflow.cli.interruption import StopRequest
from scaleflow.cli.threads import set_threads
from scaleflow.cli.values import bitrate_text, size_text
from scaleflow.cli.video_source import check_input, exit_if_damaged, video_source
from scaleflow.errors import DataError

if TYPE_CHECKING:
    from scaleflow.codec.encoding.session import EncodeProgress
    from scaleflow.codec.encoding.summary import EncodeSummary


def encode(
    source: options.VideoInput,
    output: Annotated[
        str,
        typer.Argument(metavar="OUTPUT", help="The .sfv file to write, or - for standard output.", show_default=False),
    ],
    rate: encode_options.RateOptions,
    key_frames: encode_options.KeyFrameOptions,
    region_of_interest: region_options.RegionOptions,
    part: options.PartOptions,
    raw: options.RawOptions,
    model: encode_options.EncodeModelOptions,
    machine: encode_options.EncodeMachineOptions,
    written: encode_options.EncodeOutputOptions,
) -> None:
    """Encode a video to an .sfv file."""
    from scaleflow.codec.encoding.request import check_request
    from scaleflow.codec.encoding.settings import EncodeSettings

    check_json(written.json, output)
    settings = EncodeSettings(
        **rate.settings(),
        **key_frames.settings(),
        **machine.settings(shared_input=machine.shared_input),
        verify=written.verify,
        measure=written.psnr,
        start=part.start,
        duration=part.duration,
        frames=part.frames,
        overwrite=written.overwrite,
        max_pixels=raw.max_pixels,
    )
    device = machine.model_device
    video = video_source(source, raw)
    check_request(video, output, settings)
    check_input(source, raw)
    region = region_options.region_of(region_of_interest, model.model)
    masks, region_settings = (None, None) if region is None else region.open(video)

    from scaleflow.codec.encoding.file import encode_file
    from scaleflow.codec.models.picture_order import LatentRefinement
    from scaleflow.codec.models.registry import load_model

    settings = replace(
        settings,
        region=region_settings,
        refinement=None if rate.refine is None else LatentRefinement(rate.refine),
    )
    set_threads(machine.threads)
    with StopRequest() as stop:
        loaded = load_model(model.model, device=device, precision=machine.precision.value, weights=model.weights)
        try:
            with ProgressReport(written.json) as report:
                summary = encode_file(
                    video,
                    output,
                    loaded,
                    settings,
                    progress=lambda now: show_encoding(report, now),
                    stop=stop.is_set,
                    masks=masks,
                )
        except DataError as error:
            if not stop.is_set():
                raise
            console.print(f"scaleflow: {error}", markup=False)  # It stopped before there was anything to keep.
            raise typer.Exit(stop.exit_code) from error
    _report("standard output" if output == "-" else output, summary, written.json)
    if summary.interrupted:
        raise typer.Exit(stop.exit_code)
    exit_if_damaged(summary.damage, raw)


def show_encoding(report: ProgressReport, now: EncodeProgress) -> None:
    """Where an encode stands."""
    speed = now.pictures / now.seconds if now.seconds > 0 else 0.0
    details = (
        f"{now.pictures} pictures, {speed:.1f}/s, {size_text(round(now.file_bits / 8))}, quality {now.quality:.3g}"
        f"{worker_text(now.workers)}"
    )
    record = {
        "pictures": now.pictures,
        "total": now.total,
        "bytes": round(now.file_bits / 8),
        "seconds": round(now.seconds, 3),
        "pictures_per_second": round(speed, 3),
        "quality": now.quality,
        **worker_records(now.workers),
    }
    report.update(now.stage, now.pictures, now.total, now.seconds, details, record)


def _report(output: str, summary: EncodeSummary, use_json: bool) -> None:
    if use_json:
        from dataclasses import asdict

        print_json({"event": "summary", "output": output, **asdict(summary)})
        return
    if summary.interrupted:
        console.print(f"scaleflow: interrupted; {output} holds the first {summary.pictures} pictures", markup=False)
    if not (console.is_terminal or summary.psnr_yuv is not None):
        return
    reached = "" if summary.psnr_yuv is None else f", PSNR-YUV {summary.psnr_yuv:.2f} dB"
    if summary.region_psnr_yuv is not None:
        reached += f" ({summary.region_psnr_yuv:.2f} dB in the region)"
    speed = summary.pictures / summary.seconds
    console.print(
        f"{output}: {summary.pictures} pictures ({summary.key_frames} key frames), {size_text(summary.file_bytes)}, "
        f"{bitrate_text(summary.bitrate)}, {summary.bits_per_pixel:.4f} bpp, "
        f"quality {summary.mean_quality:.4g}{reached}, {speed:.1f} pictures/s",
        markup=False,
    )
