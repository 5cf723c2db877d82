"""``scaleflow diffusion restore``."""

from __future__ import annotations

import time
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from scaleflow.cli import options
from scaleflow.cli.console import ProgressReport, print_json
from scaleflow.cli.diffusion_run import Seed, load_adaptor, load_restoration
from scaleflow.cli.threads import set_threads
from scaleflow.errors import UsageError


class AdaptorKind(str, Enum):
    """What stands in for the low resolution."""

    identity = "identity"
    learned = "learned"


def restore(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="An .sfv file, or any video.", show_default=False)],
    output: Annotated[
        Path, typer.Argument(metavar="OUTPUT", help="As for decode: mp4, mkv, y4m...", show_default=False)
    ],
    run: Annotated[Path, typer.Option(help="Folder of scaleflow diffusion train.", show_default=False)],
    steps: Annotated[int, typer.Option(min=1, max=1000, help="Steps of each picture's trajectory.")] = 8,
    clock: Annotated[
        str | None,
        typer.Option(
            help="Compute only some steps in full: every n-th, as in 2, or 'period=2 first=1 pattern=alternating' "
            "(or last, or middle).",
            show_default="all in full; the adaptor's own with --adaptor learned",
        ),
    ] = None,
    adaptor: Annotated[
        AdaptorKind,
        typer.Option(help="What stands in on the other steps; learned is that of scaleflow diffusion distill."),
    ] = AdaptorKind.identity,
    seed: Seed = 0,
    frames: options.Frames = None,
    lossless: Annotated[bool, typer.Option("--lossless", help="As for decode.")] = False,
    device: options.Device = "auto",
    threads: options.Threads = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> None:
    """Restore the pictures of a video that was coded at low quality."""
    from scaleflow.codec.decoding.file import DecodeSettings
    from scaleflow.codec.decoding.stream_model import load_stream_model
    from scaleflow.efficient_nets.clockwork.clock import Clock, parse_clock
    from scaleflow.efficient_nets.clockwork.network import ClockworkUNet
    from scaleflow.efficient_nets.clockwork.restore_video import RestoreSettings, restore_file
    from scaleflow.efficient_nets.clockwork.split import UNetSplit

    settings = RestoreSettings(steps, seed, DecodeSettings(frames=frames, lossless=lossless, overwrite=overwrite))
    chosen = Clock(period=1) if clock is None else parse_clock(clock)
    if not source.is_file():
        raise UsageError(f"{source}: there is no such file")
    model = load_restoration(run, device)
    learned = load_adaptor(run, model) if adaptor is AdaptorKind.learned else None
    if learned is not None:
        chosen = learned.clock if clock is None else chosen
        if learned.steps != steps:
            raise UsageError(f"{run}: its adaptor was distilled for {learned.steps} steps: use --steps {learned.steps}")
    set_threads(threads)
    split = UNetSplit(model.unet, learned.cut if learned is not None else 1)
    network = ClockworkUNet(split, chosen, learned.adaptor.to(model.deviation.device) if learned is not None else None)
    started = time.monotonic()
    with ProgressReport(json) as report:

        def show(pictures: int, of: int | None) -> None:
            seconds = time.monotonic() - started
            record = {"pictures": pictures, "seconds": round(seconds, 3)}
            report.update("restore", pictures, of, seconds, f"{pictures} pictures", record)

        count = restore_file(
            source,
            output,
            model,
            network,
            settings,
            lambda header: load_stream_model(header, device=device),
            show,
        )
    if json:
        print_json({"event": "summary", "pictures": count, "seconds": time.monotonic() - started})
