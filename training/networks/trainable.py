"""A network for a task as the training loop sees it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from scaleflow.efficient_nets.delta_distillation.delta_layer import DeltaLayer
from scaleflow.efficient_nets.delta_distillation.training import distillation_loss
from scaleflow.efficient_nets.tasks.task import Task
from scaleflow.efficient_nets.video_network import VideoNetwork
from scaleflow.training.loop.parts import ParameterGroup, StepLoss
from scaleflow.training.networks.batches import LabelledBatch
from scaleflow.training.networks.configuration import MethodConfig, NetworkStage

ADDED = re.compile(r"\.(gate|students|log_odds)\b")
"""Names of parameters that a method adds to a layer."""


class NetworkTraining:
    """Implements :class:`scaleflow.training.loop.parts.Trainable`: the dense network, on single pictures."""

    def __init__(self, network: nn.Module, task: Task, precision: str) -> None:
        self._network, self._task, self._precision = network, task, precision
        network.to(memory_format=torch.channels_last)

    @property
    def network(self) -> nn.Module:
        """See :class:`scaleflow.training.loop.parts.Trainable`."""
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
        return [group for group in (backbone, rest) if group.parameters]

    def step(self, batch: LabelledBatch, stage: NetworkStage) -> StepLoss:
        """See :class:`scaleflow.training.loop.parts.Trainable`."""
        pictures = batch.clips.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        with torch.autocast(pictures.device.type, torch.bfloat16, enabled=self._precision == "bf16"):
            outputs: Tensor = self._network(pictures)
        return StepLoss(self._task.loss(outputs.float(), batch.targets.flatten(0, 1)), {})


class AcceleratedTraining:
    """Implements :class:`scaleflow.training.loop.parts.Trainable`: a network made for video by a method, on clips, in
    float32."""

    def __init__(self, network: VideoNetwork, task: Task, config: MethodConfig) -> None:
        self._network, self._task, self._config = network, task, config
        self._method = config.named()

    @property
    def network(self) -> nn.Module:
        """See :class:`scaleflow.training.loop.parts.Trainable`."""
        return self._network

    def start(self, stage: NetworkStage, batches: Iterator[LabelledBatch]) -> None:
        """Calibrate on the first clips."""
        clips = next(batches).clips
        self._method.calibrate(self._network, *(clip.split(1) for clip in clips))

    def parameter_groups(self, stage: NetworkStage) -> list[ParameterGroup]:
        """What the method added to the network, and the network's own weights, which may learn more slowly."""
        added, own = ParameterGroup([]), ParameterGroup([], stage.backbone_rate)
        for name, parameter in self._network.named_parameters():
            group = added if ADDED.search(name) else own
            group.parameters.append(parameter)
            group.names.append(name)
        return [group for group in (own, added) if group.parameters]

    def step(self, batch: LabelledBatch, stage: NetworkStage) -> StepLoss:
        """See :class:`scaleflow.training.loop.parts.Trainable`."""
        outputs = self._network.forward_clip(batch.clips)
        task = self._task.loss(outputs.flatten(0, 1).float(), batch.targets.flatten(0, 1))
        loss, scalars = task, {"task": float(task.detach())}
        for name, weight, value in self._losses():
            loss = loss + weight * value
            scalars[name] = float(value.detach())
        return StepLoss(loss, scalars)

    def _losses(self) -> Iterator[tuple[str, float, Tensor]]:
        """The method's own losses, with their weights."""
        if any(isinstance(layer, DeltaLayer) for layer in self._network.converted_layers()):
            yield "distillation", self._config.distillation, distillation_loss(self._network)
        if self._network.clock.choices:
            yield "share of MACs", self._config.weight, self._network.sparsity_loss()
