"""``scaleflow train``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from scaleflow.cli import options
from scaleflow.cli.console import console, print_json
from scaleflow.cli.extra_packages import require_training_packages
from scaleflow.cli.interruption import StopRequest
from scaleflow.errors import UsageError

if TYPE_CHECKING:
    from scaleflow.training.codec.configuration import TrainingConfig
    from scaleflow.training.loop.loop import TrainingProgress

SHOWN = {"loss": ".3f", "bpp": ".3f", "error": ".1f", "network loss": ".4f"}


@dataclass(frozen=True)
class RunOptions:
    """Which run, and from what configuration."""

    PANEL: ClassVar[str] = "Run"

    out: Annotated[Path, typer.Option(help="Folder of the run: checkpoints, configuration, TensorBoard files.")] = Path(
        "run"
    )
    config: Annotated[
        Path | None, typer.Option(help="A YAML file to start from instead of a preset.", show_default=False)
    ] = None
    preset: Annotated[
        str, typer.Option(help="adversarial, default, finetune, perceptual, roi, ssf2020, task or tiny.")
    ] = "default"
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --out, as it was set up.")] = False
    show: Annotated[bool, typer.Option("--show", help="Print the resolved configuration and stop.")] = False


@dataclass(frozen=True)
class TrainingMachineOptions:
    """What it runs on."""

    PANEL: ClassVar[str] = "Machine"

    processes: Annotated[
        int, typer.Option(min=1, max=256, help="Processes on this machine; under torchrun, leave it at 1.")
    ] = 1
    device: options.Device = "auto"
    threads: Annotated[
        int, typer.Option(min=1, max=1024, help="Threads of each process; with more than one, resuming is not exact.")
    ] = 1


def train(
    changes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...",
            help="Changes of the configuration, such as data.path=videos stages.intra.steps=5000.",
            show_default=False,
        ),
    ] = None,
    *,
    run: RunOptions,
    machine: TrainingMachineOptions,
    printed: options.JsonOptions,
) -> None:
    """Train a codec on Vimeo-90k, on a folder of videos, or on what another configuration says."""
    require_training_packages()
    resolved = resolve(changes or [], run.out, run.config, run.preset, run.resume)
    if run.show:
        typer.echo(resolved.to_yaml(), nl=False)
        return
    from scaleflow.cli.training_processes import launch

    with StopRequest() as stop:
        done = launch(
            resolved,
            run.out,
            resume=run.resume,
            device=machine.device,
            processes=machine.processes,
            threads=machine.threads,
            report=_print_json if printed.json else _print_line,
            stop=stop.is_set,
        )
    if not done:
        console.print(f"scaleflow: stopped; continue with: scaleflow train --resume --out {run.out}", markup=False)
        raise typer.Exit(stop.exit_code)


def resolve(changes: list[str], out: Path, config: Path | None, preset_name: str, resume: bool) -> TrainingConfig:
    """The configuration that a command line asks for. Raises :class:`UsageError`."""
    from scaleflow.training.codec.configuration_file import configuration_of, preset
    from scaleflow.training.loop.configuration_file import override

    values, source = starting_values(out, config, preset_name, resume, preset)
    override(values, changes)
    return configuration_of(values, source)


def starting_values(
    out: Path, config: Path | None, preset_name: str, resume: bool, preset: Callable[[str], dict[str, Any]]
) -> tuple[dict[str, Any], str]:
    """Values before any change, and where they are from: the run to resume, a file, or a preset.

    Raises:
        UsageError: there is no such run, file or preset.
    """
    from scaleflow.training.loop.configuration_file import read_yaml

    if resume:
        if config is not None:
            raise UsageError("--resume continues with the configuration of the run: leave --config out")
        config = out / "config.yaml"
        if not config.exists():
            raise UsageError(f"{out}: holds no run to resume: leave --resume out to start one")
    return (preset(preset_name), f"preset {preset_name}") if config is None else (read_yaml(config), str(config))


def _print_line(progress: TrainingProgress) -> None:
    parts = [f"{name} {progress.scalars[name]:{form}}" for name, form in SHOWN.items() if name in progress.scalars]
    minutes, seconds = divmod(round(progress.seconds_left), 60)
    pace = f"{progress.scalars['seconds a step']:.2f} s a step, {minutes}:{seconds:02} left"
    typer.echo(f"{progress.stage.name} {progress.step}/{progress.stage.steps}: {', '.join(parts)}, {pace}")


def _print_json(progress: TrainingProgress) -> None:
    record = {"event": "progress", "stage": progress.stage.name, "step": progress.step, "of": progress.stage.steps}
    print_json(record | progress.scalars | {"seconds_left": progress.seconds_left})
