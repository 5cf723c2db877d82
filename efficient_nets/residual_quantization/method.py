"""Residual quantization as a method: what ``accelerate`` takes."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from scaleflow.efficient_nets.residual_quantization.convolution import QuantizedConvolution
from scaleflow.efficient_nets.residual_quantization.settings import ResidualQuantizationSettings


@dataclass(frozen=True)
class ResidualQuantization(ResidualQuantizationSettings):
    """Key frames at many bits, and at few what later frames add to them; see :class:`QuantizedConvolution`, and
    for the settings :class:`ResidualQuantizationSettings`.

    The network needs ranges before it can run: see
    :func:`~scaleflow.efficient_nets.residual_quantization.calibration.calibrate`.
    Key frames are those of ``accelerate``'s ``key_interval``; set it, as residuals grow with the distance.
    """

    def convolution(self, dense: nn.Conv2d) -> QuantizedConvolution:
        """See :class:`~scaleflow.efficient_nets.video.conversion.VideoMethod`."""
        return QuantizedConvolution(dense, self)
