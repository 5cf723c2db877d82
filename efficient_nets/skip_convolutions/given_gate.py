"""Gates that are told where a frame changed, as by the decoder of the video."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from scaleflow.efficient_nets.video.block_grid import pad_as


class GivenGate:
    """Opens where anything under the kernel changed, by a map of the whole frame that is stretched over the input.

    A sample of the input has changed where any part of the map that it stands for has. The kernel of this layer is
    taken into account, not those of layers before: that a change spreads through them into what did not change is
    left out, as the sizes of such changes are not known. (Norm gates see it, as they look at each layer's input.)

    What is open is computed from the input as it is. Nothing is compared and nothing multiplied, so it counts as free.
    """

    def __init__(self, block: int) -> None:
        self.block = block

    def open_blocks(self, layer: nn.Conv2d, changed: Tensor, x: Tensor) -> Tensor:
        """Which blocks hold a position that sees a change: (N, lines, columns), boolean.

        ``changed`` (N or 1, 1, H, W) is 1 where something changed, and covers all of ``x``.
        """
        of_input = F.adaptive_max_pool2d(changed, x.shape[2:])
        under_kernel = F.max_pool2d(pad_as(layer, of_input), layer.kernel_size, layer.stride, 0, layer.dilation)
        blocks = F.max_pool2d(under_kernel, self.block, self.block, ceil_mode=True)[:, 0] > 0
        return blocks.expand(x.shape[0], -1, -1)

    def macs(self, input_shape: object, positions: int) -> int:
        """None."""
        return 0
