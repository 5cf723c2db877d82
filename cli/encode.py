"""``scaleflow encode``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from scaleflow.cli import options, region_options
from scaleflow.cli.console import ProgressReport, check_json, console, print_json
from scaleflow.cli.interruption import StopRequest
from scaleflow.cli.threads import set_threads
from scaleflow.cli.values import bitrate_text, parse_bitrate, parse_times, size_text
from scaleflow.cli.video_source import check_input, video_source

if TYPE_CHECKING:
    from scaleflow.codec.encoding.session import EncodeProgress
    from scaleflow.codec.encoding.summary import EncodeSummary


def encode(
    source: options.VideoInput,
    output: Annotated[
        str,
        typer.Argument(metavar="OUTPUT", help="The .sfv file to write, or - for standard output.", show_default=False),
    ],
    quality: Annotated[
        float | None, typer.Option("--quality", "-q", help="Quality 0..63.", show_default="32 without another goal")
    ] = None,
    bitrate: Annotated[
        str | None,
        typer.Option(help="Aim at bits a second of the whole file, such as 800k or 1.5M.", show_default=False),
    ] = None,
    bpp: Annotated[
        float | None, typer.Option(help="Aim at bits a pixel of the whole file.", show_default=False)
    ] = None,
    target_psnr: Annotated[
        float | None,
        typer.Option(help="Aim at a PSNR-YUV (6:1:1) in dB, by encoding several times.", show_default=False),
    ] = None,
    target_roi_psnr: region_options.TargetPsnr = None,
    two_pass: Annotated[
        bool,
        typer.Option("--two-pass", help="Meet --bitrate or --bpp with one constant quality, found by encoding before."),
    ] = False,
    intra_period: Annotated[int, typer.Option(help="Most pictures from key frame to key frame; 0 for no limit.")] = 32,
    scene_cut: Annotated[bool, typer.Option(help="Start scenes with key frames.")] = True,
    key_at: Annotated[
        str | None, typer.Option(help="Seconds at which to set key frames, such as 1.5,3.", show_default=False)
    ] = None,
    intra_quality_offset: Annotated[float, typer.Option(help="How much higher the quality of key frames is.")] = 10.0,
    workers: Annotated[int, typer.Option(help="Processes that code groups of pictures side by side.")] = 1,
    refine: Annotated[
        int | None,
        typer.Option(
            help="Steps of gradient descent on the latents of key frames, and with a region of interest of all "
            "pictures: less rate for the same quality, a slower encode. 20 is a good number.",
            show_default="none",
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Decode while encoding; refuse a file whose pictures differ.")
    ] = False,
    psnr: Annotated[bool, typer.Option("--psnr", help="Decode while encoding and report the PSNR reached.")] = False,
    roi: region_options.Masks = None,
    roi_boxes: region_options.Boxes = None,
    roi_from: region_options.Finder = None,
    roi_network: region_options.FinderNetwork = None,
    roi_classes: region_options.FinderClasses = None,
    roi_mode: region_options.Mode = None,
    roi_strength: region_options.Strength = None,
    roi_weights: region_options.Networks = None,
    model: Annotated[str, typer.Option(help="Name of the model; see scaleflow models.")] = "default",
    weights: options.Weights = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
    precision: Annotated[options.Precision, typer.Option(help="Arithmetic of the networks.")] = options.Precision.fp32,
    start: options.Start = 0.0,
    duration: options.Duration = None,
    frames: options.Frames = None,
    size: options.Size = None,
    fps: options.FrameRate = None,
    pix_fmt: options.PixelFormat = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> None:
    """Encode a video to an .sfv file."""
    from scaleflow.codec.encoding.request import check_request
    from scaleflow.codec.encoding.settings import DEFAULT_QUALITY, EncodeSettings

    check_json(json, output)
    no_goal = all(goal is None for goal in (quality, bitrate, bpp, target_psnr, target_roi_psnr))
    settings = EncodeSettings(
        quality=DEFAULT_QUALITY if no_goal else quality,
        bitrate=None if bitrate is None else parse_bitrate(bitrate),
        bits_per_pixel=bpp,
        target_psnr=target_psnr,
        target_roi_psnr=target_roi_psnr,
        two_pass=two_pass,
        intra_period=intra_period,
        scene_cut=scene_cut,
        key_times=() if key_at is None else parse_times(key_at),
        intra_quality_offset=intra_quality_offset,
        workers=workers,
        worker_threads=threads or 1,
        verify=verify,
        measure=psnr,
        start=start,
        duration=duration,
        frames=frames,
        overwrite=overwrite,
    )
    video = video_source(source, size, fps, pix_fmt)
    check_request(video, output, settings)
    check_input(source)
    region = region_options.region_request(
        video,
        model,
        masks=roi,
        boxes=roi_boxes,
        finder=roi_from,
        finder_network=roi_network,
        finder_classes=roi_classes,
        mode=roi_mode,
        strength=roi_strength,
        networks=roi_weights,
    )

    from scaleflow.codec.encoding.file import encode_file
    from scaleflow.codec.models.latent_refinement import LatentRefinement
    from scaleflow.codec.models.registry import load_model, set_refinement

    refinement = None if refine is None else LatentRefinement(refine)

    set_threads(threads)
    with StopRequest() as stop:
        loaded = load_model(model, device=device, precision=precision.value, weights=weights)
        if refinement is not None:
            set_refinement(loaded, refinement)
        if region is not None:
            region.prepare(loaded)
        with ProgressReport(json) as report:
            summary = encode_file(
                video,
                output,
                loaded,
                settings,
                progress=lambda now: show_encoding(report, now),
                stop=stop.is_set,
                masks=None if region is None else region.masks,
            )
    _report("standard output" if output == "-" else output, summary, json)
    if summary.interrupted:
        raise typer.Exit(stop.exit_code)


def show_encoding(report: ProgressReport, now: EncodeProgress) -> None:
    """Where an encode stands."""
    speed = now.pictures / now.seconds if now.seconds > 0 else 0.0
    details = (
        f"{now.pictures} pictures, {speed:.1f}/s, {size_text(round(now.file_bits / 8))}, quality {now.quality:.3g}"
    )
    record = {
        "pictures": now.pictures,
        "total": now.total,
        "bytes": round(now.file_bits / 8),
        "seconds": round(now.seconds, 3),
        "pictures_per_second": round(speed, 3),
        "quality": now.quality,
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
