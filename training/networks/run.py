"""A training run of a network from a configuration: data, network, loop, and what is kept beside the weights."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from codec.errors import DataError, UsageError
from efficient_nets.delta_distillation.delta_layer import DeltaLayer
from efficient_nets.delta_distillation.finalize import finalize
from efficient_nets.methods import DENSE
from efficient_nets.networks.named_networks import check_task
from efficient_nets.networks.weights_file import (
    RUN_WEIGHTS,
    TaskNetwork,
    build_network,
    load_backbone,
    output_channels,
    write_network,
)
from efficient_nets.salisa.detector import SalisaDetector
from efficient_nets.tasks.cityscapes import PICTURES_FOLDER
from efficient_nets.tasks.names import make_task
from efficient_nets.tasks.task import LabelledData, Task
from efficient_nets.video_network import VideoNetwork
from training.distributed import join_processes
from training.loop import LoopHooks, TrainingLoop, TrainingProgress
from training.loop_parts import StepLoss
from training.networks.batches import LabelledBatch, LabelledBatches, LabelledSamples
from training.networks.configuration import NetworkStage, NetworkTrainingConfig
from training.networks.model_card import network_card
from training.networks.sampling_training import SamplingTraining, validate_sampling
from training.networks.trainable import AcceleratedTraining, NetworkTraining
from training.networks.validation import validate
from training.run import CARD, CONFIGURATION, check_run_folder, write_text

logger = logging.getLogger(__name__)

NetworkProgress = TrainingProgress[NetworkStage, StepLoss]


def train_network(
    config: NetworkTrainingConfig,
    folder: Path,
    *,
    resume: bool = False,
    device: str = "auto",
    report: Callable[[NetworkProgress], None] = lambda progress: None,
    validated: Callable[[int, dict[str, float]], None] = lambda step, measures: None,
    stop: Callable[[], bool] = lambda: False,
) -> bool:
    """Train in ``folder``, where checkpoint, configuration, weights and the model card will lie.

    Args:
        report: of the steps.
        validated: is given the step and the measures of the task, where there is data to validate on.

    Returns:
        Whether all steps are done; False where ``stop`` asked to end before.

    Raises:
        UsageError: the configuration does not fit the data or the folder.
        DataError: data or checkpoints cannot be read, written, or trained on.
    """
    if config.task.name == "action":
        from training.networks.action_run import train_action

        return train_action(config, folder, resume=resume, device=device, report=report, validated=validated, stop=stop)
    check_run_folder(folder, resume)
    task = make_task(
        config.task.name, config.task.classes, config.task.void, config.task.noise, objects=config.task.objects
    )
    training, validation = open_data(config, task)
    check_task(config.network.name, config.task.name)
    config = with_sizes(config, training)
    with join_processes(device) as processes:
        torch.manual_seed(config.seed)
        outputs = output_channels(task.name, len(training.classes))
        network = build_network(config.network.architecture(), outputs, config.task.name)
        if not resume:
            load_backbone(network, config.network.start)
        task.learn(training)
        samples = LabelledSamples(training, task, config.data, config.training.clip, config.seed)
        batches = LabelledBatches(samples, config.training, config.data.workers, processes)
        model: NetworkTraining | AcceleratedTraining | SamplingTraining
        sampling = config.method.named().salisa
        if config.method.name == DENSE:
            model = NetworkTraining(network, task, config.optimization.precision)
        elif sampling is not None:
            detector = SalisaDetector(network, sampling)
            model = SamplingTraining(detector, task, config.method, config.optimization.precision)
        else:
            model = AcceleratedTraining(config.method.named().apply(network), task, config.method)
        measures: dict[str, float] = {}

        def check(stage: NetworkStage, step: int) -> None:
            if validation is None:
                return
            measures.clear()
            if isinstance(model, SamplingTraining):
                measures.update(validate_sampling(detector, task, validation, config.validation.frames))
            else:
                measures.update(validate(model.network, task, validation, config.data.size, config.validation.frames))
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
            write_network(folder / RUN_WEIGHTS, _trained(config, training, network, model.network))
            seconds = loop.seconds[config.training.name]
            write_text(folder / CARD, network_card(config, training, model.network, seconds, measures))
        return done


def open_data(config: NetworkTrainingConfig, task: Task) -> tuple[LabelledData, LabelledData | None]:
    """What is trained on, and what is validated on, if there is anything.

    Raises:
        UsageError: a folder is not there, or has another layout.
        DataError: it is empty.
    """
    if not config.data.path:
        raise UsageError("data.path is empty: name the folder of the data with --data")
    path = Path(config.data.path)
    training = task.open(path, "train")
    if config.data.hold_out:
        return training.without(config.data.hold_out), training.chosen(config.data.hold_out)
    if config.data.validation:
        validation = task.open(Path(config.data.validation), "val")
    elif _has_parts(path):
        validation = task.open(path, "val")
    else:
        return training, None
    if validation.classes != training.classes:
        raise DataError(f"{validation.place}: has other classes than {training.place}")
    return training, validation


def _has_parts(path: Path) -> bool:
    """Whether data is in parts for training and validation, as CamVid's or Cityscapes'."""
    places = path, path / PICTURES_FOLDER
    return any((place / "val").is_dir() and (place / "train").is_dir() for place in places)


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


def _trained(config: NetworkTrainingConfig, data: LabelledData, dense: nn.Module, network: nn.Module) -> TaskNetwork:
    architecture = config.network.architecture()
    noise = config.task.noise if config.task.name == "restoration" else 0.0
    trained = TaskNetwork(
        config.task.name,
        data.classes,
        architecture,
        config.data.size,
        dense,
        config.task.void,
        noise=noise,
        objects=config.task.objects,
    )
    if isinstance(network, SalisaDetector):
        return replace(trained, method=config.method.named(), tensors=network.state_dict())
    if not isinstance(network, VideoNetwork):
        return trained
    choices = {}
    if any(isinstance(layer, DeltaLayer) for layer in network.converted_layers()):
        choices = finalize(network)
    return replace(trained, method=config.method.named(), choices=choices, tensors=network.state_dict())
