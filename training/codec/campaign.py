"""A training of many days in stages, resumed by one command: ``python -m scaleflow.training.codec.campaign FOLDER``.

``FOLDER/campaign.yaml`` has a list of stages, each a training configuration with one stage of its own (see
:mod:`scaleflow.training.codec.configuration`) beside what all share::

    held_out: {path: held-out, clips: 32}
    common: {model: {name: recurrent}, checkpoint_every: 100, log_every: 20}
    stages:
      - {data: {kind: pool, path: pool}, stage: {name: intra, trains: intra, steps: 20000}}
      - {data: {kind: pool, path: pool}, stage: {name: inter, trains: inter, steps: 20000, unroll: [3, 4]}}

The command does whatever is due: it resumes the first stage that is not complete, or starts it from the weights that
the one before ended with. A stage's length, learning rate and data may be changed in the file between two runs, and
stages may be added. ``FOLDER/log.jsonl`` has a line for each report: stage, step, time, core-hours of the campaign
(processor time of the training processes, whatever else the machine did), training loss and what is logged with it, or
the loss on held-out clips. All paths are relative to the folder. Under ``torchrun`` the clips of a step are shared
among its processes.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar

import torch
from pydantic import ConfigDict, TypeAdapter, ValidationError

from scaleflow.errors import DataError, ScaleFlowError, UsageError
from scaleflow.training.codec.clip_batches import ClipBatches
from scaleflow.training.codec.configuration import StageConfig, TrainingConfig
from scaleflow.training.codec.held_out import HeldOutClips
from scaleflow.training.codec.models.trainable import TrainableModel
from scaleflow.training.codec.run import make_model
from scaleflow.training.data.configuration import DataConfig
from scaleflow.training.data.sources import open_source
from scaleflow.training.loop.distributed import join_processes
from scaleflow.training.loop.loop import LAST_CHECKPOINT, LoopHooks, TrainingLoop, TrainingProgress
from scaleflow.training.loop.precision import with_precision
from scaleflow.training.loop.run_folder import write_text
from scaleflow.training.yaml_text import read_yaml_file

logger = logging.getLogger(__name__)

SETTINGS = "campaign.yaml"
LOG = "log.jsonl"
STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True)
class CampaignTraining(TrainingConfig):
    """A stage as a run of its own; its length, learning rate and data may change when it is resumed."""

    kept_when_resumed: ClassVar[Sequence[str]] = ("model", "seed")


@dataclass(frozen=True)
class HeldOutConfig:
    """Packed clips that are held out of training, and how many of them are measured."""

    __pydantic_config__ = STRICT

    path: str
    clips: int = 32


@dataclass(frozen=True)
class CampaignStage:
    """One stage, and where its clips come from; ``settings`` replace those that all stages share."""

    __pydantic_config__ = STRICT

    stage: StageConfig
    data: DataConfig
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CampaignConfig:
    """See the module."""

    __pydantic_config__ = STRICT

    stages: tuple[CampaignStage, ...]
    held_out: HeldOutConfig | None = None
    common: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [part.stage.name for part in self.stages]
        if not names or len(set(names)) != len(names):
            raise UsageError(f"stages = {names}: at least one is needed, each with a name of its own")


def load_campaign(folder: Path) -> CampaignConfig:
    """The settings of a campaign.

    Raises:
        UsageError: there are none, or they are not valid.
    """
    path = folder / SETTINGS
    try:
        return TypeAdapter(CampaignConfig).validate_python(read_yaml_file(path))
    except ValidationError as error:
        raise UsageError(f"{path}: {error}") from error


class Campaign:
    """The stages of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._config = load_campaign(folder)

    def run(self, device: str = "auto") -> bool:
        """Do what is due, to the end of the last stage. Returns False where it was interrupted."""
        start = "transform"
        for part in self._config.stages:
            end = self.final_checkpoint(part.stage.name)
            if end.exists():
                logger.info("stage %s is complete", part.stage.name)
            elif not self._run_stage(part, start, device):
                return False
            start = str(end)
        return True

    def final_checkpoint(self, stage: str) -> Path:
        """What a stage leaves when it is complete."""
        return self._folder / stage / f"{stage}.ckpt"

    def training(self, part: CampaignStage, start: str) -> CampaignTraining:
        """The configuration of one stage, which starts from ``start``."""
        settings = {**self._config.common, **part.settings}
        model = {**settings.pop("model", {}), "start": start}
        known = {**settings, "model": model}
        config = TypeAdapter(CampaignTraining).validate_python({**known, "stages": [part.stage]})
        return replace(config, data=self._resolved(part.data))

    def _resolved(self, data: DataConfig) -> DataConfig:
        parts = tuple(replace(part, path=str(self._folder / part.path)) for part in data.parts)
        return replace(data, path=str(self._folder / data.path) if data.path else "", parts=parts)

    def _run_stage(self, part: CampaignStage, start: str, device: str) -> bool:
        folder = self._folder / part.stage.name
        resumed = (folder / LAST_CHECKPOINT).exists()
        with join_processes(device) as processes:
            config = with_precision(self.training(part, start), processes.device)
            model = make_model(config)
            source = open_source(config.data)
            logger.info(
                "stage %s, %s: %s", part.stage.name, "resumed" if resumed else f"from {start}", source.describe()
            )
            batches = ClipBatches(config, source, model.working_format, processes)
            folder.mkdir(parents=True, exist_ok=True)
            write_text(folder / "config.yaml", config.to_yaml())
            record = _Record(self._folder, self._held_out(config), model, processes.count)
            loop = TrainingLoop(config, model, batches, folder, processes, record.hooks)
            if resumed:
                loop.resume()
            return loop.run(_interrupted())

    def _held_out(self, config: TrainingConfig) -> HeldOutClips | None:
        held_out = self._config.held_out
        return HeldOutClips(self._folder / held_out.path, held_out.clips, config.data.crop) if held_out else None


