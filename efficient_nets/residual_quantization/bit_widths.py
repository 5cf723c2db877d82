"""Which width each block of a residual gets: the policy of Dynamic-ResQ."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaleflow.efficient_nets.video.block_grid import pad_as


def block_widths(
    layer: nn.Conv2d, codes: Tensor, steps_per_unit: Tensor, thresholds: Sequence[float], block: int
) -> Tensor:
    """How many thresholds the residual of each block exceeds: (N, lines, columns) of blocks, int64.

    The size of a residual at an output position is the mean magnitude of its codes (N, C, H, W) under the kernel, over
    ``steps_per_unit``; the largest in a block counts. The paper has a light policy whose rule is not known to us; this
    one adds up codes that the widest width needs in any case. What is not a number exceeds all thresholds.
    """
    taps = layer.kernel_size[0] * layer.kernel_size[1]
    change = codes.abs().sum(1, keepdim=True)
    scale = 1 / (layer.in_channels * taps * steps_per_unit)
    kernel = scale.to(change.dtype).expand(1, 1, *layer.kernel_size)
    sizes = F.conv2d(pad_as(layer, change), kernel, None, layer.stride, 0, layer.dilation)
    largest = F.max_pool2d(sizes, block, block, ceil_mode=True)[:, 0]
    return torch.stack([~(largest <= threshold) for threshold in thresholds]).sum(0)


def policy_macs(layer: nn.Conv2d, samples: int, positions: int) -> int:
    """One for each sample's magnitude, and one for each tap of a sum under the kernel.

    They are sums without products: in BOPs each counts the bits of one code.
    """
    return samples + positions * layer.kernel_size[0] * layer.kernel_size[1]
