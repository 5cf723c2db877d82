"""Skip-Convolutions as a method: what ``accelerate`` takes."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from scaleflow.efficient_nets.skip_convolutions.convolution import SkipConvolution
from scaleflow.efficient_nets.skip_convolutions.settings import SkipConvSettings


@dataclass(frozen=True)
class SkipConv(SkipConvSettings):
    """Compute convolutions only where their input changed; see :class:`SkipConvolution`, and for the settings
    :class:`SkipConvSettings`."""

    def convolution(self, dense: nn.Conv2d) -> SkipConvolution | None:
        """See :class:`~scaleflow.efficient_nets.video.conversion.VideoMethod`."""
        samples = dense.stride[0] * dense.stride[1] * dense.in_channels + dense.out_channels
        if dense.weight.numel() < self.least_macs_per_sample * samples:
            return None
        return SkipConvolution(dense, self)
