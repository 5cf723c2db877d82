"""Analysis and synthesis transforms of the recurrent model.

Each is the sum of an orthonormal linear transform of 16x16 luma samples with their chroma (started from principal
components) and of a network that starts at zero. Networks work at an eighth and a sixteenth of the size, where dense
3x3 convolutions run at the full speed of a processor; finer sizes have what is needed to remove edges and ringing.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaleflow.codec.models.layers import (
    Convolution,
    Downsample,
    ResidualBlock,
    Upsample,
    full_precision,
    steady_sigmoid,
    zero_start,
)
from scaleflow.codec.models.quality import QualityBias
from scaleflow.codec.models.transforms import PATCH, PICTURE_CHANNELS

EIGHTH = 4
"""An eighth of the size has so many fewer positions, along each side, than packed pictures have."""

EIGHTH_CHANNELS = PICTURE_CHANNELS * EIGHTH**2

MEMORY_GRID = 16.0
"""Memory is kept in multiples of one part in so many: noise of floating point does not accumulate there."""

LARGEST_MEMORY = 8.0


class PictureAnalysis(nn.Module):
    """Picture, or what the prediction missed, to latents at a sixteenth of the size."""

    def __init__(self, latents: int, context: int, coarse_context: int, width: int, coarse: int, blocks: int) -> None:
        """``context`` and ``coarse_context`` channels of features at an eighth and a sixteenth are seen beside it."""
        super().__init__()
        self.linear = Convolution(PICTURE_CHANNELS, latents, PATCH, stride=PATCH, bias=False)
        self.stem = Convolution(EIGHTH_CHANNELS + context, width, 1 if context else 3, padding=0 if context else 1)
        self.bias = QualityBias(width)
        self.fine = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        self.down = Downsample(width, coarse)
        self.join = Convolution(coarse + coarse_context, coarse, 1) if coarse_context else None
        self.coarse = nn.Sequential(ResidualBlock(coarse), zero_start(Convolution(coarse, latents, 1)))

    def forward(
        self, picture: Tensor, quality: Tensor, context: Tensor | None = None, coarse_context: Tensor | None = None
    ) -> Tensor:
        """``picture`` packed (N, 6, H, W), H and W multiples of 8; returns (N, latents, H / 8, W / 8)."""
        seen = F.pixel_unshuffle(picture, EIGHTH)
        if context is not None:
            seen = torch.cat((seen.to(context.dtype), context), 1)
        features = F.leaky_relu(self.bias(self.stem(seen), quality), 0.1, inplace=True)
        features = self.down(self.fine(features))
        if self.join is not None:
            assert coarse_context is not None
            features = self.join(torch.cat((features, coarse_context), 1))
        return full_precision(self.linear, picture) + self.coarse(features).float()


class PictureSynthesis(nn.Module):
    """Latents, beside what is known, to a picture or what is added to its prediction."""

    def __init__(
        self,
        latents: int,
        context: int,
        coarse_context: int,
        conditions: int,
        widths: tuple[int, int, int, int],
        blocks: int,
    ) -> None:
        """``widths`` are those at a half, a quarter, an eighth and a sixteenth; ``conditions`` channels at a half."""
        super().__init__()
        half, quarter, eighth, sixteenth = widths
        self.linear = nn.ConvTranspose2d(latents, PICTURE_CHANNELS, PATCH, stride=PATCH, bias=False)
        self.stem = Convolution(latents + coarse_context, sixteenth, 1)
        self.bias = QualityBias(sixteenth)
        self.coarse = nn.Sequential(ResidualBlock(sixteenth), Upsample(sixteenth, eighth))
        self.join = Convolution(eighth + context, eighth, 1) if context else None
        self.fine = nn.Sequential(*(ResidualBlock(eighth) for _ in range(blocks)))
        self.up = nn.Sequential(
            Upsample(eighth, quarter), ResidualBlock(quarter), Convolution(quarter, 4 * half, 1), nn.PixelShuffle(2)
        )
        self.finish_first = Convolution(half + PICTURE_CHANNELS + conditions, half, 3, padding=1)
        self.finish_bias = QualityBias(half)
        self.finish_last = zero_start(Convolution(half, PICTURE_CHANNELS, 3, padding=1))

    def forward(
        self,
        latents: Tensor,
        quality: Tensor,
        context: Tensor | None = None,
        coarse_context: Tensor | None = None,
        condition: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """``latents`` (N, C, h, w); returns the packed picture (N, 6, 8 h, 8 w) and features at an eighth."""
        linear = full_precision(self.linear, latents)
        coarse = latents if coarse_context is None else torch.cat((latents, coarse_context.to(latents.dtype)), 1)
        features = self.coarse(F.leaky_relu(self.bias(self.stem(coarse), quality), 0.1, inplace=True))
        if self.join is not None:
            assert context is not None
            features = self.join(torch.cat((features, context.to(features.dtype)), 1))
        features = self.fine(features)
        half = self.up(features)
        parts = [half, linear] if condition is None else [half, linear, condition]
        # of one memory format: joining others costs more than the convolution that follows
        joined = torch.cat([part.to(half.dtype, memory_format=torch.channels_last) for part in parts], 1)
        finished = F.leaky_relu(self.finish_bias(self.finish_first(joined), quality), 0.1, inplace=True)
        return linear + self.finish_last(finished).float(), features


class PredictionContext(nn.Module):
    """What is known of a picture before its residual is decoded, at an eighth and a sixteenth of the size."""

    def __init__(self, memory: int, motion_features: int, width: int, coarse: int) -> None:
        super().__init__()
        self.stem = Convolution(EIGHTH_CHANNELS + memory + motion_features, width, 1)
        self.bias = QualityBias(width)
        self.block = ResidualBlock(width)
        self.down = Downsample(width, coarse)

    def forward(self, prediction: Tensor, memory: Tensor, motion: Tensor, quality: Tensor) -> tuple[Tensor, Tensor]:
        """Packed prediction (N, 6, H, W); memory and features of motion (N, _, H / 4, W / 4)."""
        kind = motion.dtype
        seen = torch.cat((F.pixel_unshuffle(prediction, EIGHTH).to(kind), memory.to(kind), motion), 1)
        features = self.block(F.leaky_relu(self.bias(self.stem(seen), quality), 0.1, inplace=True))
        return features, self.down(features)


class MemoryUpdate(nn.Module):
    """Memory after a picture: of what was there, moved as the picture, a learned part gives way to what is new."""

    def __init__(self, features: int, memory: int) -> None:
        super().__init__()
        self.both = Convolution(features, 2 * memory, 1)

    def forward(self, features: Tensor, moved: Tensor | None) -> Tensor:
        """Features (N, F, h, w) of the decoded picture and moved memory (N, M, h, w), None after an intra picture."""
        value, gate = self.both(features).float().chunk(2, 1)
        kept = value if moved is None else torch.lerp(moved, value, steady_sigmoid(gate))
        limited = kept.clamp(-LARGEST_MEMORY, LARGEST_MEMORY)
        return limited + ((limited * MEMORY_GRID).round() / MEMORY_GRID - limited).detach()
