"""Teaching an adaptor what the low resolution would have made, along unrolled trajectories.

Habibian et al., "Clockwork Diffusion", CVPR 2024, equation 2: the error of the adaptor's outputs at the steps at which
it stands in, along trajectories that start from pure noise.

Differences: the paper's states are those of the teacher's trajectory. Ours are those of the clocked network itself
(``follow="own"``), since these are what the adaptor meets later; the teacher says at each of them what its low
resolution makes. ``follow="teacher"`` is the paper's. The error is the mean square over that of the teacher's outputs,
so that steps with large features do not drown others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from scaleflow.efficient_nets.clockwork.network import ClockworkUNet
from scaleflow.efficient_nets.diffusion.ddim import DdimTrajectory
from scaleflow.errors import UsageError

Follow = Literal["own", "teacher"]


@dataclass(frozen=True)
class DistillationLoss:
    """Of a batch of trajectories: the adaptor's relative error, and what that of the identity would have been."""

    loss: Tensor
    identity: float


def distillation_loss(
    network: ClockworkUNet, trajectory: DdimTrajectory, start: Tensor, follow: Follow = "own"
) -> DistillationLoss:
    """Run trajectories, and compare at each step of the adaptor. Gradients reach the adaptor alone, step by step.

    Args:
        network: its UNet is the teacher.
        trajectory: how samples go on from step to step.
        start: noise (N, C, H, W) of deviation 1.
        follow: whose trajectory.

    Raises:
        UsageError: the clock leaves no step to the adaptor.
    """
    full = network.clock.full_steps(trajectory.steps)
    if all(full):
        raise UsageError(f"clock {network.clock}: no step of {trajectory.steps} is left to the adaptor to learn from")
    noisy, kept, held = start, start, start
    errors: list[Tensor] = []
    identity: list[Tensor] = []
    for step, is_full in enumerate(full):
        given = trajectory.inputs(noisy, step)
        with torch.no_grad():
            output, low = network.split.full(*given)
        if is_full:
            kept = held = low.outputs
        else:
            made = network.adaptor(low.inputs, kept, low.embedding)
            power = low.outputs.square().mean()
            errors.append(F.mse_loss(made, low.outputs) / power)
            identity.append(F.mse_loss(held, low.outputs) / power)
            kept = made.detach()
            if follow == "own":
                output = _output_with(network, kept, given)
        noisy = trajectory.advance(noisy, output, step)
    return DistillationLoss(torch.stack(errors).mean(), float(torch.stack(identity).mean()))


@torch.no_grad()
def _output_with(network: ClockworkUNet, inner: Tensor, given: tuple[Tensor, Tensor]) -> Tensor:
    output: Tensor = network.split.partial(lambda inputs, embedding: inner, *given)
    return output
