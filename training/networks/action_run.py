"""A training run of a network for action recognition; beside :mod:`scaleflow.training.networks.run`, which is for
pictures."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from scaleflow.efficient_nets.data.action_clips import ActionData, clip_size, open_action_data
from scaleflow.efficient_nets.frame_exit.pooled_backbone import PooledBackbone
from scaleflow.efficient_nets.frame_exit.weights_file import (
    ActionNetwork,
    GatedNetwork,
    is_action_network,
    read_action_network,
    write_action_network,
)
from scaleflow.efficient_nets.networks.starting_weights import load_backbone_alone
from scaleflow.efficient_nets.networks.weights_file import RUN_WEIGHTS, weights_of_run
from scaleflow.errors import DataError
from scaleflow.training.loop.distributed import join_processes
from scaleflow.training.loop.precision import with_precision
from scaleflow.training.loop.run_folder import CARD, check_run_folder, write_text
from scaleflow.training.loop.single_stage_loop import RunOptions, run_single_stage
from scaleflow.training.networks.action_training import ActionSamples, ActionTraining, validate_action
from scaleflow.training.networks.batches import LabelledBatches
from scaleflow.training.networks.configuration import NetworkStage, NetworkTrainingConfig
from scaleflow.training.networks.divided_data import open_divided
from scaleflow.training.networks.model_card import action_card


def train_action(config: NetworkTrainingConfig, folder: Path, options: RunOptions[NetworkStage]) -> bool:
    """See :func:`scaleflow.training.networks.run.train_network`, which is this where the task is ``action``."""
    check_run_folder(folder, options.resume)
    training, validation = open_divided(config.data, open_action_data)
    config = _with_sizes(config, training)
    with join_processes(options.device) as processes:
        config = with_precision(config, processes.device)
        torch.manual_seed(config.seed)
        architecture = config.network.architecture()
        gated = GatedNetwork(architecture, config.action.network(len(training.classes)), config.action.strictness)
        if not options.resume:
            _load(gated, config.network.start)
        samples = ActionSamples(training, config.data, config.action.frames, config.seed)
        batches = LabelledBatches(samples, config.training, config.data.workers, processes)
        model = ActionTraining(gated, config.optimization.precision)
        measured = None
        if validation is not None:
            measured = partial(validate_action, gated, validation, config.data.size, config.validation.frames)
        finished = run_single_stage(config, model, batches, folder, processes, measured, options)
        if finished is not None and processes.is_first:
            trained = ActionNetwork(training.classes, architecture, gated.network.config, config.data.size, gated)
            write_action_network(folder / RUN_WEIGHTS, trained)
            write_text(folder / CARD, action_card(config, training, gated, finished.seconds, finished.measures))
        return finished is not None


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
