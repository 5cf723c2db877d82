"""What the perceptual decoder is compared with: a network behind the fidelity decoder, which adds detail to pictures.

It sees the decoded picture, the latents that it was made of, and what it added to the picture before, moved by the
decoded flow. At its sizes it costs 10.8 thousand multiplications for each sample of luma, as a second synthesis does.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaleflow.adversarial.moved_detail import move_detail
from scaleflow.adversarial.second_synthesis import LUMA_CHANNELS
from scaleflow.codec.models.decoded_parts import DecodedParts
from scaleflow.codec.models.hyperprior import compand
from scaleflow.codec.models.layers import Convolution, Downsample, ResidualBlock, Upsample, zero_start
from scaleflow.codec.models.quality import QualityBias
from scaleflow.codec.models.transforms import PICTURE_CHANNELS

HALF, QUARTER, EIGHTH, SIXTEENTH = 16, 40, 80, 128
"""Channels at these parts of the picture's size."""

BLOCKS = 3
"""Residual blocks at an eighth."""

SEEN_CHANNELS = 4 * (PICTURE_CHANNELS + LUMA_CHANNELS)
"""Channels of a packed picture and of earlier detail, rearranged to a quarter of the size of luma."""


class NetworkBehind(nn.Module):
    """Decoded parts, and detail that was added before, to the detail that is added now."""

    def __init__(self, key_latents: int = 256, inter_latents: int = 256) -> None:
        super().__init__()
        self.stem = Convolution(SEEN_CHANNELS, QUARTER, 3, padding=1)
        self.bias = QualityBias(QUARTER)
        self.down = Downsample(QUARTER, EIGHTH)
        self.further_down = Downsample(EIGHTH, SIXTEENTH)
        self.key_latents = Convolution(key_latents, SIXTEENTH, 1)
        self.inter_latents = Convolution(inter_latents, SIXTEENTH, 1)
        self.coarse_bias = QualityBias(SIXTEENTH)
        self.coarse = ResidualBlock(SIXTEENTH)
        self.up = Upsample(SIXTEENTH, EIGHTH)
        self.middle = nn.Sequential(*(ResidualBlock(EIGHTH) for _ in range(BLOCKS)))
        self.further_up = Upsample(EIGHTH, QUARTER)
        self.fine = ResidualBlock(QUARTER)
        # at half the size: what a shuffle of samples alone would give has its grid
        self.finest_up = Upsample(QUARTER, HALF)
        self.finest = Convolution(HALF + PICTURE_CHANNELS, HALF, 3, padding=1)
        self.last = zero_start(Convolution(HALF, LUMA_CHANNELS, 3, padding=1))

    def forward(self, parts: DecodedParts, earlier: Tensor | None) -> Tensor:
        """Detail to add to ``parts.picture``, packed alike; that of chroma is 0.

        Args:
            parts: of the pictures.
            earlier: detail that was added to the pictures before, packed and not moved yet; None of the first.
        """
        moved = torch.zeros_like(parts.picture)
        if earlier is not None and parts.flow is not None:
            moved = move_detail(earlier, parts.flow)
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
