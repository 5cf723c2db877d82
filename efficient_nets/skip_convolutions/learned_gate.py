"""Gates that are trained with the network."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaleflow.efficient_nets.video.gumbel import draw_decision

START_BIAS = 0.6
"""Gates start more open than closed, as those of the paper's released code."""


class LearnedGate(nn.Module):
    """A convolution of one output channel on the residual's magnitude: Habibian et al., CVPR 2021, equation 8.

    It has the kernel, stride, padding and dilation of the layer that it opens. In training, decisions are drawn by
    their odds (:func:`~scaleflow.efficient_nets.video.gumbel.draw_decision`); the noise is the difference of two Gumbel
    variables, of which the released code adds a single one. Elsewhere a gate opens where its odds are even or better.
    """

    def __init__(self, layer: nn.Conv2d, threshold: float, block: int) -> None:
        super().__init__()
        self.threshold, self.block = threshold, block
        self.convolution = nn.Conv2d(
            layer.in_channels,
            1,
            layer.kernel_size,  # type: ignore[arg-type]
            layer.stride,  # type: ignore[arg-type]
            layer.padding,  # type: ignore[arg-type]
            layer.dilation,  # type: ignore[arg-type]
            padding_mode=layer.padding_mode,
            device=layer.weight.device,
            dtype=layer.weight.dtype,
        )
        nn.init.xavier_uniform_(self.convolution.weight)
        assert self.convolution.bias is not None
        nn.init.constant_(self.convolution.bias, START_BIAS)

    def forward(self, x: Tensor, reference: Tensor) -> Tensor:
        """Log odds (N, lines, columns) that blocks are open: of the largest in each, less the threshold."""
        odds = self.convolution((x - reference).abs())
        return F.max_pool2d(odds, self.block, self.block, ceil_mode=True)[:, 0] - self.threshold

    def draw(self, log_odds: Tensor) -> Tensor:
        """1 where open and 0 where closed, by chance; see :func:`draw_decision`."""
        return draw_decision(log_odds)

    def macs(self, input_shape: torch.Size, positions: int) -> int:
        """One for each sample's magnitude, and those of the convolution."""
        return input_shape.numel() + positions * self.convolution.weight.numel()
