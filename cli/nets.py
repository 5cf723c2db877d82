"""``scaleflow nets``: networks for tasks, and how they run on video."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options
from cli.console import console, print_json
from cli.interruption import StopRequest
from cli.threads import set_threads
from cli.training_packages import require_training_packages
from codec.errors import UsageError

if TYPE_CHECKING:
    from training.networks.configuration import NetworkTrainingConfig
    from training.networks.run import NetworkProgress

app = typer.Typer(
    help="Networks for tasks (segmentation, keypoints, ...): train them, and measure what they cost on video.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

PRESETS = ("default", "tiny")


@app.command("train")
def train(
    task: Annotated[
        str | None,
        typer.Argument(
            metavar="TASK",
            help="segmentation, foreground, keypoints or instances; left out with --resume.",
            show_default=False,
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...",
            help="Changes of the configuration, such as training.steps=5000 network.width=64.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the data: images and labels (segmentation), DAVIS's layout (foreground), DeepLabCut's "
            "(keypoints), or a COCO .json file (instances).",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder of the run: checkpoint, configuration, weights, model card.")
    ] = Path("run"),
    network: Annotated[
        str | None,
        typer.Option(help="resnet (plain 3x3 convolutions) or efficientnet-lite0.", show_default="resnet"),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            help="Weights to start from: random, imagenet (efficientnet-lite0), a run's folder, a .safetensors file "
            "of a run, or torchvision's .pth of a ResNet.",
            show_default="random",
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="A YAML file to start from instead of a preset.", show_default=False)
    ] = None,
    preset: Annotated[str, typer.Option(help="default or tiny.")] = "default",
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --out, as it was set up.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Print the resolved configuration and stop.")] = False,
    device: options.Device = "auto",
    threads: options.Threads = None,
    json: options.Json = False,
) -> None:
    """Train a network for a task."""
    require_training_packages()
    shortcuts = {
        "task.name": task if task is None or "=" not in task else None,
        "data.path": data,
        "network.name": network,
        "network.start": start,
    }
    given = [f"{key}={value}" for key, value in shortcuts.items() if value is not None]
    given += ([task] if task is not None and "=" in task else []) + (changes or [])
    resolved = _resolve(given, out, config, preset, resume)
    if show:
        typer.echo(resolved.to_yaml(), nl=False)
        return
    from training.networks.run import train_network

    set_threads(threads)

    def validated(step: int, measures: dict[str, float]) -> None:
        known = {name: value for name, value in measures.items() if math.isfinite(value)}
        if json:
            print_json({"event": "validation", "step": step, "measures": known})
        else:
            typer.echo(
                f"validation at step {step}: {', '.join(f'{name} {value:.1f}' for name, value in known.items())}"
            )

    with StopRequest() as stop:
        done = train_network(
            resolved,
            out,
            resume=resume,
            device=device,
            report=_print_json if json else _print_line,
            validated=validated,
            stop=stop.is_set,
        )
    if not done:
        console.print(f"scaleflow: stopped; continue with: scaleflow nets train --resume --out {out}", markup=False)
        raise typer.Exit(stop.exit_code)


def _resolve(
    changes: list[str], out: Path, config: Path | None, preset_name: str, resume: bool
) -> NetworkTrainingConfig:
    from cli.train import starting_values
    from training.configuration_file import checked_configuration, override, preset
    from training.networks.configuration import NetworkTrainingConfig

    def of_preset(name: str) -> dict[str, Any]:
        return preset(name, PRESETS, "training.network_presets")

    values, source = starting_values(out, config, preset_name, resume, of_preset)
    if not resume and "task" not in values and not any(change.startswith("task.name=") for change in changes):
        raise UsageError("name the task: segmentation, foreground, keypoints or instances")
    override(values, changes)
    return checked_configuration(NetworkTrainingConfig, values, source)


def _print_line(progress: NetworkProgress) -> None:
    minutes, seconds = divmod(round(progress.seconds_left), 60)
    pace = f"{progress.scalars['seconds a step']:.2f} s a step, {minutes}:{seconds:02} left"
    typer.echo(f"{progress.step}/{progress.stage.steps}: loss {progress.scalars['loss']:.3f}, {pace}")


def _print_json(progress: NetworkProgress) -> None:
    record = {"event": "progress", "step": progress.step, "of": progress.stage.steps}
    print_json(record | progress.scalars | {"seconds_left": progress.seconds_left})
