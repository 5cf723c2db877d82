"""``scaleflow pack``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from scaleflow.cli import options
from scaleflow.cli.console import ProgressReport, print_json
from scaleflow.cli.extra_packages import require_training_packages


def pack(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="A folder of videos, or what --kind says.", show_default=False)
    ],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="The folder to make.", show_default=False)],
    clips: Annotated[int, typer.Option(min=1, help="How many.")] = 2000,
    frames: Annotated[
        int | None, typer.Option(min=1, max=100, help="Pictures of each.", show_default="7, of images 1")
    ] = None,
    crop: Annotated[int, typer.Option(min=64, max=4096, help="Side of the square crops, a multiple of 64.")] = 192,
    stride: Annotated[int, typer.Option(min=1, max=16, help="Largest distance in time between pictures.")] = 3,
    kind: Annotated[str, typer.Option(help="What SOURCE is: videos, vimeo or images.")] = "videos",
    shards: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Write tar files of N clips instead of arrays.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another one makes other clips.")] = 0,
    json: options.Json = False,
) -> None:
    """Cut clips for training once, so that nothing is decoded between the steps (data.kind=packed or shards)."""
    require_training_packages()
    from scaleflow.training.data.configuration import DataConfig
    from scaleflow.training.data.packed import pack_clips
    from scaleflow.training.data.shards import write_shards
    from scaleflow.training.data.sources import open_source
    from scaleflow.training.loop.configuration_file import checked_configuration

    # mirrored and reversed at random when they are read
    values = {"kind": kind, "path": str(source), "crop": crop, "stride": stride, "flip": False, "reverse": False}
    data = checked_configuration(DataConfig, values, "pack")
    clip_source = open_source(data)
    frames = frames or (1 if kind == "images" else 7)
    started = time.monotonic()
    with ProgressReport(json) as progress:

        def report(done: int) -> None:
            seconds = time.monotonic() - started
            progress.update("pack", done, clips, seconds, f"{done} of {clips} clips", {"clips": done, "of": clips})

        if shards is None:
            pack_clips(clip_source, output, clips, frames, data, seed, report)
        else:
            write_shards(clip_source, output, clips, shards, frames, data, seed, report)
    size = sum(path.stat().st_size for path in output.iterdir())
    if json:
        print_json({"event": "summary", "output": str(output), "clips": clips, "bytes": size})
    else:
        form = "packed" if shards is None else "shards"
        typer.echo(f"{output}: {clips} clips, {size / 1e6:.1f} MB; train with data.kind={form} data.path={output}")
