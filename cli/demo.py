"""``scaleflow demo``: a real clip, encoded and decoded, beside x264 at the same size."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from scaleflow.cli import options
from scaleflow.cli.console import ProgressReport
from scaleflow.cli.decode import show_decoding
from scaleflow.cli.encode import show_encoding
from scaleflow.cli.interruption import StopRequest
from scaleflow.cli.threads import set_threads
from scaleflow.errors import UsageError

PICTURE_NAME = "scaleflow-demo.png"


def demo(
    out: Annotated[Path, typer.Option(help="Folder that the picture is written to.")] = Path("."),
    frames: Annotated[int, typer.Option(min=1, max=250, help="Pictures of the clip to encode.")] = 64,
    quality: Annotated[float, typer.Option("--quality", "-q", min=0, max=63, help="Quality 0..63.")] = 28.0,
    *,
    machine: options.MachineOptions,
    overwrite: options.Overwrite = False,
) -> None:
    """Encode and decode a real clip, compare with x264 at the same size, and write a picture to look at."""
    picture = out / PICTURE_NAME
    if not out.is_dir():
        raise UsageError(f"{out}: is no folder; create it first")
    if picture.exists() and not overwrite:
        raise UsageError(f"{picture}: exists already; choose another folder with --out or pass --overwrite")

    from scaleflow.cli import demo_material

    clip, program = demo_material.find_clip(), demo_material.find_ffmpeg()

    from scaleflow.codec.decoding.file import decode_file
    from scaleflow.codec.encoding.file import encode_file
    from scaleflow.codec.encoding.settings import EncodeSettings
    from scaleflow.codec.models.registry import load_model

    set_threads(machine.threads)
    with tempfile.TemporaryDirectory() as name, StopRequest() as stop:
        folder = Path(name)
        original, coded, decoded = folder / "original.y4m", folder / "coded.sfv", folder / "decoded.y4m"
        demo_material.cut_clip(program, clip, frames, original)
        model = load_model(device=machine.device)
        with ProgressReport(use_json=False) as report:
            ours = encode_file(
                original,
                coded,
                model,
                EncodeSettings(quality=quality),
                progress=lambda now: show_encoding(report, now),
                stop=stop.is_set,
            )
            if ours.interrupted:
                raise typer.Exit(stop.exit_code)
            decoding = decode_file(
                coded, decoded, lambda header: model, progress=lambda now: show_decoding(report, "decode", now)
            )
        theirs = demo_material.encode_x264(program, original, ours.file_bytes, folder)
        if stop.is_set():
            raise typer.Exit(stop.exit_code)
        psnr = [demo_material.mean_psnr(original, file) for file in (decoded, theirs.decoded)]
        sizes = [file.stat().st_size for file in (coded, theirs.coded)]
        videos = {
            "original": (original, ""),
            "ScaleFlow": (decoded, f"{psnr[0]:.2f} dB"),
            "x264": (theirs.decoded, f"{psnr[1]:.2f} dB"),
        }
        demo_material.draw_comparison(videos, ours.pictures * 3 // 4, picture)

    samples = 8 * ours.file_bytes / ours.bits_per_pixel
    speeds = (f"{ours.pictures / ours.seconds:.1f}", f"{decoding.pictures / decoding.seconds:.1f}")
    typer.echo(f"{clip.name}, first {ours.pictures} pictures, {ours.duration:.2f} s")
    _print_table(
        [
            ("", "bytes", "kbit/s", "bpp", "PSNR-YUV dB", "encode fps", "decode fps"),
            _row(f"ScaleFlow, quality {quality:g}", sizes[0], ours.duration, samples, psnr[0], *speeds),
            _row(
                f"x264 medium zerolatency, crf {theirs.crf:g}", sizes[1], ours.duration, samples, psnr[1],
                f"{ours.pictures / theirs.seconds:.1f}", "",
            ),
        ]
    )  # fmt: skip
    typer.echo(f"wrote {picture}")


def _row(
    name: str, size: int, duration: float, samples: float, psnr: float, encode_speed: str, decode_speed: str
) -> tuple[str, ...]:
    rates = (str(size), f"{8 * size / duration / 1000:.1f}", f"{8 * size / samples:.4f}")
    return (name, *rates, f"{psnr:.2f}", encode_speed, decode_speed)


def _print_table(rows: Iterable[tuple[str, ...]]) -> None:
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        typer.echo("  ".join(cells).rstrip())
