"""``scaleflow diffusion eval``."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scaleflow.cli import options
from scaleflow.cli.console import ProgressReport, print_json
from scaleflow.cli.diffusion_run import Run, Seed, load_adaptor, load_codec, load_restoration
from scaleflow.cli.threads import set_threads
from scaleflow.errors import UsageError
from scaleflow.optional_packages import require_packages

if TYPE_CHECKING:
    from scaleflow.evaluation.restoration.coded_clip import CodedClip

VIDEO_SUFFIXES = (".264", ".avi", ".mkv", ".mov", ".mp4", ".webm", ".y4m")


def evaluate(
    run: Run,
    data: Annotated[Path, typer.Option(help="A video, or a folder of videos.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder for the tables.", show_default=False)],
    quality: Annotated[float, typer.Option(min=0, max=63, help="Of the codec.")] = 4.0,
    steps: Annotated[int, typer.Option(min=2, max=1000, help="Steps of the full trajectory.")] = 8,
    clock: Annotated[int, typer.Option(min=2, max=1000, help="Every how-many-th step is computed in full.")] = 2,
    crop: Annotated[
        int, typer.Option(min=0, help="Side of the square in the middle of pictures that is taken; 0 for all of them.")
    ] = 0,
    first: Annotated[int, typer.Option(min=0, help="Number of the first picture of each video.")] = 0,
    frames: Annotated[int, typer.Option(min=1, help="Most pictures of each video.")] = 4,
    seed: Seed = 0,
    lpips_backbone: Annotated[
        Path | None,
        typer.Option(help="AlexNet's ImageNet weights for LPIPS, as torchvision names them.", show_default=False),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, max=1024, help="Threads of the networks.")] = 1,
    json: options.Json = False,
) -> None:
    """Measure full sampling, fewer steps, and clocks with either adaptor beside each other, on the CPU.

    The codec codes and decodes the pictures first. MACs, time, LPIPS, PSNR, and a Fréchet distance of AlexNet's
    features, which is no FID.
    """
    require_packages("LPIPS", "evaluate", ("lpips", "torchvision"))
    from scaleflow.adversarial.lpips_network import LEAST_SIDE, find_backbone, load_lpips
    from scaleflow.efficient_nets.clockwork.weights_file import ADAPTOR_FOLDER, ADAPTOR_WEIGHTS
    from scaleflow.evaluation.restoration.evaluate import measure_settings, standard_settings
    from scaleflow.evaluation.restoration.tables import markdown_table, write_tables

    if crop and crop < LEAST_SIDE:
        raise UsageError(f"--crop {crop}: {LEAST_SIDE} and more are needed, for LPIPS")
    model = load_restoration(run, "cpu")
    has_adaptor = (run / ADAPTOR_FOLDER / ADAPTOR_WEIGHTS).is_file()
    adaptor = load_adaptor(run, model) if has_adaptor else None
    backbone = find_backbone(lpips_backbone)
    set_threads(threads)
    clips = _code_clips(data, quality, first, frames, crop)
    size = (clips[0].original[0].shape[1], clips[0].original[0].shape[2])
    settings = standard_settings(model, steps, clock, size, adaptor)
    points = []
    started = time.monotonic()
    with ProgressReport(use_json=False) as report:

        def show(done: int, total: int) -> None:
            report.update("measure", done, total, time.monotonic() - started, f"{done}/{total} settings", {})

        for point in measure_settings(model, clips, settings, load_lpips(backbone), seed, show):
            points.append(point)
            if json:
                print_json({"event": "point"} | asdict(point))
    pictures = sum(len(clip.original) for clip in clips)
    rate = sum(clip.bits_per_pixel for clip in clips) / len(clips)
    heading = (
        f"{pictures} pictures of {', '.join(clip.name for clip in clips)}, {size[1]}x{size[0]}, quality {quality:g}, "
        f"{rate:.3f} bits a pixel, {threads} thread{'s' if threads > 1 else ''}:"
    )
    write_tables(points, heading, out)
    if not json:
        typer.echo("\n".join([heading, "", *markdown_table(points)]))


def _code_clips(data: Path, quality: float, first: int, frames: int, crop: int) -> list[CodedClip]:
    from scaleflow.evaluation.restoration.coded_clip import code_clip

    if not data.exists():
        raise UsageError(f"--data {data}: there is no such file or folder")
    paths = [data]
    if data.is_dir():
        paths = sorted(path for path in data.iterdir() if path.suffix.lower() in VIDEO_SUFFIXES)
        if not paths:
            raise UsageError(f"--data {data}: holds no videos ({', '.join(VIDEO_SUFFIXES)})")
    codec = load_codec("cpu")
    return [code_clip(path, codec, quality, first=first, frames=frames, crop=crop) for path in paths]
