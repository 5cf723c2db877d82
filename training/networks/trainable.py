"""A network for a task as the training loop sees it."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from efficient_nets.networks.dense_prediction import DensePredictionNetwork
from efficient_nets.tasks.task import Task
from training.loop_parts import ParameterGroup, StepLoss
from training.networks.batches import LabelledBatch
from training.networks.configuration import NetworkStage


class NetworkTraining:
    """Implements :class:`training.loop_parts.Trainable`: the dense network, on single pictures."""

    def __init__(self, network: DensePredictionNetwork, task: Task, precision: str) -> None:
        self._network, self._task, self._precision = network, task, precision
        network.to(memory_format=torch.channels_last)

    @property
    def network(self) -> nn.Module:
        """See :class:`training.loop_parts.Trainable`."""
        return self._network

    def start(self, stage: NetworkStage, batches: Iterator[LabelledBatch]) -> None:
        """Nothing is measured."""

    def parameter_groups(self, stage: NetworkStage) -> list[ParameterGroup]:
        """The backbone, which may learn more slowly, and the rest."""
        backbone, rest = ParameterGroup([], stage.backbone_rate), ParameterGroup([])
        for name, parameter in self._network.named_parameters():
            group = backbone if name.startswith("backbone.") else rest
            group.parameters.append(parameter)
            group.names.append(name)
        return [backbone, rest]

    def step(self, batch: LabelledBatch, stage: NetworkStage) -> StepLoss:
        """See :class:`training.loop_parts.Trainable`."""
        pictures = batch.clips.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        with torch.autocast(pictures.device.type, torch.bfloat16, enabled=self._precision == "bf16"):
            outputs: Tensor = self._network(pictures)
        return StepLoss(self._task.loss(outputs.float(), batch.targets.flatten(0, 1)), {})
