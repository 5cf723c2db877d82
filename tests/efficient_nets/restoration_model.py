"""Small restoration models whose every part matters, and a real frame for them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from scaleflow.efficient_nets.diffusion.noise_schedule import NoiseSchedule
from scaleflow.efficient_nets.diffusion.restoration import RestorationDiffusion
from scaleflow.efficient_nets.diffusion.unet import UNetConfig, tiny_unet

THREE_SCALES = UNetConfig(channels=(8, 12, 16), blocks=(1, 2, 1), groups=4)


def awake(network: nn.Module, seed: int = 0) -> nn.Module:
    """With weights in place of the zeros that new networks have at the ends of blocks, so that every part matters."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith(("conv2.weight", "conv_out.weight")):
                parameter.normal_(0, 0.1, generator=generator)
    return network


def restoration(config: UNetConfig | None = None) -> RestorationDiffusion:
    torch.manual_seed(0)
    model = RestorationDiffusion(config or tiny_unet(), NoiseSchedule())
    awake(model)
    return model.eval()


@pytest.fixture(scope="module")
def frame(frames: list[Tensor]) -> Tensor:
    """A real frame (1, 3, 128, 192) in 0..1."""
    return (frames[-1] * 0.225 + 0.45).clamp(0, 1)
