"""The perceptual decoder's network: what it adds to pictures that were decoded for fidelity.

It sees the decoded picture, the latents that it was made of, and what it added to the picture before, moved by the
decoded flow, so that invented detail stays on the object that it was invented for. The picture that the codec predicts
from is not changed: streams, prediction and exactness are those of the fidelity decoder. Only luma is changed: detail
in chroma brought LPIPS nothing, was seen as coloured grids, and cost as much PSNR as that in luma.

In the spirit of the perceptual decoders of Mentzer et al., "High-fidelity generative image compression" (NeurIPS
2020), whose whole codec is trained, and of Veerabadran et al., "Adversarial distortion for learned video compression"
(CVPR Workshops 2020); here only this network is.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaleflow.adversarial.moved_detail import move_detail
from scaleflow.codec.models.decoded_parts import DecodedParts
from scaleflow.codec.models.hyperprior import compand
from scaleflow.codec.models.layers import Convolution, Downsample, ResidualBlock, Upsample, zero_start
from scaleflow.codec.models.quality import QualityBias
from scaleflow.codec.models.transforms import PICTURE_CHANNELS
from scaleflow.errors import UsageError

LUMA_CHANNELS = 4
"""Of a packed picture, which come first."""

QUARTER_CHANNELS = 4 * (PICTURE_CHANNELS + LUMA_CHANNELS)
"""Channels of a packed picture and of earlier detail, rearranged to a quarter of the size of luma."""


@dataclass(frozen=True)
class PerceptualConfig:
    """Sizes of the network.

    Attributes:
        key_latents, inter_latents: channels of the codec's latents of key pictures, and of residuals of others.
        half, quarter, eighth, sixteenth: channels at these parts of the picture's size.
        blocks: residual blocks at an eighth.

    Raises:
        UsageError: a size is out of range.
    """

    key_latents: int = 256
    inter_latents: int = 256
    half: int = 16
    quarter: int = 48
    eighth: int = 96
    sixteenth: int = 128
    blocks: int = 3

    def __post_init__(self) -> None:
        for name, lowest, highest in (
            ("key_latents", 1, 1024),
            ("inter_latents", 1, 1024),
            ("half", 4, 128),
            ("quarter", 4, 256),
            ("eighth", 4, 512),
            ("sixteenth", 4, 512),
            ("blocks", 1, 16),
        ):
            value = getattr(self, name)
            if not lowest <= value <= highest:
                raise UsageError(f"{name} = {value} of a perceptual decoder is outside {lowest}..{highest}")

    @property
    def kilo_macs_per_pixel(self) -> float:
        """Thousand multiplications for each pixel of luma; of key pictures, which cost as much as others."""
        half, quarter, eighth, sixteenth = self.half, self.quarter, self.eighth, self.sixteenth
        at_half = 9 * (half + PICTURE_CHANNELS) * half + 9 * half * LUMA_CHANNELS
        at_quarter = 9 * QUARTER_CHANNELS * quarter + 18 * quarter**2 + 4 * quarter * half
        to_eighth = 4 * quarter * eighth + 4 * eighth * quarter
        at_eighth = self.blocks * 18 * eighth**2
        to_sixteenth = 4 * eighth * sixteenth + 4 * sixteenth * eighth
        at_sixteenth = max(self.key_latents, self.inter_latents) * sixteenth + 18 * sixteenth**2
        finer = at_half / 4 + at_quarter / 16
        return (finer + (to_eighth + at_eighth) / 64 + (to_sixteenth + at_sixteenth) / 256) / 1000


def small_perceptual(key_latents: int = 256, inter_latents: int = 256) -> PerceptualConfig:
    """What is shipped: 14.8 kMAC/pixel, 1.1 million parameters."""
    return PerceptualConfig(key_latents, inter_latents)


def tiny_perceptual(key_latents: int = 256, inter_latents: int = 256) -> PerceptualConfig:
    """For tests and first tries."""
    return PerceptualConfig(key_latents, inter_latents, half=8, quarter=16, eighth=24, sixteenth=32, blocks=1)


class PerceptualNetwork(nn.Module):
    """Decoded parts, and detail that was added before, to the detail that is added now."""

    def __init__(self, config: PerceptualConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or PerceptualConfig()
        self.stem = Convolution(QUARTER_CHANNELS, config.quarter, 3, padding=1)
        self.bias = QualityBias(config.quarter)
        self.down = Downsample(config.quarter, config.eighth)
        self.further_down = Downsample(config.eighth, config.sixteenth)
        self.key_latents = Convolution(config.key_latents, config.sixteenth, 1)
        self.inter_latents = Convolution(config.inter_latents, config.sixteenth, 1)
        self.coarse_bias = QualityBias(config.sixteenth)
        self.coarse = ResidualBlock(config.sixteenth)
        self.up = Upsample(config.sixteenth, config.eighth)
        self.middle = nn.Sequential(*(ResidualBlock(config.eighth) for _ in range(config.blocks)))
        self.further_up = Upsample(config.eighth, config.quarter)
        self.fine = ResidualBlock(config.quarter)
        # at half the size: what a shuffle of samples alone would give has its grid
        self.finest_up = Upsample(config.quarter, config.half)
        self.finest = Convolution(config.half + PICTURE_CHANNELS, config.half, 3, padding=1)
        self.last = zero_start(Convolution(config.half, LUMA_CHANNELS, 3, padding=1))

    def forward(self, parts: DecodedParts, earlier: Tensor | None) -> Tensor:
        """Detail to add to ``parts.picture``, packed alike; that of chroma is 0.

        Args:
            parts: of the pictures.
            earlier: detail that was added to the pictures before, packed and not moved yet; None of the first.
        """
        nothing = earlier is None or parts.flow is None
        moved = torch.zeros_like(parts.picture) if nothing else move_detail(earlier, parts.flow)
        seen = F.pixel_unshuffle(torch.cat((parts.picture, moved[:, :LUMA_CHANNELS]), 1), 2)
        quarter = F.leaky_relu(self.bias(self.stem(seen), parts.quality), 0.1)
        eighth = self.down(quarter)
        of_latents = self.key_latents if parts.key else self.inter_latents
        coarse = self.further_down(eighth) + of_latents(compand(parts.latents.float()))
        coarse = self.coarse(F.leaky_relu(self.coarse_bias(coarse, parts.quality), 0.1))
        middle = self.middle(self.up(coarse) + eighth)
        fine = self.fine(self.further_up(middle) + quarter)
        joined = [part.to(fine.dtype) for part in (self.finest_up(fine), parts.picture)]
        detail = self.last(F.leaky_relu(self.finest(torch.cat(joined, 1)), 0.1)).float()
        return F.pad(detail, (0, 0, 0, 0, 0, PICTURE_CHANNELS - LUMA_CHANNELS))
