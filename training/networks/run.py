"""A training run of a network from a configuration: data, network, loop, and what is kept beside the weights."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from scaleflow.efficient_nets.data.labelled_frames import LabelledData
from scaleflow.efficient_nets.methods.known_methods import DENSE
from scaleflow.efficient_nets.networks.building import build_network, check_task
from scaleflow.efficient_nets.networks.starting_weights import load_backbone
from scaleflow.efficient_nets.networks.task_network import TaskNetwork
from scaleflow.efficient_nets.networks.weights_file import RUN_WEIGHTS, write_network
from scaleflow.efficient_nets.salisa.detector import SalisaDetector
from scaleflow.efficient_nets.salisa.settings import Salisa
from scaleflow.efficient_nets.tasks.task import Task
from scaleflow.training.loop.distributed import join_processes
from scaleflow.training.loop.precision import with_precision
from scaleflow.training.loop.run_folder import CARD, check_run_folder, write_text
from scaleflow.training.loop.single_stage_loop import RunOptions, run_single_stage
from scaleflow.training.networks.batches import LabelledBatches, LabelledSamples
from scaleflow.training.networks.configuration import NetworkStage, NetworkTrainingConfig
from scaleflow.training.networks.divided_data import open_divided
from scaleflow.training.networks.model_card import network_card
from scaleflow.training.networks.sampling_training import SamplingTraining
from scaleflow.training.networks.trainable import (
    AcceleratedTraining,
    DenseTraining,
    MethodWeights,
    NetworkTraining,
)


def train_network(config: NetworkTrainingConfig, folder: Path, options: RunOptions[NetworkStage] | None = None) -> bool:
    """Train in ``folder``, where checkpoint, configuration, weights and the model card will lie.

    Returns:
        Whether all steps are done; False where ``options.stop`` asked to end before.

    Raises:
        UsageError: the configuration does not fit the data or the folder.
        DataError: data or checkpoints cannot be read, written, or trained on.
    """
    options = options or RunOptions()
    if config.task.description.gives == "actions":
        from scaleflow.training.networks.action_run import train_action

        return train_action(config, folder, options)
    check_run_folder(folder, options.resume)
    task = config.task.description.task(config.task.settings())
    training, validation = open_divided(config.data, task.open)
    check_task(config.network.name, config.task.name)
    config = with_sizes(config, training)
    with join_processes(options.device) as processes:
        config = with_precision(config, processes.device)
        torch.manual_seed(config.seed)
        outputs = config.task.description.outputs(len(training.classes))
        network = build_network(config.network.architecture(), outputs, config.task.name)
        if not options.resume:
            load_backbone(network, config.network.start)
        task.learn(training)
        samples = LabelledSamples(training, task, config.data, config.training.clip, config.seed)
        batches = LabelledBatches(samples, config.training, config.data.workers, processes)
        model = _trainable(config, network, task)

        measured = None if validation is None else partial(model.validate, validation, config)
        finished = run_single_stage(config, model, batches, folder, processes, measured, options)
        if finished is not None and processes.is_first:
            write_network(folder / RUN_WEIGHTS, _trained(config, training, network, model.finish()))
            card = network_card(config, training, model.network, finished.seconds, finished.measures)
            write_text(folder / CARD, card)
        return finished is not None


def _trainable(config: NetworkTrainingConfig, network: nn.Module, task: Task) -> NetworkTraining:
    method = config.method.named()
    if config.method.name == DENSE:
        return DenseTraining(network, task, config.optimization.precision)
    if method.description.resamples is not None:
        detector = SalisaDetector(network, method.as_settings(Salisa))
        return SamplingTraining(detector, task, config.method, config.optimization.precision)
    return AcceleratedTraining(method.apply(network), task, config.method)


def with_sizes(config: NetworkTrainingConfig, data: LabelledData) -> NetworkTrainingConfig:
    """The configuration with the sizes that it leaves to the data.

    Raises:
        UsageError: the network takes no pictures of a size.
    """
    size, architecture = config.data.size, config.network.architecture()
    if size == (0, 0):
        height, width = data.frames[0].read_picture().shape[1:]
        step = architecture.size_step(config.task.name)
        size = max(step, width // step * step), max(step, height // step * step)
    crop = config.data.crop if config.data.crop != (0, 0) else size
    for name, sides in (("data.size", size), ("data.crop", crop)):
        architecture.check_size(config.task.name, sides, name)
    return replace(config, data=replace(config.data, size=size, crop=crop))


def _trained(
    config: NetworkTrainingConfig, data: LabelledData, dense: nn.Module, learned: MethodWeights
) -> TaskNetwork:
    return TaskNetwork(
        config.task.name,
        data.classes,
        config.network.architecture(),
        config.data.size,
        dense,
        config.task.void,
        method=config.method.named(),
        choices=learned.choices,
        tensors=learned.tensors,
        noise=config.task.noise if config.task.description.takes_noise else 0.0,
        objects=config.task.objects,
    )
