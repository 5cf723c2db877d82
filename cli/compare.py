"""``scaleflow compare``."""

from __future__ import annotations

import csv
import io
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scaleflow.cli import options, region_options
from scaleflow.cli.console import ProgressReport, print_json
from scaleflow.cli.threads import set_threads
from scaleflow.cli.values import parse_frame_rate
from scaleflow.errors import DataError, UsageError

if TYPE_CHECKING:
    from scaleflow.codec.decoding.file import DecodeSummary
    from scaleflow.evaluation.metrics.comparison import Comparison

STREAM_SUFFIX = ".sfv"


def compare(
    original: Annotated[str, typer.Argument(metavar="ORIGINAL", help="A video, or a folder of pictures.")],
    decoded: Annotated[str, typer.Argument(metavar="DECODED", help="What came of it; an .sfv file is decoded first.")],
    metrics: Annotated[
        str,
        typer.Option(
            help="Names with commas between: psnr, ms-ssim, lpips, vmaf, xpsnr, or single ones such as psnr-y."
        ),
    ] = "psnr",
    frames: Annotated[
        int | None, typer.Option(min=1, help="Most pictures to compare, from the first on.", show_default="all")
    ] = None,
    fps: Annotated[
        str | None,
        typer.Option(help="Frame rate of folders of pictures and of raw video.", show_default="25, or by the name"),
    ] = None,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", help="Write the values of each picture to this file.", show_default=False)
    ] = None,
    *,
    masks: region_options.MaskOptions,
    measuring: options.MetricOptions,
    limits: options.LimitOptions,
    decoder: options.ShownOptions,
    machine: options.MachineOptions,
    written: options.OutputOptions,
) -> None:
    """Measure how far a decoded video is from its original; pictures are matched by time, and none may be missing.

    With masks or boxes, psnr, ms-ssim and lpips are also taken within the region of interest and outside.
    """
    from scaleflow.evaluation.metrics.comparison import compare as compare_files
    from scaleflow.evaluation.metrics.names import expand_metrics
    from scaleflow.output_file import check_output, write_whole_file

    names = expand_metrics([name.strip() for name in metrics.split(",") if name.strip()])
    frame_rate = parse_frame_rate(fps) if fps is not None else None
    if "-" in (original, decoded):
        raise UsageError("videos to compare are read from files, not from standard input")
    if csv_file is not None:
        check_output(str(csv_file), written.overwrite)
    region = region_options.open_region(masks)
    set_threads(machine.threads)

    with (
        ProgressReport(use_json=False) as report,
        _playable(decoded, frames, report, decoder, machine.device, limits.max_pixels) as played,
    ):

        def show(done: int, total: int | None) -> None:
            report.update("compare", done, total, 0.0, f"{done} pictures", {})

        found = compare_files(
            Path(original),
            played,
            names,
            frames=frames,
            lpips_backbone=measuring.lpips_backbone,
            ffmpeg=measuring.ffmpeg,
            frame_rate=frame_rate,
            decoded_name=decoded,
            open_masks=region,
            max_pixels=limits.max_pixels,
            progress=show if not written.json else None,
        )
    if csv_file is not None:
        write_whole_file(str(csv_file), _table(found).encode(), written.overwrite)
    if written.json:
        print_json(_record(original, decoded, found))
    else:
        for line in _lines(original, decoded, found):
            typer.echo(line)


@contextmanager
def _playable(
    decoded: str,
    frames: int | None,
    report: ProgressReport,
    decoder: options.ShownOptions,
    device: str,
    max_pixels: int,
) -> Iterator[Path]:
    """The decoded video; of an .sfv file, a lossless one that is made for as long as it is compared."""
    load = decoder.loader(device)
    if Path(decoded).suffix.lower() != STREAM_SUFFIX:
        if decoder.decoder is not options.DecoderKind.fidelity:
            raise UsageError(f"--decoder {decoder.decoder.value} decodes {STREAM_SUFFIX} files, {decoded} is none")
        yield Path(decoded)
        return

    from scaleflow.cli.decode import show_decoding
    from scaleflow.codec.decoding.file import DecodeSettings, decode_file

    with tempfile.TemporaryDirectory() as folder:
        # Matroska keeps uneven times, which y4m does not.
        played = Path(folder) / f"{Path(decoded).stem}.mkv"
        summary = decode_file(
            decoded,
            played,
            load,
            DecodeSettings(frames=frames, lossless=True, max_pixels=max_pixels),
            progress=lambda now: show_decoding(report, "decode", now),
        )
        _check_sound(decoded, summary)
        yield played


