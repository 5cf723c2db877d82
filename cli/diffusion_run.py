"""What the verbs of ``scaleflow diffusion`` share: their options, what they load, how steps are told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scaleflow.cli.console import print_json

if TYPE_CHECKING:
    from scaleflow.codec.models.video_model import VideoModel
    from scaleflow.efficient_nets.clockwork.weights_file import TrainedAdaptor
    from scaleflow.efficient_nets.diffusion.restoration import RestorationDiffusion
    from scaleflow.training.loop.loop import TrainingProgress
    from scaleflow.training.loop.parts import StepLoss
    from scaleflow.training.loop.single_stage import SingleStage

PRESET_PACKAGE = "scaleflow.training.restoration.presets"

Resume = Annotated[bool, typer.Option("--resume", help="Continue a run that was stopped, as it was set up.")]
Show = Annotated[bool, typer.Option("--show", help="Print the resolved configuration and stop.")]
Changes = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Changes of the configuration.", show_default=False),
]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of scaleflow diffusion train.", show_default=False)]
Threads = Annotated[int, typer.Option(min=1, max=1024, help="Threads; with more than one, resuming is not exact.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the noise that all pictures start from.")]


def load_codec(device: str) -> VideoModel:
    """The default codec, whose pictures are restored."""
    from scaleflow.codec.models import registry

    return registry.load_model(registry.DEFAULT_MODEL, device=device)


def load_restoration(run: Path, device: str) -> RestorationDiffusion:
    """What a run trained. Raises :class:`UsageError` where it has no weights, :class:`DataError` for damaged ones."""
    from scaleflow.codec.models.registry import choose_device
    from scaleflow.efficient_nets.diffusion.weights_file import read_restoration, weights_of_run

    return read_restoration(weights_of_run(run)).model.to(choose_device(device))


def load_adaptor(run: Path, model: RestorationDiffusion) -> TrainedAdaptor:
    """What was distilled for the model. Raises :class:`UsageError` where nothing was, :class:`DataError` where it was
    for other weights."""
    from scaleflow.codec.models.weights_hash import hash_tensors
    from scaleflow.efficient_nets.clockwork.weights_file import ADAPTOR_FOLDER, ADAPTOR_WEIGHTS, read_adaptor

    return read_adaptor(run / ADAPTOR_FOLDER / ADAPTOR_WEIGHTS, hash_tensors(model.state_dict()))


def print_step(progress: TrainingProgress[SingleStage, StepLoss]) -> None:
    """A line for people."""
    minutes, seconds = divmod(round(progress.seconds_left), 60)
    identity = progress.scalars.get("identity")
    beside = "" if identity is None else f" (identity {identity:.4f})"
    pace = f"{progress.scalars['seconds a step']:.2f} s a step, {minutes}:{seconds:02} left"
    typer.echo(f"{progress.step}/{progress.stage.steps}: loss {progress.scalars['loss']:.4f}{beside}, {pace}")


def print_step_as_json(progress: TrainingProgress[SingleStage, StepLoss]) -> None:
    """A line for programs."""
    record = {"event": "progress", "step": progress.step, "of": progress.stage.steps}
    print_json(record | progress.scalars | {"seconds_left": progress.seconds_left})
