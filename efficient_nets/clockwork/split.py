"""A UNet in two parts: the high resolution, its first and last blocks, and the low resolution between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from scaleflow.efficient_nets.diffusion.unet import UNet
from scaleflow.errors import UsageError

StandIn = Callable[[Tensor, Tensor], Tensor]
"""From the inputs of the low resolution (N, C, h, w) and the time embedding (N, E) to its outputs (N, C', h', w')."""


@dataclass(frozen=True)
class LowResolution:
    """What went into the low resolution of a UNet at one step, and what came out.

    Attributes:
        inputs: the paper's r_in, (N, C, h, w).
        outputs: its r_out, (N, C', h', w'), at the next finer scale: the upsampling belongs to the low resolution.
        embedding: of the time, (N, E).
    """

    inputs: Tensor
    outputs: Tensor
    embedding: Tensor


class SplitUNet(Protocol):
    """What a UNet must offer to be clocked. Arguments are those of the UNet itself."""

    def full(self, *arguments: Any, **options: Any) -> tuple[Any, LowResolution]:
        """The UNet's output, computed in full, and what passed through its low resolution."""

    def partial(self, stand_in: StandIn, *arguments: Any, **options: Any) -> Any:
        """The UNet's output, where ``stand_in`` takes the place of the low resolution."""


class UNetSplit(nn.Module):
    """Implements :class:`SplitUNet` for :class:`scaleflow.efficient_nets.diffusion.unet.UNet`."""

    def __init__(self, unet: UNet, cut: int = 1) -> None:
        """``cut`` scales, the finest, are the high resolution.

        Raises:
            UsageError: there are no so many scales outside and one inside.
        """
        super().__init__()
        check_cut(cut, len(unet.config.channels))
        self.unet, self.cut = unet, cut

    def full(self, sample: Tensor, time: Tensor) -> tuple[Tensor, LowResolution]:
        """See :class:`SplitUNet`. The output is the UNet's own, bit for bit."""
        outer = self.unet.enter(sample, time, self.cut)
        inner = self.unet.inner(outer.features, outer.embedding, self.cut)
        return self.unet.leave(inner, outer, self.cut), LowResolution(outer.features, inner, outer.embedding)

    def partial(self, stand_in: StandIn, sample: Tensor, time: Tensor) -> Tensor:
        """See :class:`SplitUNet`."""
        outer = self.unet.enter(sample, time, self.cut)
        return self.unet.leave(stand_in(outer.features, outer.embedding), outer, self.cut)


def check_cut(cut: int, scales: int) -> None:
    """Raises :class:`UsageError` where ``cut`` of ``scales`` do not leave one inside."""
    if not 1 <= cut < scales:
        raise UsageError(f"cut = {cut}: a UNet of {scales} scales can be cut behind the first 1 to {scales - 1}")
