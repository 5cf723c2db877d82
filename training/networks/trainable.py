"""A network for a task as the training loop sees it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from scaleflow.efficient_nets.data.labelled_frames import LabelledData
from scaleflow.efficient_nets.tasks.task import Task
from scaleflow.efficient_nets.video.network import VideoNetwork
from scaleflow.training.loop.parts import ParameterGroup, StepLoss, Trainable
from scaleflow.training.networks.batches import LabelledBatch
from scaleflow.training.networks.configuration import MethodConfig, NetworkStage, NetworkTrainingConfig
from scaleflow.training.networks.validation import validate, validate_video


@dataclass(frozen=True)
class MethodWeights:
    """What a method has learned, beside the dense network.

    Attributes:
        choices: of each layer, where the method searched among candidates.
        tensors: of the network for video; empty where the dense network is all there is.
    """

    choices: Mapping[str, str] = field(default_factory=dict)
    tensors: Mapping[str, Tensor] = field(default_factory=dict)


class NetworkTraining(Trainable[NetworkStage, LabelledBatch, StepLoss], Protocol):
    """What is trained, and how it is measured and kept."""

    def validate(self, data: LabelledData, config: NetworkTrainingConfig) -> dict[str, float]:
        """Measures of the task, of the network in eval mode."""

    def finish(self) -> MethodWeights:
        """What is to be kept, after the last step."""


class DenseTraining:
    """Implements :class:`NetworkTraining`: the dense network, on single pictures."""

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

    def validate(self, data: LabelledData, config: NetworkTrainingConfig) -> dict[str, float]:
        """See :class:`NetworkTraining`."""
        return validate(self._network, self._task, data, config.data.size, config.validation.frames)

    def finish(self) -> MethodWeights:
        """Nothing lies beside the dense weights."""
        return MethodWeights()


class AcceleratedTraining:
    """Implements :class:`NetworkTraining`: a network made for video by a method, on clips, in float32."""

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
            group = added if self._method.description.adds(name) else own
            group.parameters.append(parameter)
            group.names.append(name)
        return [group for group in (own, added) if group.parameters]

    def step(self, batch: LabelledBatch, stage: NetworkStage) -> StepLoss:
        """See :class:`scaleflow.training.loop.parts.Trainable`."""
        outputs = self._network.forward_clip(batch.clips)
        task = self._task.loss(outputs.flatten(0, 1).float(), batch.targets.flatten(0, 1))
        loss, scalars = task, {"task": float(task.detach())}
        weights = {"weight": self._config.weight, "distillation": self._config.distillation}
        for further in self._method.description.losses:
            value = further.value(self._network)
            if value is not None:
                loss = loss + weights[further.weight] * value
                scalars[further.name] = float(value.detach())
        return StepLoss(loss, scalars)

    def validate(self, data: LabelledData, config: NetworkTrainingConfig) -> dict[str, float]:
        """See :class:`NetworkTraining`."""
        return validate_video(self._network, self._task, data, config.data.size, config.validation.frames)

    def finish(self) -> MethodWeights:
        """Where the method searches, that ends here."""
        take_form = self._method.description.take_form
        choices = {} if take_form is None else take_form(self._network)
        return MethodWeights(choices, self._network.state_dict())
