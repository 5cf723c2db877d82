"""Motion of the recurrent model: latents to the flow of two references and how to blend them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from scaleflow.codec.models.layers import steady_sigmoid
from scaleflow.codec.models.motion import FLOW_SCALE, FlowSynthesis

FIRST_BLEND = -3.0
"""Logit of the second reference's share at first: the first has 95 % of the prediction."""


@dataclass(frozen=True)
class DecodedMotion:
    """Motion as the decoder has it.

    ``flow`` and ``second_flow`` (N, 2, H / 4, W / 4) in luma samples, to the previous picture and to the one before;
    ``blend`` (N, 1, H / 4, W / 4), the share of the second; ``features`` (N, F, H / 8, W / 8).
    """

    flow: Tensor
    second_flow: Tensor
    blend: Tensor
    features: Tensor


class MotionSynthesis(FlowSynthesis):
    """Motion latents, beside the reference, to motion at a quarter of the size.

    The sum of a fixed start (the inverse Haar transform of the vectors of 8x8 blocks; steady motion for the second
    reference) and of a network that starts at zero, so that motion works before anything is learned.
    """

    def __init__(self, latents: int, width: int = 48, fine_width: int = 32) -> None:
        super().__init__(latents, width, fine_width, outputs=5)

    def forward(self, latents: Tensor, reference: Tensor, quality: Tensor) -> DecodedMotion:
        """``latents`` (N, C, h, w) at a sixteenth, ``reference`` packed (N, 6, 8 h, 8 w)."""
        flow, other, features = self._synthesize(latents, reference, quality)
        second_flow = 2 * flow + FLOW_SCALE * other[:, :2]
        return DecodedMotion(flow, second_flow, steady_sigmoid(other[:, 2:] + FIRST_BLEND), features)
