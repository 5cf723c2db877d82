"""The restoration diffusion model, and the adaptor that clocks it, as the training loop sees them."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from scaleflow.efficient_nets.clockwork.distillation import Follow, distillation_loss
from scaleflow.efficient_nets.clockwork.network import ClockworkUNet
from scaleflow.efficient_nets.diffusion.restoration import RestorationDiffusion
from scaleflow.training.loop.parts import ParameterGroup, StepLoss
from scaleflow.training.loop.single_stage import SingleStage
from scaleflow.training.restoration.batches import PairBatch


class DiffusionTraining:
    """Implements :class:`scaleflow.training.loop.parts.Trainable`: the error of the prediction at random times."""

    def __init__(self, model: RestorationDiffusion, precision: str) -> None:
        self._model, self._precision = model, precision
        model.to(memory_format=torch.channels_last)

    @property
    def network(self) -> nn.Module:
        """See :class:`scaleflow.training.loop.parts.Trainable`."""
        return self._model

    def start(self, stage: SingleStage, batches: Iterator[PairBatch]) -> None:
        """Measure the residuals."""
        whole = next(batches)
        self._model.measure(whole.original, whole.decoded)

    def parameter_groups(self, stage: SingleStage) -> list[ParameterGroup]:
        """All of the network."""
        return [_all_parameters(self._model)]

    def step(self, batch: PairBatch, stage: SingleStage) -> StepLoss:
        """See :class:`scaleflow.training.loop.parts.Trainable`. Times are spread evenly over the batch."""
        return StepLoss(self.denoising_loss(batch), {})

    def denoising_loss(self, batch: PairBatch) -> Tensor:
        """The loss at times and with noise from torch's generator."""
        count, device = batch.count, batch.original.device
        time = ((torch.arange(count) + torch.rand(count)) / count).to(device)
        noise = torch.randn(batch.original.shape).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=self._precision == "bf16"):
            return self._model.loss(batch.original, batch.decoded, time, noise)


class AdaptorDistillation:
    """Implements :class:`scaleflow.training.loop.parts.Trainable`: the adaptor, along trajectories of a model that
    stays."""

    def __init__(
        self, model: RestorationDiffusion, clocked: ClockworkUNet, steps: int, follow: Follow, precision: str
    ) -> None:
        """``clocked`` runs the UNet of ``model``, whose weights have no gradients."""
        self._model, self._clocked = model, clocked
        self._steps, self._follow, self._precision = steps, follow, precision

    @property
    def network(self) -> nn.Module:
        """See :class:`scaleflow.training.loop.parts.Trainable`; the teacher is no part of it."""
        return self._clocked.adaptor

    def start(self, stage: SingleStage, batches: Iterator[PairBatch]) -> None:
        """Nothing is measured."""

    def parameter_groups(self, stage: SingleStage) -> list[ParameterGroup]:
        """All of the adaptor."""
        return [_all_parameters(self._clocked.adaptor)]

    def step(self, batch: PairBatch, stage: SingleStage) -> StepLoss:
        """See :class:`scaleflow.training.loop.parts.Trainable`. Of pairs only the decoded picture is looked at."""
        device = batch.decoded.device
        noise = torch.randn(batch.decoded.shape).to(device)
        trajectory = self._model.trajectory(batch.decoded, self._steps)
        with torch.autocast(device.type, torch.bfloat16, enabled=self._precision == "bf16"):
            found = distillation_loss(self._clocked, trajectory, noise, self._follow)
        return StepLoss(found.loss, {"identity": found.identity})


def _all_parameters(network: nn.Module) -> ParameterGroup:
    names, parameters = zip(*network.named_parameters(), strict=True)
    return ParameterGroup(list(parameters), 1.0, list(names))
