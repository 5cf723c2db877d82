"""The training loop as all networks for tasks run it: one stage, and measures of the task beside the steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from training.distributed import Processes
from training.loop import LoopHooks, TrainingLoop, TrainingProgress
from training.loop_parts import BatchSource, StepLoss, Trainable
from training.networks.batches import LabelledBatch
from training.networks.configuration import NetworkStage, NetworkTrainingConfig
from training.run import CONFIGURATION, write_text

NetworkProgress = TrainingProgress[NetworkStage, StepLoss]


@dataclass(frozen=True)
class RunOptions:
    """How a run goes on, and who is told of it.

    Attributes:
        resume: from the checkpoint in its folder.
        device: see :func:`codec.models.registry.choose_device`.
        report: of the steps.
        validated: is given the step and the measures of the task, where there is data to validate on.
        stop: whether to end at the next step.
    """

    resume: bool = False
    device: str = "auto"
    report: Callable[[NetworkProgress], None] = lambda progress: None
    validated: Callable[[int, dict[str, float]], None] = lambda step, measures: None
    stop: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class FinishedSteps:
    """What all steps took, and the last measures; empty where nothing was validated."""

    seconds: float
    measures: dict[str, float]


def run_network_loop(
    config: NetworkTrainingConfig,
    model: Trainable[NetworkStage, LabelledBatch, StepLoss],
    batches: BatchSource[NetworkStage, LabelledBatch],
    folder: Path,
    processes: Processes,
    measure: Callable[[], dict[str, float]] | None,
    options: RunOptions,
) -> FinishedSteps | None:
    """All steps that are left, with the configuration saved beside the checkpoints.

    Args:
        measure: the task, with the weights as they are; None where there is no data for it.

    Returns:
        None where ``options.stop`` asked to end before.

    Raises:
        DataError: a checkpoint cannot be read or written, or data not be trained on.
    """
    measures: dict[str, float] = {}

    def check(stage: NetworkStage, step: int) -> None:
        if measure is not None:
            measures.clear()
            measures.update(measure())
            options.validated(step, dict(measures))

    if processes.is_first:
        write_text(folder / CONFIGURATION, config.to_yaml())
    hooks: LoopHooks[NetworkStage, StepLoss] = LoopHooks(options.report, check)
    loop: TrainingLoop[NetworkStage, LabelledBatch, StepLoss] = TrainingLoop(
        config, model, batches, folder, processes, hooks
    )
    if options.resume:
        loop.resume()
    if not loop.run(options.stop):
        return None
    return FinishedSteps(loop.seconds[config.training.name], measures)
