"""What stands in for the low resolution on the steps between full ones.

Habibian et al., "Clockwork Diffusion", CVPR 2024, sections 3.3 and 4 and table 5: the best inputs are those of the low
resolution at this step and its outputs at the step before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch.nn.functional as F
from torch import Tensor, nn

from scaleflow.efficient_nets.clockwork.split import LowResolution
from scaleflow.efficient_nets.diffusion.residual_block import ResidualBlock
from scaleflow.errors import UsageError


class Adaptor(Protocol):
    """From the low resolution's inputs now (N, C, h, w), its outputs at the step before (N, C', h', w') and the time
    embedding (N, E) to its outputs now."""

    def __call__(self, inputs: Tensor, before: Tensor, embedding: Tensor) -> Tensor:
        """See the class."""


class IdentityAdaptor(nn.Module):
    """Outputs stay what they were. Nothing to train."""

    def forward(self, inputs: Tensor, before: Tensor, embedding: Tensor) -> Tensor:
        """See :class:`Adaptor`."""
        return before


@dataclass(frozen=True)
class AdaptorShape:
    """What an adaptor stands in for.

    Attributes:
        inputs, outputs: channels of the low resolution.
        embedding: channels of the time embedding.
        scale: how many times finer outputs are than inputs.
    """

    inputs: int
    outputs: int
    embedding: int
    scale: int

    @classmethod
    def of(cls, low: LowResolution) -> AdaptorShape:
        """That fits what was seen of a step."""
        scale = max(1, round(low.outputs.shape[-1] / low.inputs.shape[-1]))
        return cls(low.inputs.shape[1], low.outputs.shape[1], low.embedding.shape[1], scale)


@dataclass(frozen=True)
class AdaptorConfig:
    """A learned adaptor.

    Attributes:
        width: channels within.
        blocks: residual blocks.
        stride: how many times coarser than the low resolution's inputs the blocks work; the paper's is 2.
        groups: of the group normalisations.
    """

    width: int = 64
    blocks: int = 2
    stride: int = 2
    groups: int = 8

    def __post_init__(self) -> None:
        for name in ("width", "blocks", "stride", "groups"):
            if getattr(self, name) < 1:
                raise UsageError(f"adaptor: {name} = {getattr(self, name)} must be 1 or more")


class ResidualAdaptor(nn.Module):
    """The paper's ResNet adaptor: a strided convolution of both inputs, residual blocks that are told the time, a
    transposed convolution, and the outputs of the step before added.

    It starts as the identity adaptor, since the last layer is zero at the start. Ours brings ``before`` to the inputs'
    scale by a strided convolution of its own, and has no text to heed.
    """

    def __init__(self, shape: AdaptorShape, config: AdaptorConfig) -> None:
        super().__init__()
        width, stride, fine = config.width, config.stride, config.stride * shape.scale
        self.fine = fine
        self.enter_inputs = nn.Conv2d(shape.inputs, width, stride, stride=stride)
        self.enter_before = nn.Conv2d(shape.outputs, width, fine, stride=fine)
        self.blocks = nn.ModuleList(
            [ResidualBlock(width, width, shape.embedding, config.groups) for _ in range(config.blocks)]
        )
        self.norm = nn.GroupNorm(math.gcd(config.groups, width), width)
        self.leave = nn.ConvTranspose2d(width, shape.outputs, fine, stride=fine)
        nn.init.zeros_(self.leave.weight)
        assert self.leave.bias is not None
        nn.init.zeros_(self.leave.bias)
        self.stride = stride

    def forward(self, inputs: Tensor, before: Tensor, embedding: Tensor) -> Tensor:
        """See :class:`Adaptor`. Sides that the strides do not divide are padded with zeros, and cut off again."""
        hidden = self.enter_inputs(_padded(inputs, self.stride)) + self.enter_before(_padded(before, self.fine))
        for block in self.blocks:
            hidden = block(hidden, embedding)
        change = self.leave(F.silu(self.norm(hidden)))
        return before + change[:, :, : before.shape[2], : before.shape[3]]


def _padded(x: Tensor, multiple: int) -> Tensor:
    lines, columns = (-side % multiple for side in x.shape[-2:])
    return F.pad(x, (0, columns, 0, lines)) if lines or columns else x
