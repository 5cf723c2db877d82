"""A training run of a network for action recognition; beside :mod:`training.networks.run`, which is for pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from codec.errors import DataError, UsageError
from efficient_nets.frame_exit.pooled_backbone import PooledBackbone
from efficient_nets.frame_exit.weights_file import (
    ActionNetwork,
    GatedNetwork,
    is_action_network,
    read_action_network,
    write_action_network,
)
from efficient_nets.networks.weights_file import RUN_WEIGHTS, load_backbone_alone, weights_of_run
from efficient_nets.tasks.action import ActionData, clip_size, open_action_data
from training.distributed import join_processes
from training.loop import LoopHooks, TrainingLoop, TrainingProgress
from training.loop_parts import StepLoss
from training.networks.action_training import ActionSamples, ActionTraining, validate_action
from training.networks.batches import LabelledBatch, LabelledBatches
from training.networks.configuration import NetworkStage, NetworkTrainingConfig
from training.networks.model_card import action_card
from training.run import CARD, CONFIGURATION, check_run_folder, write_text


def train_action(
    config: NetworkTrainingConfig,
    folder: Path,
    *,
    resume: bool = False,
    device: str = "auto",
    report: Callable[[TrainingProgress[NetworkStage, StepLoss]], None] = lambda progress: None,
    validated: Callable[[int, dict[str, float]], None] = lambda step, measures: None,
    stop: Callable[[], bool] = lambda: False,
) -> bool:
    """See :func:`training.networks.run.train_network`, which is this where the task is ``action``."""
    check_run_folder(folder, resume)
    training, validation = _open_data(config)
    config = _with_sizes(config, training)
    with join_processes(device) as processes:
        torch.manual_seed(config.seed)
        architecture = config.network.architecture()
        gated = GatedNetwork(architecture, config.action.network(len(training.classes)), config.action.strictness)
        if not resume:
            _load(gated, config.network.start)
        samples = ActionSamples(training, config.data, config.action.frames, config.seed)
        batches = LabelledBatches(samples, config.training, config.data.workers, processes)
        model = ActionTraining(gated, config.optimization.precision)
        measures: dict[str, float] = {}

        def check(stage: NetworkStage, step: int) -> None:
            if validation is None:
                return
            measures.clear()
            measures.update(validate_action(gated, validation, config.data.size, config.validation.frames))
            validated(step, dict(measures))

        if processes.is_first:
            write_text(folder / CONFIGURATION, config.to_yaml())
        hooks: LoopHooks[NetworkStage, StepLoss] = LoopHooks(report, check)
        loop: TrainingLoop[NetworkStage, LabelledBatch, StepLoss] = TrainingLoop(
            config, model, batches, folder, processes, hooks
        )
        if resume:
            loop.resume()
        done = loop.run(stop)
        if done and processes.is_first:
            trained = ActionNetwork(training.classes, architecture, gated.network.config, config.data.size, gated)
            write_action_network(folder / RUN_WEIGHTS, trained)
            seconds = loop.seconds[config.training.name]
            write_text(folder / CARD, action_card(config, training, gated, seconds, measures))
        return done


def _open_data(config: NetworkTrainingConfig) -> tuple[ActionData, ActionData | None]:
    if not config.data.path:
        raise UsageError("data.path is empty: name the folder of the data with --data")
    path = Path(config.data.path)
    training = open_action_data(path, "train")
    if config.data.hold_out:
        return training.without(config.data.hold_out), training.chosen(config.data.hold_out)
    if config.data.validation:
        validation = open_action_data(Path(config.data.validation), "val")
    elif (path / "val").is_dir() and (path / "train").is_dir():
        validation = open_action_data(path, "val")
    else:
        return training, None
    if validation.classes != training.classes:
        raise DataError(f"{validation.place}: has other classes than {training.place}")
    return training, validation


def _with_sizes(config: NetworkTrainingConfig, data: ActionData) -> NetworkTrainingConfig:
    size = config.data.size if config.data.size != (0, 0) else clip_size(data.clips[0].path)
    crop = config.data.crop if config.data.crop != (0, 0) else size
    return replace(config, data=replace(config.data, size=size, crop=crop))


def _load(gated: GatedNetwork, start: str) -> None:
    """All of a network of the same form, or a backbone."""
    path = weights_of_run(Path(start)) if Path(start).is_dir() else Path(start)
    if path.is_file() and is_action_network(path):
        try:
            gated.load_state_dict(read_action_network(path).gated.state_dict())
        except RuntimeError as error:
            said = str(error).splitlines()[-1].strip()
            raise DataError(f"{path}: does not fit the network as configured: {said}") from error
        return
    backbone = gated.network.backbone
    assert isinstance(backbone, PooledBackbone)
    load_backbone_alone(backbone.backbone, start)
