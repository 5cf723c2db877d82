"""``scaleflow diffusion train`` and ``scaleflow diffusion distill``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scaleflow.cli import options
from scaleflow.cli.console import console, print_json
from scaleflow.cli.diffusion_run import (
    PRESET_PACKAGE,
    Changes,
    Resume,
    Run,
    Show,
    Threads,
    load_codec,
    print_step,
    print_step_as_json,
)
from scaleflow.cli.extra_packages import require_training_packages
from scaleflow.cli.interruption import StopRequest
from scaleflow.cli.threads import set_threads

if TYPE_CHECKING:
    from scaleflow.training.restoration.configuration import DiffusionTrainingConfig, DistillationConfig

PRESETS = ("small", "tiny")


def train(
    videos: Annotated[
        str | None,
        typer.Argument(metavar="FOLDER", help="Folder of videos; left out with --resume.", show_default=False),
    ] = None,
    changes: Changes = None,
    out: Annotated[Path, typer.Option(help="Folder of the run: pairs, checkpoint, configuration, weights.")] = Path(
        "run"
    ),
    preset: Annotated[str, typer.Option(help="small or tiny.")] = "small",
    resume: Resume = False,
    show: Show = False,
    device: options.Device = "auto",
    threads: Threads = 1,
    json: options.Json = False,
) -> None:
    """Train a diffusion model that restores what ScaleFlow's codec makes of videos at low quality.

    The codec makes pairs of original and decoded patches once; they are kept in the run's folder.
    """
    require_training_packages()
    is_change = videos is not None and "=" in videos
    given = [f"data.path={videos}"] if videos is not None and not is_change else []
    resolved = _training_configuration(
        [*given, *([str(videos)] if is_change else []), *(changes or [])], out, preset, resume
    )
    if show:
        typer.echo(resolved.to_yaml(), nl=False)
        return
    from scaleflow.training.loop.single_stage_loop import RunOptions
    from scaleflow.training.restoration.run import train_restoration

    set_threads(threads)

    def validated(step: int, measures: dict[str, float]) -> None:
        if json:
            print_json({"event": "validation", "step": step, "measures": measures})
        else:
            typer.echo(f"validation at step {step}: loss {measures['loss']:.4f}")

    def coded(done: int, total: int) -> None:
        if json:
            print_json({"event": "coded", "clips": done, "of": total})
        elif done == total or done % 16 == 0:
            typer.echo(f"pairs: {done}/{total} clips coded")

    with StopRequest() as stop:
        told = RunOptions(resume, device, print_step_as_json if json else print_step, validated, stop.is_set)
        finished = train_restoration(resolved, out, lambda: load_codec(device), told, coded=coded)
    if not finished:
        console.print(
            f"scaleflow: stopped; continue with: scaleflow diffusion train --resume --out {out}", markup=False
        )
        raise typer.Exit(stop.exit_code)


def distill(
    run: Run,
    changes: Changes = None,
    resume: Resume = False,
    show: Show = False,
    device: options.Device = "auto",
    threads: Threads = 1,
    json: options.Json = False,
) -> None:
    """Teach an adaptor to stand in for the low resolution of a run's UNet, for one clock and number of steps."""
    require_training_packages()
    resolved = _distillation_configuration(changes or [], run, resume)
    if show:
        typer.echo(resolved.to_yaml(), nl=False)
        return
    from scaleflow.training.loop.single_stage_loop import RunOptions
    from scaleflow.training.restoration.run import distill_adaptor

    set_threads(threads)
    with StopRequest() as stop:
        report = print_step_as_json if json else print_step
        finished = distill_adaptor(resolved, run, RunOptions(resume, device, report, stop=stop.is_set))
    if not finished:
        console.print(f"scaleflow: stopped; continue with: scaleflow diffusion distill {run} --resume", markup=False)
        raise typer.Exit(stop.exit_code)


def _training_configuration(changes: list[str], out: Path, preset_name: str, resume: bool) -> DiffusionTrainingConfig:
    from scaleflow.cli.train import starting_values
    from scaleflow.efficient_nets.diffusion.unet import small_unet, tiny_unet
    from scaleflow.training.loop.configuration_file import checked_configuration, override, preset
    from scaleflow.training.restoration.configuration import DiffusionTrainingConfig

    networks = {"small": small_unet, "tiny": tiny_unet}

    def of_preset(name: str) -> dict[str, Any]:
        values = preset(name, PRESETS, PRESET_PACKAGE)
        return {"network": asdict(networks[name]())} | values

    values, source = starting_values(out, None, preset_name, resume, of_preset)
    override(values, changes)
    return checked_configuration(DiffusionTrainingConfig, values, source)


def _distillation_configuration(changes: list[str], run: Path, resume: bool) -> DistillationConfig:
    from scaleflow.cli.train import starting_values
    from scaleflow.efficient_nets.clockwork.weights_file import ADAPTOR_FOLDER
    from scaleflow.training.loop.configuration_file import checked_configuration, override, preset
    from scaleflow.training.restoration.configuration import DistillationConfig

    def of_preset(name: str) -> dict[str, Any]:
        return preset(name, (name,), PRESET_PACKAGE)

    values, source = starting_values(run / ADAPTOR_FOLDER, None, "distill", resume, of_preset)
    override(values, changes)
    return checked_configuration(DistillationConfig, values, source)