def read_log(folder: Path) -> list[dict[str, Any]]:
    """All reports of a campaign; lines that an interruption cut are left out."""
    try:
        lines = (folder / LOG).read_text().splitlines()
    except FileNotFoundError:
        return []
    whole = []
    for line in lines:
        try:
            whole.append(json.loads(line))
        except json.JSONDecodeError:
            logger.warning("%s: a damaged line is left out", folder / LOG)
    return whole


class _Record:
    """Writes the log, and measures held-out clips."""

    def __init__(self, folder: Path, held_out: HeldOutClips | None, model: TrainableModel, processes: int) -> None:
        self._path, self._held_out, self._model, self._processes = folder / LOG, held_out, model, processes
        self._hours_before = max((line["core hours"] for line in read_log(folder)), default=0.0)
        self._started = time.process_time()

    @property
    def hooks(self) -> LoopHooks:
        """For the loop."""
        return LoopHooks(self._reported, self._validated)

    def _reported(self, progress: TrainingProgress) -> None:
        scalars = {key: round(value, 5) for key, value in progress.scalars.items()}
        self._write(progress.stage.name, progress.step, {"training": scalars})
        logger.info(
            "%s %d of %d: loss %.4f, %.2f bpp, %.2f s a step, %.1f h left",
            progress.stage.name,
            progress.step,
            progress.stage.steps,
            progress.scalars["loss"],
            progress.scalars["bpp"],
            progress.scalars["seconds a step"],
            progress.seconds_left / 3600,
        )

    def _validated(self, stage: StageConfig, step: int) -> None:
        if self._held_out is None:
            return
        measured = self._held_out.measure(self._model, stage)
        self._write(stage.name, step, {"held out": {key: round(value, 5) for key, value in measured.items()}})
        logger.info("%s %d: held-out loss %.4f, %.2f bpp", stage.name, step, measured["loss"], measured["bpp"])

    def _write(self, stage: str, step: int, what: dict[str, Any]) -> None:
        hours = self._hours_before + self._processes * (time.process_time() - self._started) / 3600
        known = {"stage": stage, "step": step, "time": round(time.time()), "core hours": round(hours, 5)}
        line = json.dumps({**known, **what})
        try:
            with self._path.open("a") as file:
                file.write(line + "\n")
        except OSError as error:
            raise DataError(f"{self._path}: cannot be written: {error.strerror}") from error


class _interrupted:
    """Whether the process was asked to end: it does so with a checkpoint."""

    def __init__(self) -> None:
        self._asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked = True

    def __call__(self) -> bool:
        return self._asked


def main() -> int:
    """Run the campaign of the folder that the command line names."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    if len(sys.argv) != 2:
        logger.error("usage: python -m scaleflow.training.codec.campaign FOLDER")
        return 2
    try:
        done = Campaign(Path(sys.argv[1])).run()
    except ScaleFlowError as error:
        logger.error("%s", error)
        return 1
    logger.info("all stages are complete" if done else "interrupted; the same command goes on")
    return 0


if __name__ == "__main__":
    sys.exit(main())
