"""The training loop of runs with one stage: networks for tasks, diffusion models, adaptors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol

from scaleflow.training.loop.distributed import Processes
from scaleflow.training.loop.loop import LoopHooks, TrainingLoop, TrainingProgress
from scaleflow.training.loop.parts import Batch, BatchSource, LoopConfig, Stage, StageOf, StepLoss, Trainable
from scaleflow.training.loop.run_folder import CONFIGURATION, write_text


class SingleStageConfig(LoopConfig[StageOf], Protocol[StageOf]):
    """What is read of a configuration."""

    def to_yaml(self) -> str:
        """The text that :mod:`scaleflow.training.loop.configuration_file` reads."""


@dataclass(frozen=True)
class RunOptions(Generic[Stage]):
    """How a run goes on, and who is told of it.

    Attributes:
        resume: from the checkpoint in its folder.
        device: see :func:`scaleflow.codec.models.registry.choose_device`.
        report: of the steps.
        validated: is given the step and what was measured, where there is data to validate on.
        stop: whether to end at the next step.
    """

    resume: bool = False
    device: str = "auto"
    report: Callable[[TrainingProgress[Stage, StepLoss]], None] = lambda progress: None
    validated: Callable[[int, dict[str, float]], None] = lambda step, measures: None
    stop: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class FinishedSteps:
    """What all steps took, and the last measures; empty where nothing was validated."""

    seconds: float
    measures: dict[str, float]


def run_single_stage(
    config: SingleStageConfig[Stage],
    model: Trainable[Stage, Batch, StepLoss],
    batches: BatchSource[Stage, Batch],
    folder: Path,
    processes: Processes,
    measure: Callable[[], dict[str, float]] | None,
    options: RunOptions[Stage],
) -> FinishedSteps | None:
    """All steps that are left, with the configuration saved beside the checkpoints.

    Args:
        measure: with the weights as they are; None where there is no data for it.

    Returns:
        None where ``options.stop`` asked to end before.

    Raises:
        DataError: a checkpoint cannot be read or written, or data not be trained on.
    """
    measures: dict[str, float] = {}

    def check(stage: Stage, step: int) -> None:
        if measure is not None:
            measures.clear()
            measures.update(measure())
            options.validated(step, dict(measures))

    if processes.is_first:
        write_text(folder / CONFIGURATION, config.to_yaml())
    hooks: LoopHooks[Stage, StepLoss] = LoopHooks(options.report, check)
    loop: TrainingLoop[Stage, Batch, StepLoss] = TrainingLoop(config, model, batches, folder, processes, hooks)
    if options.resume:
        loop.resume()
    if not loop.run(options.stop):
        return None
    return FinishedSteps(loop.seconds[config.stages[0].name], measures)
