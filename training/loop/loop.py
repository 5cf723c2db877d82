"""The training loop: stages, steps, checkpoints; the same for every model, and for any number of processes.

Nothing random has a state: the noise of a step follows from (seed, stage, step, micro-batch), its clips from their
numbers. So a run that was stopped and resumed gives the same weights as one that was not, and two processes give those
of one, but for the order in which floating-point numbers are added. On a CPU that holds with one thread for each
process: with more, a few convolutions add in an order that changes from run to run.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

import numpy as np
import torch
from torch import nn

from scaleflow.errors import DataError, UsageError
from scaleflow.partial_file import only_writer
from scaleflow.training.loop.checkpoint import load_checkpoint, save_checkpoint
from scaleflow.training.loop.distributed import Processes
from scaleflow.training.loop.moving_average import MovingAverage
from scaleflow.training.loop.parts import (
    Batch,
    BatchSource,
    LoopConfig,
    MicroBatch,
    ParameterGroup,
    Result,
    Stage,
    Trainable,
)

logger = logging.getLogger(__name__)

LAST_CHECKPOINT = "last.ckpt"


@dataclass(frozen=True)
class TrainingProgress(Generic[Stage, Result]):
    """Where a run stands; ``scalars`` are means since the last report, ``seconds_left`` those of the stage."""

    stage: Stage
    step: int
    scalars: dict[str, float]
    seconds_left: float
    last: Result


@dataclass(frozen=True)
class LoopHooks(Generic[Stage, Result]):
    """What happens beside the steps, on the first process: reports, and validation with the averaged weights."""

    report: Callable[[TrainingProgress[Stage, Result]], None] = lambda progress: None
    validate: Callable[[Stage, int], None] = lambda stage, step: None


class TrainingLoop(Generic[Stage, Batch, Result]):
    """One run in one folder."""

    def __init__(
        self,
        config: LoopConfig[Stage],
        model: Trainable[Stage, Batch, Result],
        batches: BatchSource[Stage, Batch],
        folder: Path,
        processes: Processes,
        hooks: LoopHooks[Stage, Result] | None = None,
    ) -> None:
        self._config, self._model, self._batches = config, model, batches
        self._folder, self._processes = folder, processes
        self._hooks = hooks or LoopHooks()
        self._stage_number, self._step = 0, 0
        self.seconds: dict[str, float] = {}
        self._optimizer_state: dict[str, Any] | None = None
        self._average_state: dict[str, object] | None = None
        model.network.to(processes.device)

    @property
    def checkpoint(self) -> Path:
        """The last one."""
        return self._folder / LAST_CHECKPOINT

    def resume(self) -> None:
        """Continue from the last checkpoint of the folder.

        Raises:
            UsageError: there is none, or it is of another model or other stages.
            DataError: it is damaged.
        """
        state = load_checkpoint(self.checkpoint)
        ours, theirs = self._config.to_mapping(), state["config"]
        for key in self._config.kept_when_resumed:
            if theirs.get(key) != ours[key]:
                raise UsageError(
                    f"{self.checkpoint}: was made with other settings of {key}; resume with the configuration beside "
                    "it, or start a new run from it with model.start"
                )
        try:
            self._model.network.load_state_dict(state["network"])
        except RuntimeError as error:
            said = str(error).splitlines()[-1].strip()
            raise DataError(f"{self.checkpoint}: does not fit the network as configured: {said}") from error
        self._stage_number, self._step, self.seconds = state["stage"], state["step"], state["seconds"]
        self._optimizer_state, self._average_state = state["optimizer"], state["average"]

    def run(self, stop: Callable[[], bool] = lambda: False) -> bool:
        """Train until all stages are done. Returns False where ``stop`` asked to end before, with a checkpoint.

        Raises:
            UsageError: another process trains in the folder.
        """
        if not self._processes.is_first:
            return self._run_stages(stop)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{self._folder}: cannot be made: {error.strerror}") from error
        with only_writer(self._folder):
            return self._run_stages(stop)

    def _run_stages(self, stop: Callable[[], bool]) -> bool:
        while self._stage_number < len(self._config.stages):
            if not self._run_stage(self._config.stages[self._stage_number], stop):
                return False
            self._stage_number, self._step = self._stage_number + 1, 0
            self._optimizer_state = self._average_state = None
        return True

    def _run_stage(self, stage: Stage, stop: Callable[[], bool]) -> bool:
        if self._step == 0 and self._optimizer_state is None:
            self._start(stage, self._batches.start(self._stage_number, stage))
        groups = self._model.parameter_groups(stage)
        named = {name: p for group in groups for name, p in zip(group.names, group.parameters, strict=True)}
        optimizer = torch.optim.Adam(
            [{"params": group.parameters, "rate": group.rate} for group in groups],
            lr=stage.learning_rate_at(0),
            betas=self._config.optimization.betas,
        )
        average = MovingAverage(named, self._config.optimization.average)
        if self._optimizer_state is not None and self._average_state is not None:
            try:
                optimizer.load_state_dict(self._optimizer_state)
                average.load_state(self._average_state)
            except (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
                raise DataError(f"{self.checkpoint}: is damaged: its optimizer's state does not fit") from error
        self._model.network.train()
        runner = _StepRunner(self._config, self._model, self._processes, groups, optimizer)
        report = _Reporter(self._config, stage, self._hooks.report, self._processes)
        started, seconds_before = time.monotonic(), self.seconds.get(stage.name, 0.0)
        every, validate_every = self._config.checkpoint_every, self._config.validation.every
        for parts in self._batches.steps(self._stage_number, stage, self._step):
            if self._processes.any(stop()):
                self._save(optimizer, average)
                return False
            result, scalars = runner.run(self._stage_number, stage, self._step, parts)
            average.update()
            self._step += 1
            self.seconds[stage.name] = seconds_before + time.monotonic() - started
            report.add(self._step, scalars, result)
            if self._step == stage.steps:
                break
            if self._step % every == 0:
                self._save(optimizer, average)
            if validate_every and self._step % validate_every == 0:
                self._validate(stage, average)
        self._finish_stage(stage, optimizer, average)
        return True

    def _start(self, stage: Stage, batches: Iterator[Batch]) -> None:
        """The first process measures; the others are given its weights."""
        if self._processes.is_first:
            self._model.start(stage, batches)
        self._processes.share_weights(self._model.network)

    def _finish_stage(self, stage: Stage, optimizer: torch.optim.Optimizer, average: MovingAverage) -> None:
        """What follows, validation included, goes on from the averaged weights."""
        if self._config.optimization.average:
            average.keep()
        self._step = stage.steps
        self._save(optimizer, average, self._folder / f"{stage.name}.ckpt")
        self._validate(stage, average)
        following = self._stage_number + 1
        self._save(None, None, position=(following, 0))

    def _validate(self, stage: Stage, average: MovingAverage) -> None:
        if self._processes.is_first:
            self._model.network.eval()
            if self._config.optimization.average:
                with average.applied():
                    self._hooks.validate(stage, self._step)
            else:
                self._hooks.validate(stage, self._step)
            self._model.network.train()
        self._processes.wait()

    def _save(
        self,
        optimizer: torch.optim.Optimizer | None,
        average: MovingAverage | None,
        path: Path | None = None,
        position: tuple[int, int] | None = None,
    ) -> None:
        stage, step = position or (self._stage_number, self._step)
        if self._processes.is_first:
            state = {
                "config": self._config.to_mapping(),
                "network": self._model.network.state_dict(),
                "stage": stage,
                "step": step,
                "seconds": self.seconds,
                "optimizer": optimizer.state_dict() if optimizer else None,
                "average": average.state() if average else None,
            }
            save_checkpoint(path or self.checkpoint, state)
        self._processes.wait()


class _StepRunner(Generic[Stage, Batch, Result]):
    """One optimizer step: forward and backward of this process's parts, the mean over all, the guard, the update."""

    def __init__(
        self,
        config: LoopConfig[Stage],
        model: Trainable[Stage, Batch, Result],
        processes: Processes,
        groups: list[ParameterGroup],
        optimizer: torch.optim.Optimizer,
    ) -> None:
        self._config, self._model, self._processes = config, model, processes
        self._parameters = [parameter for group in groups for parameter in group.parameters]
        self._clipped = [parameter for group in groups if group.clipped for parameter in group.parameters]
        self._optimizer = optimizer
        self._skipped = 0

    def run(
        self, stage_number: int, stage: Stage, step: int, parts: list[MicroBatch[Batch]]
    ) -> tuple[Result, dict[str, float]]:
        """Returns the last part's result, and the scalars of the whole step."""
        for group in self._optimizer.param_groups:
            group["lr"] = stage.learning_rate_at(step) * group["rate"]
        self._optimizer.zero_grad(set_to_none=True)
        sums: dict[str, float] = {}
        for part in parts:
            torch.manual_seed(_noise_seed(self._config.seed, stage_number, step, part.number))
            result = self._model.step(part.clips, stage)
            (result.loss * part.share).backward()
            for key, value in {"loss": float(result.loss.detach()), **result.scalars}.items():
                sums[key] = sums.get(key, 0.0) + part.share * value
        self._processes.average_gradients(self._parameters)
        norm = nn.utils.clip_grad_norm_(self._clipped, self._config.optimization.clip_norm)
        if torch.isfinite(norm):
            self._skipped = 0
            self._optimizer.step()
        else:
            self._skip(stage, step)
        sums = self._processes.sum_scalars(sums)
        return result, {**sums, "gradient norm": float(norm), "learning rate": stage.learning_rate_at(step)}

    def _skip(self, stage: Stage, step: int) -> None:
        self._skipped += 1
        logger.warning("stage %s, step %d: the gradient is not finite; the step is skipped", stage.name, step)
        if self._skipped >= self._config.optimization.most_skipped:
            raise DataError(
                f"stage {stage.name}: {self._skipped} successive steps without a finite gradient: lower "
                f"stages.{stage.name}.learning_rate or optimization.clip_norm, and resume from the last checkpoint"
            )


class _Reporter(Generic[Stage, Result]):
    """Means of the scalars since the last report."""

    def __init__(
        self,
        config: LoopConfig[Stage],
        stage: Stage,
        report: Callable[[TrainingProgress[Stage, Result]], None],
        processes: Processes,
    ) -> None:
        self._config, self._stage, self._report, self._processes = config, stage, report, processes
        self._sums: dict[str, float] = {}
        self._count, self._since = 0, time.monotonic()

    def add(self, step: int, scalars: dict[str, float], result: Result) -> None:
        """Note a step, and report where it is time."""
        for key, value in scalars.items():
            self._sums[key] = self._sums.get(key, 0.0) + value
        self._count += 1
        if step % self._config.log_every and step != self._stage.steps:
            return
        seconds = (time.monotonic() - self._since) / self._count
        if self._processes.is_first:
            means = {key: value / self._count for key, value in self._sums.items()}
            left = seconds * (self._stage.steps - step)
            self._report(TrainingProgress(self._stage, step, {**means, "seconds a step": seconds}, left, result))
        self._sums, self._count, self._since = {}, 0, time.monotonic()


def _noise_seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]) >> 1
