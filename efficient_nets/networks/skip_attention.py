"""SkipAt: what stands in a vision transformer's block in place of attention.

Venkataramanan et al., "Skip-Attention: Improving Vision Transformers by Paying Less Attention", ICLR 2024: the outputs
of attention in neighbouring middle blocks resemble each other, so a light function of the last one replaces it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

KERNEL, EXPANSION, CHANNEL_KERNEL = 5, 2, 3
"""Of the paper: sides of the depthwise convolution, widening of the channels, taps of the channel attention."""


class SkipAttention(nn.Module):
    """The parametric function: from the attention output of the block before to that of this one.

    Linear layer to twice the channels, depthwise convolution over the grid of patches, linear layer back, and channels
    weighed by efficient channel attention. A class token goes through unchanged, as in the released code.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        wide = EXPANSION * channels
        self.widen = nn.Linear(channels, wide)
        self.mix = nn.Conv2d(wide, wide, KERNEL, padding=KERNEL // 2, groups=wide)
        self.narrow = nn.Linear(wide, channels)
        self.activation = nn.GELU()
        self.weigh = nn.Conv1d(1, 1, CHANNEL_KERNEL, padding=CHANNEL_KERNEL // 2, bias=False)

    def forward(self, attended: Tensor, grid: tuple[int, int]) -> Tensor:
        """Tokens (N, class tokens + rows * columns, C) to the same; ``grid`` is (rows, columns)."""
        rows, columns = grid
        before = attended.shape[1] - rows * columns
        patches = self.activation(self.widen(attended[:, before:]))
        patches = patches.transpose(1, 2).unflatten(2, (rows, columns))
        patches = self.activation(self.mix(patches)).flatten(2).transpose(1, 2)
        patches = self.narrow(patches)
        weights = torch.sigmoid(self.weigh(patches.mean(1, keepdim=True)))
        return torch.cat((attended[:, :before], patches * weights), 1)
