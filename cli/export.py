"""``scaleflow export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scaleflow.cli import options
from scaleflow.cli.console import print_json
from scaleflow.cli.extra_packages import require_training_packages


def export(
    checkpoint: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="Of scaleflow train.", show_default=False)],
    output: Annotated[
        Path, typer.Argument(metavar="OUTPUT", help="The .safetensors file to write.", show_default=False)
    ],
    calibration: Annotated[
        list[Path] | None,
        typer.Option(help="A clip on which to measure what freezing costs; may be repeated.", show_default=False),
    ] = None,
    frames: Annotated[int, typer.Option(min=1, help="Pictures of each calibration clip.")] = 8,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> None:
    """Make a weights file of a checkpoint: for encode --weights; of ssf2020 for --model ssf2020:PATH; of region
    networks for --roi-weights. Where the encoder alone was trained, the shipped decoder decodes what it encodes."""
    require_training_packages()
    from dataclasses import asdict

    from scaleflow.training.codec.export import export_checkpoint

    report = export_checkpoint(checkpoint, output, calibration or (), frames=frames, overwrite=overwrite)
    if json:
        print_json({"event": "export", **asdict(report), "path": str(report.path)})
        return
    typer.echo(f"{report.path}: {report.file_bytes / 1e6:.1f} MB, {report.parameters / 1e6:.2f} million parameters")
    for cost in report.costs:
        typer.echo(
            f"quality {cost.quality:g}: integer priors {100 * cost.integer_rate:+.2f} % rate, float16 transforms "
            f"{100 * cost.half_rate:+.2f} % rate and {cost.half_psnr:+.3f} dB"
        )
