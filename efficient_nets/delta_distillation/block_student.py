"""A small network that predicts by how much the output of a block of layers changed: the non-linear student."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaleflow.efficient_nets.delta_distillation.low_rank import RANDOM_DEVIATION

BlockInputs = Literal["both", "delta"]


class BlockStudent(nn.Module):
    """To few channels by 1x1, two convolutions of 3x3, and back by 1x1, with a ReLU after each but the last.

    The paper has such a student for whole blocks (convolution, batch norm, ReLU) and says that it sees the block's
    inputs and works with fewer channels or at a lower resolution; their code was not released, so the form is our own.
    Where input and output have one shape, a factor for each channel of the input's change is added, as residual blocks
    hand it through.

    Args:
        channels, out_channels: of the block.
        stride: how many times smaller the block's output is than its input, in height and width.
        hidden: channels between.
        inputs: what it sees: the change of the input, or also what it is measured against. What a non-linear block
            makes of a change depends on where it happens. Of the change alone, there are no biases either, so that
            what does not change is predicted not to change.
        downscale: it works at a resolution so many times lower.
        through: where the factors start. All else starts near zero.
    """

    def __init__(
        self,
        channels: int,
        out_channels: int,
        stride: tuple[int, int],
        hidden: int,
        inputs: BlockInputs,
        downscale: int,
        through: float = 0.0,
    ) -> None:
        super().__init__()
        self.inputs, self.downscale = inputs, downscale
        bias = inputs == "both"
        self.layers = nn.Sequential(
            nn.Conv2d(channels * (2 if inputs == "both" else 1), hidden, 1, bias=bias),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, 3, stride, 1, bias=bias),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, 3, 1, 1, bias=bias),
            nn.ReLU(),
            nn.Conv2d(hidden, out_channels, 1, bias=bias),
        )
        last = self.layers[-1]
        assert isinstance(last, nn.Conv2d)
        nn.init.normal_(last.weight, std=RANDOM_DEVIATION)
        if last.bias is not None:
            nn.init.zeros_(last.bias)
        self.shortcut: nn.Conv2d | None = None
        if channels == out_channels and stride == (1, 1):
            self.shortcut = nn.Conv2d(channels, channels, 1, groups=channels, bias=False)
            nn.init.constant_(self.shortcut.weight, through)

    def forward(self, x: Tensor, reference: Tensor, size: torch.Size) -> Tensor:
        """Change of the block's output (N, O, ``*size``) between inputs ``reference`` and ``x`` (N, C, H, W)."""
        change = x - reference
        seen = torch.cat((change, reference), 1) if self.inputs == "both" else change
        if self.downscale > 1:
            seen = F.avg_pool2d(seen, self.downscale, ceil_mode=True)
        output = self.layers(seen)
        if output.shape[2:] != size:
            output = F.interpolate(output, size, mode="bilinear", align_corners=False)
        if self.shortcut is not None and x.shape[2:] == size:
            output = output + self.shortcut(change)
        return output
