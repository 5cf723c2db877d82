"""Gates that decide from the size of a change alone which output positions to compute."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaleflow.efficient_nets.video.block_grid import as_rows, pad_as

Norm = Literal["input", "output"]

CACHED_SAMPLES = 1 << 17
"""Samples of a layer's input that are compared at a time."""


def change_map(x: Tensor, reference: Tensor) -> Tensor:
    """Sum over channels of the magnitude of ``x - reference``, both (N, C, H, W), as (N, 1, H, W) in float32.

    It reads as much memory as a layer has input, so it goes piece by piece through a buffer that stays in the cache.
    """
    rows, references = as_rows(x), as_rows(reference)
    change = rows.new_empty(len(rows), dtype=torch.float32)
    piece = max(1, CACHED_SAMPLES // rows.shape[1]) if x.device.type == "cpu" else len(rows)
    buffer = rows.new_empty(min(piece, len(rows)), rows.shape[1])
    for start in range(0, len(rows), piece):
        part = rows[start : start + piece]
        difference = torch.sub(part, references[start : start + piece], out=buffer[: len(part)])
        torch.sum(difference.abs_(), 1, dtype=torch.float32, out=change[start : start + piece])
    return change.view(x.shape[0], 1, *x.shape[2:])


class NormGate:
    """Input-norm and output-norm gates of Habibian et al., "Skip-Convolutions", CVPR 2021, equations 5 and 7.

    ``input``: the mean magnitude of the residual's samples under the kernel. ``output``: that times the mean over
    output channels of the L1 norm of their kernels, which is the change of output that a residual of even magnitude
    could make at most (Young's inequality). Both are means, in units of samples of the input and of the output: what a
    threshold asks for does not depend on the picture's size, nor on the number of channels or taps. In the paper they
    are sums; the authors' released code divides the norm over channels by the height of the layer's input, and the
    norm of the weights by their number.

    The threshold is compared directly: rounding the sigmoid of a difference, as the paper writes it, asks for its sign.
    """

    def __init__(self, layer: nn.Conv2d, norm: Norm, threshold: float, block: int) -> None:
        self.norm, self.threshold, self.block = norm, threshold, block
        self.taps = layer.kernel_size[0] * layer.kernel_size[1]

    def scale(self, layer: nn.Conv2d) -> float:
        """What turns a sum of magnitudes under the kernel into the size of a change."""
        samples = layer.in_channels * self.taps
        gain = float(layer.weight.detach().abs().sum()) / layer.out_channels if self.norm == "output" else 1.0
        return gain / samples

    def sizes(self, layer: nn.Conv2d, change: Tensor, scale: float) -> Tensor:
        """Size of the change (N, 1, H, W) under the kernel at each output position; see :func:`change_map`."""
        kernel = change.new_full((1, 1, *layer.kernel_size), scale)
        return F.conv2d(pad_as(layer, change), kernel, None, layer.stride, 0, layer.dilation)

    def open_blocks(self, sizes: Tensor) -> Tensor:
        """Which blocks hold a position whose size is above the threshold: (N, lines, columns) of blocks, boolean.

        The paper's structured gates: max pooling by blocks, and each position goes by its block.
        """
        largest = F.max_pool2d(sizes, self.block, self.block, ceil_mode=True)[:, 0]
        return ~(largest <= self.threshold)  # what is not a number is let through, as a dense network would

    def macs(self, input_shape: torch.Size, positions: int) -> int:
        """One for each sample's magnitude, and one for each tap of two sums under the kernel (see ``unseen``)."""
        return input_shape.numel() + 2 * positions * self.taps
