"""``scaleflow encode``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options
from cli.console import ProgressReport, check_json, console, print_json
from cli.interruption import StopRequest
from cli.threads import set_threads
from cli.values import bitrate_text, parse_bitrate, parse_frame_rate, parse_size, parse_times, size_text
from codec.errors import UsageError

if TYPE_CHECKING:
    from codec.encode_request import VideoSource
    from codec.encode_session import EncodeProgress
    from codec.encode_summary import EncodeSummary


def encode(
    source: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="A video, a folder or pattern of pictures, raw samples with --size or a name such as "
            "clip_1920x1080_50fps.yuv, or - for standard input.",
            show_default=False,
        ),
    ],
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
    verify: Annotated[
        bool, typer.Option("--verify", help="Decode while encoding; refuse a file whose pictures differ.")
    ] = False,
    psnr: Annotated[bool, typer.Option("--psnr", help="Decode while encoding and report the PSNR reached.")] = False,
    model: Annotated[str, typer.Option(help="Name of the model; see scaleflow models.")] = "default",
    weights: options.Weights = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
    precision: Annotated[options.Precision, typer.Option(help="Arithmetic of the networks.")] = options.Precision.fp32,
    start: options.Start = 0.0,
    duration: options.Duration = None,
    frames: options.Frames = None,
    size: Annotated[str | None, typer.Option(help="WIDTHxHEIGHT of raw input.", show_default=False)] = None,
    fps: Annotated[
        str | None,
        typer.Option(help="Frame rate of raw input or pictures, or instead of the input's.", show_default=False),
    ] = None,
    pix_fmt: Annotated[
        str | None, typer.Option(help="FFmpeg's pixel format of raw input.", show_default="yuv420p")
    ] = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> None:
    """Encode a video to an .sfv file."""
    from codec.encode_request import check_request
    from codec.encode_settings import DEFAULT_QUALITY, EncodeSettings

    check_json(json, output)
    no_goal = quality is None and bitrate is None and bpp is None and target_psnr is None
    settings = EncodeSettings(
        quality=DEFAULT_QUALITY if no_goal else quality,
        bitrate=None if bitrate is None else parse_bitrate(bitrate),
        bits_per_pixel=bpp,
        target_psnr=target_psnr,
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
    video = _source(source, size, fps, pix_fmt)
    check_request(video, output, settings)
    _check_input(source)

    from codec.encode_file import encode_file
    from codec.models.registry import load_model

    set_threads(threads)
    with StopRequest() as stop:
        loaded = load_model(model, device=device, precision=precision.value, weights=weights)
        with ProgressReport(json) as report:
            summary = encode_file(
                video, output, loaded, settings, progress=lambda now: show_encoding(report, now), stop=stop.is_set
            )
    _report("standard output" if output == "-" else output, summary, json)
    if summary.interrupted:
        raise typer.Exit(stop.exit_code)


def _source(path: str, size: str | None, fps: str | None, pix_fmt: str | None) -> VideoSource:
    from codec.encode_request import VideoSource
    from codec.video.raw_format import RawVideoFormat

    frame_rate = None if fps is None else parse_frame_rate(fps)
    if size is None:
        if pix_fmt is not None:
            raise UsageError("--pix-fmt is for raw input: say its --size and --fps too")
        return VideoSource(path, frame_rate=frame_rate)
    if frame_rate is None:
        raise UsageError("raw input has no frame rate: say it with --fps")
    width, height = parse_size(size)
    return VideoSource(path, raw=RawVideoFormat(width, height, frame_rate, pix_fmt or "yuv420p"))


def _check_input(path: str) -> None:
    """Refuse a name that is plainly nothing before the networks are loaded; patterns are left to the reader."""
    if path != "-" and not Path(path).exists() and not set(path) & set("%*?["):
        raise UsageError(f"{path}: there is no such file")


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
    speed = summary.pictures / summary.seconds
    console.print(
        f"{output}: {summary.pictures} pictures ({summary.key_frames} key frames), {size_text(summary.file_bytes)}, "
        f"{bitrate_text(summary.bitrate)}, {summary.bits_per_pixel:.4f} bpp, "
        f"quality {summary.mean_quality:.4g}{reached}, {speed:.1f} pictures/s",
        markup=False,
    )
