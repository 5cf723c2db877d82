"""CompressAI's ``ssf2020`` with a gain for each latent channel, so that one set of weights serves every rate.

The same mechanism as that of the default model (:mod:`scaleflow.codec.models.quality`), on an unchanged network: what
the two architectures do with equal data, time and range of rates can be compared. Not in the paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from compressai.models.video import ScaleSpaceFlow
from torch import Tensor, nn

from scaleflow.codec.models.quality import LatentGain

Part = Literal["img", "motion", "res"]
"""CompressAI's names of the networks for intra pictures, motion and residual."""

LATENT_CHANNELS = 192
COARSEST, FINEST = 8.0, 1 / 16
"""Quantization steps at quality 0 and 63 when training starts, in units of latents that mean nothing yet."""


class VariableRateScaleSpaceFlow(ScaleSpaceFlow):  # type: ignore[misc]
    """``ssf2020`` whose latents are multiplied by a gain before they are coded, and divided by it after."""

    def __init__(self) -> None:
        super().__init__()
        parts: tuple[Part, ...] = ("img", "motion", "res")
        self.gains = nn.ModuleDict({part: LatentGain(LATENT_CHANNELS, COARSEST, FINEST) for part in parts})

    def gain(self, part: Part, quality: Tensor) -> Tensor:
        """Gains of shape (N, C, 1, 1) for ``quality`` (N,), 0..63."""
        return torch.exp2(self.gains[part](quality))

    def forward(self, frames: Sequence[Tensor], quality: Tensor) -> dict[str, Any]:
        """As CompressAI's, at a quality for each clip: ``x_hat`` and ``likelihoods`` of each picture."""
        values, likelihoods = self._code("img", self.img_encoder(frames[0]), quality)
        decoded = [self.img_decoder(values).float()]
        rates = [{"keyframe": likelihoods}]
        reference = decoded[0].detach()
        for picture in frames[1:]:
            latents = self.motion_encoder(torch.cat((picture, reference), 1))
            motion, motion_likelihoods = self._code("motion", latents, quality)
            prediction = self.forward_prediction(reference, self.motion_decoder(motion).float())
            residual, likelihoods = self._code("res", self.res_encoder(picture - prediction), quality)
            reference = prediction + self.res_decoder(torch.cat((residual, motion), 1)).float()
            decoded.append(reference)
            rates.append({"motion": motion_likelihoods, "residual": likelihoods})
        return {"x_hat": decoded, "likelihoods": rates}

    def _code(self, part: Part, latents: Tensor, quality: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        gain = self.gain(part, quality)
        hyperprior: nn.Module = getattr(self, f"{part}_hyperprior")
        with torch.autocast(latents.device.type, enabled=False):  # rounding and likelihoods need all digits
            values, likelihoods = hyperprior(latents.float() * gain)
        return values / gain, likelihoods
