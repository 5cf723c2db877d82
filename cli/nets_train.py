"""``scaleflow nets train``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scaleflow.cli import options
from scaleflow.cli.console import console, print_json
from scaleflow.cli.extra_packages import require_training_packages
from scaleflow.cli.interruption import StopRequest
from scaleflow.cli.threads import set_threads
from scaleflow.errors import UsageError

if TYPE_CHECKING:
    from scaleflow.training.loop.loop import TrainingProgress
    from scaleflow.training.loop.parts import StepLoss
    from scaleflow.training.networks.configuration import NetworkStage, NetworkTrainingConfig

PRESETS = ("default", "tiny")

TASKS = "segmentation, foreground, keypoints, instances, detection, restoration or action"


def train(
    task: Annotated[
        str | None,
        typer.Argument(
            metavar="TASK",
            help=f"{TASKS}; left out with --resume.",
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
            help="Folder of the data: images and labels, or Cityscapes' layout (segmentation), DAVIS's layout "
            "(foreground), DeepLabCut's (keypoints), a COCO .json file (instances, detection), a folder of videos for "
            "each class (action), or pictures and videos (restoration).",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder of the run: checkpoint, configuration, weights, model card.")
    ] = Path("run"),
    network: Annotated[
        str | None,
        typer.Option(
            help="resnet (plain 3x3 convolutions), efficientnet-lite0, unet, vit-tiny, vit-small, vit-base, "
            "these with -skipat, or an FFNet such as ffnet-40s; a name that is none gives the list.",
            show_default="resnet",
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            help="Weights to start from: random, imagenet (efficientnet-lite0), a run's folder, a .safetensors file "
            "of a run, or torchvision's .pth of a ResNet.",
            show_default="random",
        ),
    ] = None,
    coded: Annotated[
        str | None,
        typer.Option(
            help="Train on pictures that the shipped codec has coded at these qualities, such as 4,12,24, as well as "
            "on those that are not coded.",
            show_default="as they are",
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="A YAML file to start from instead of a preset.", show_default=False)
    ] = None,
    preset: Annotated[str, typer.Option(help="default or tiny.")] = "default",
    method: Annotated[
        str | None,
        typer.Option(
            help="Train a network for video on clips, from a dense one in --start: a method and its settings, such as "
            "'skip-conv gate=learned' or 'delta-distillation gamma=4'.",
            show_default="dense",
        ),
    ] = None,
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
        "data.coded": f"[{coded}]" if coded is not None else None,
    }
    given = [f"{key}={value}" for key, value in shortcuts.items() if value is not None]
    given += _method_changes(method)
    given += ([task] if task is not None and "=" in task else []) + (changes or [])
    resolved = _resolve(given, out, config, preset, resume)
    if show:
        typer.echo(resolved.to_yaml(), nl=False)
        return
    from scaleflow.training.loop.single_stage_loop import RunOptions
    from scaleflow.training.networks.run import train_network

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
        told = RunOptions(resume, device, _print_json if json else _print_line, validated, stop.is_set)
        done = train_network(resolved, out, told)
    if not done:
        console.print(f"scaleflow: stopped; continue with: scaleflow nets train --resume --out {out}", markup=False)
        raise typer.Exit(stop.exit_code)


def _method_changes(text: str | None) -> list[str]:
    """The part of the configuration that a method and its settings stand for."""
    if text is None:
        return []
    from scaleflow.efficient_nets.methods.settings_text import parse_settings

    name, *words = text.split() or [""]
    settings = parse_settings(words)
    if len(settings) > 1:
        raise UsageError(f"--method {text!r}: a run trains one setting; give each a single value")
    return [f"method.name={name}", *(f"method.settings.{word}" for word in words)]


def _resolve(
    changes: list[str], out: Path, config: Path | None, preset_name: str, resume: bool
) -> NetworkTrainingConfig:
    from scaleflow.cli.train import starting_values
    from scaleflow.efficient_nets.networks.known_networks import NETWORKS
    from scaleflow.training.loop.configuration_file import checked_configuration, override, preset
    from scaleflow.training.networks.configuration import NetworkTrainingConfig

    def of_preset(name: str) -> dict[str, Any]:
        return preset(name, PRESETS, "scaleflow.training.networks.presets")

    values, source = starting_values(out, config, preset_name, resume, of_preset)
    if not resume and "task" not in values and not any(change.startswith("task.name=") for change in changes):
        raise UsageError(f"name the task: {TASKS}")
    override(values, changes)
    resolved = checked_configuration(NetworkTrainingConfig, values, source)
    given = [name.strip() for name, _, _ in (change.partition("=") for change in changes)]
    NETWORKS[resolved.network.name].check_given(name[8:] for name in given if name.startswith("network."))
    return resolved


def _print_line(progress: TrainingProgress[NetworkStage, StepLoss]) -> None:
    minutes, seconds = divmod(round(progress.seconds_left), 60)
    pace = f"{progress.scalars['seconds a step']:.2f} s a step, {minutes}:{seconds:02} left"
    typer.echo(f"{progress.step}/{progress.stage.steps}: loss {progress.scalars['loss']:.3f}, {pace}")


def _print_json(progress: TrainingProgress[NetworkStage, StepLoss]) -> None:
    record = {"event": "progress", "step": progress.step, "of": progress.stage.steps}
    print_json(record | progress.scalars | {"seconds_left": progress.seconds_left})