def _check_sound(decoded: str, summary: DecodeSummary) -> None:
    if not summary.is_sound:
        raise DataError(
            f"{decoded}: is damaged in {summary.damage_count} places; what stands in for lost pictures is not measured"
        )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _worst(found: Comparison, name: str) -> tuple[int, float] | None:
    """Number and value of the worst picture that has a finite value."""
    from scaleflow.evaluation.metrics.names import LOWER_IS_BETTER

    values = [(value, number) for number, value in enumerate(found.frames[name]) if math.isfinite(value)]
    if not values:
        return None
    value, number = max(values, key=lambda item: item[0]) if name in LOWER_IS_BETTER else min(values)
    return number, value


def _record(original: str, decoded: str, found: Comparison) -> dict[str, Any]:
    worst = {name: _worst(found, name) for name in found.frames}
    return {
        "original": original,
        "decoded": decoded,
        "width": found.width,
        "height": found.height,
        "pictures": len(found.times),
        "identical": found.identical,
        "region_areas": found.region_areas,
        "means": {name: _finite(value) for name, value in found.means.items()},
        "worst": {
            name: None if place is None else {"picture": place[0], "time": found.times[place[0]], "value": place[1]}
            for name, place in worst.items()
        },
        "notes": list(found.notes),
        "times": found.times,
        "frames": {name: [_finite(value) for value in values] for name, values in found.frames.items()},
    }


def _table(found: Comparison) -> str:
    """CSV of the values of each picture; inf where samples are identical, empty where there is no value."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["picture", "time", *found.frames])
    for number, (time, *values) in enumerate(zip(found.times, *found.frames.values(), strict=True)):
        writer.writerow([number, time, *("" if math.isnan(value) else value for value in values)])
    return text.getvalue()


def _lines(original: str, decoded: str, found: Comparison) -> list[str]:
    from scaleflow.evaluation.metrics.names import OF_MEAN_MSE

    count = len(found.times)
    same = f", {found.identical} of them identical" if found.identical else ""
    lines = [f"{decoded}, compared with {original}", f"  {found.width}x{found.height}, {count} pictures{same}"]
    if found.region_areas is not None:
        empty, mean = found.region_areas.count(0.0), 100 * sum(found.region_areas) / count
        without = f", empty in {empty} pictures" if empty else ""
        lines.append(f"  region of {mean:.1f} % of the picture{without}")
    lines.append("")
    width = max(12, *map(len, found.frames))
    has_errors = any(name.endswith(OF_MEAN_MSE) for name in found.means)
    heading = f"  {'':<{width}}{'mean':>14}" + (f"{'of mean MSE':>14}" if has_errors else "")
    lines.append(f"{heading}   worst picture")
    for name in found.frames:
        line = f"  {name:<{width}}{_text(name, found.means[name]):>14}"
        if has_errors:
            line += f"{_text(name, found.means[name + OF_MEAN_MSE]) if name + OF_MEAN_MSE in found.means else '':>14}"
        place = _worst(found, name)
        if place is not None:
            number, value = place
            line += f"   {_text(name, value)} at {found.times[number]:.3f} s (picture {number})"
        lines.append(line.rstrip())
    left_out = [name for name in found.frames if any(map(math.isinf, found.frames[name])) and _worst(found, name)]
    if left_out:
        lines += ["", f"  Means of {', '.join(left_out)} leave out pictures where these are identical."]
    if found.notes:
        lines += ["", *(f"  {note}" for note in found.notes)]
    return lines


def _text(name: str, value: float) -> str:
    from scaleflow.evaluation.metrics.names import is_in_decibels

    if math.isinf(value):
        return "identical"
    if math.isnan(value):
        return "none"
    return f"{value:.3f} dB" if is_in_decibels(name) else f"{value:.2f}" if name == "vmaf" else f"{value:.5f}"
