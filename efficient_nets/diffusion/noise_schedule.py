"""How much of a picture and how much noise there is at each time, and what a network predicts of both.

Times run from 0 (the picture) to 1 (noise). Schedule: Nichol and Dhariwal, "Improved Denoising Diffusion Probabilistic
Models", ICML 2021, equation 17, in continuous time. Prediction of v: Salimans and Ho, "Progressive Distillation for
Fast Sampling of Diffusion Models", ICLR 2022, section 4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from scaleflow.errors import UsageError

Prediction = Literal["v", "noise"]


@dataclass(frozen=True)
class NoiseSchedule:
    """Cosine: the noisy sample is ``signal * clean + level * noise``, with ``signal**2 + level**2 = 1``.

    Attributes:
        offset: the paper's s, which keeps some noise near time 0.
        latest: time at which sampling starts. At 1 there is no signal, and a noise prediction says nothing of it.
        prediction: ``v`` (signal * noise - level * clean) or ``noise``.
    """

    offset: float = 0.008
    latest: float = 0.98
    prediction: Prediction = "v"

    def __post_init__(self) -> None:
        if not 0 <= self.offset <= 0.5:
            raise UsageError(f"offset = {self.offset} is outside 0..0.5")
        if not 0.5 <= self.latest < 1:
            raise UsageError(f"latest = {self.latest} is outside 0.5..1 (without 1)")
        if self.prediction not in get_args(Prediction):
            raise UsageError(f"prediction {self.prediction!r} is unknown: use {', '.join(get_args(Prediction))}")

    def levels(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Signal and noise level at times (N,) in 0..1, each (N, 1, 1, 1)."""
        start = math.cos(0.5 * math.pi * self.offset / (1 + self.offset))
        signal = torch.cos(0.5 * math.pi * (time + self.offset) / (1 + self.offset)) / start
        signal = signal.clamp(0, 1).view(-1, 1, 1, 1)
        return signal, (1 - signal.square()).sqrt()

    def noisy(self, clean: Tensor, noise: Tensor, time: Tensor) -> Tensor:
        """Samples (N, C, H, W) at times (N,)."""
        signal, level = self.levels(time)
        return signal * clean + level * noise

    def target(self, clean: Tensor, noise: Tensor, time: Tensor) -> Tensor:
        """What the network is to predict."""
        if self.prediction == "noise":
            return noise
        signal, level = self.levels(time)
        return signal * noise - level * clean

    def clean_and_noise(self, output: Tensor, noisy: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """What a prediction says of the parts of a noisy sample."""
        signal, level = self.levels(time)
        if self.prediction == "noise":
            return (noisy - level * output) / signal, output
        return signal * noisy - level * output, level * noisy + signal * output
