"""Deterministic sampling: Song, Meng, Ermon, "Denoising Diffusion Implicit Models", ICLR 2021, eta = 0."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from scaleflow.efficient_nets.diffusion.noise_schedule import NoiseSchedule
from scaleflow.errors import UsageError

Denoiser = Callable[[Tensor, Tensor], Tensor]
"""From (N, C + conditions, H, W) and times (N,) to predictions (N, C, H, W)."""


@dataclass(frozen=True)
class DdimTrajectory:
    """The way from noise to a sample, in steps of equal time. The same start always gives the same sample.

    Attributes:
        schedule: of the noise.
        steps: calls of the network.
        condition: (N, K, H, W), put behind the channels of the noisy sample; K may be 0.
    """

    schedule: NoiseSchedule
    steps: int
    condition: Tensor

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise UsageError(f"steps = {self.steps} must be 1 or more")

    def time(self, step: int) -> Tensor:
        """Times (N,) before step 0, 1, ...; behind the last step 0."""
        value = self.schedule.latest * (1 - step / self.steps)
        return torch.full((len(self.condition),), value, device=self.condition.device)

    def inputs(self, noisy: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """What the network is given at a step."""
        return torch.cat((noisy, self.condition), 1), self.time(step)

    def advance(self, noisy: Tensor, output: Tensor, step: int) -> Tensor:
        """The sample behind a step, from the one before it and the network's prediction."""
        clean, noise = self.schedule.clean_and_noise(output, noisy, self.time(step))
        if step == self.steps - 1:
            return clean
        return self.schedule.noisy(clean, noise, self.time(step + 1))

    def run(self, network: Denoiser, start: Tensor) -> Tensor:
        """The sample (N, C, H, W) that ``start``, noise of deviation 1, leads to."""
        noisy = start
        for step in range(self.steps):
            noisy = self.advance(noisy, network(*self.inputs(noisy, step)), step)
        return noisy
