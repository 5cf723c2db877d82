"""Analysis and synthesis transforms of the default model.

Each is the sum of an orthonormal linear transform of 16x16 luma samples with their chroma (started from principal
components, one strided convolution) and of a convolutional network that starts at zero. Pictures are 4:2:0: luma
rearranged to four channels at half size, beside the two chroma channels, so that nothing is upsampled.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaleflow.codec.models.layers import Convolution, Downsample, ResidualBlock, Upsample, full_precision, zero_start
from scaleflow.codec.models.quality import QualityBias

PICTURE_CHANNELS = 6
"""Four luma samples and two of chroma at each position of half the picture's size."""

PATCH = 8
"""Side of the linear transform's patch at half size: 16 luma samples."""

SAMPLE_RANGE = 8.0
"""Samples are mapped from 0..1 to -4..4."""


def pack_planes(luma: Tensor, chroma: Tensor) -> Tensor:
    """(N, 1, H, W) and (N, 2, H / 2, W / 2), both 0..1, to (N, 6, H / 2, W / 2) in -4..4."""
    return (torch.cat((F.pixel_unshuffle(luma, 2), chroma), 1) - 0.5) * SAMPLE_RANGE


def unpack_planes(packed: Tensor) -> tuple[Tensor, Tensor]:
    """Inverse of :func:`pack_planes`."""
    samples = packed / SAMPLE_RANGE + 0.5
    return F.pixel_shuffle(samples[:, :4], 2), samples[:, 4:]


class AnalysisTransform(nn.Module):
    """Picture or prediction residual to latents at a sixteenth of the size."""

    def __init__(self, latents: int, conditions: int = 0, widths: tuple[int, int, int] = (48, 96, 192)) -> None:
        """``conditions`` is the number of further channels (such as the prediction) that only the network sees."""
        super().__init__()
        quarter, eighth, sixteenth = widths
        self.linear = Convolution(PICTURE_CHANNELS, latents, PATCH, stride=PATCH, bias=False)
        self.stem = Convolution(4 * (PICTURE_CHANNELS + conditions), quarter, 3, padding=1)
        self.bias = QualityBias(quarter)
        self.network = nn.Sequential(
            ResidualBlock(quarter),
            Downsample(quarter, eighth),
            ResidualBlock(eighth),
            Downsample(eighth, sixteenth),
            ResidualBlock(sixteenth),
            zero_start(Convolution(sixteenth, latents, 1)),
        )

    def forward(self, picture: Tensor, quality: Tensor, condition: Tensor | None = None) -> Tensor:
        """``picture`` (N, 6, H, W), H and W multiples of 8, ``quality`` (N,); returns (N, latents, H / 8, W / 8)."""
        seen = picture if condition is None else torch.cat((picture, condition), 1)
        features = self.bias(self.stem(F.pixel_unshuffle(seen, 2)), quality)
        return full_precision(self.linear, picture) + self.network(features).float()


class SynthesisTransform(nn.Module):
    """Latents to a picture or prediction residual, finished at half size beside the prediction.

    The last convolutions see the linear transform's output and, for inter pictures, the prediction: they remove block
    edges and sharpen what motion compensation blurred.
    """

    def __init__(
        self,
        latents: int,
        side_latents: int = 0,
        conditions: int = 0,
        widths: tuple[int, int, int, int] = (40, 80, 144, 24),
    ) -> None:
        """``side_latents`` are further latents (of motion) that the network sees; ``conditions`` as in the analysis."""
        super().__init__()
        quarter, eighth, sixteenth, half = widths
        self.linear = nn.ConvTranspose2d(latents, PICTURE_CHANNELS, PATCH, stride=PATCH, bias=False)
        self.stem = Convolution(latents + side_latents, sixteenth, 1)
        self.bias = QualityBias(sixteenth)
        self.network = nn.Sequential(
            ResidualBlock(sixteenth),
            Upsample(sixteenth, eighth),
            ResidualBlock(eighth),
            ResidualBlock(eighth),
            Upsample(eighth, quarter),
            ResidualBlock(quarter),
            Convolution(quarter, 4 * half, 1),
            nn.PixelShuffle(2),
        )
        self.finish_first = Convolution(half + PICTURE_CHANNELS + conditions, 32, 3, padding=1)
        self.finish_bias = QualityBias(32)
        self.finish_last = zero_start(Convolution(32, PICTURE_CHANNELS, 3, padding=1))

    def forward(
        self, latents: Tensor, quality: Tensor, side: Tensor | None = None, condition: Tensor | None = None
    ) -> Tensor:
        """``latents`` (N, C, h, w); returns (N, 6, 8 h, 8 w)."""
        linear = full_precision(self.linear, latents)
        seen = latents if side is None else torch.cat((latents, side), 1)
        features = self.network(self.bias(self.stem(seen), quality))
        parts = [features, linear] if condition is None else [features, linear, condition]
        # of one memory format: joining others costs more than the convolution that follows
        joined = torch.cat([part.to(features.dtype, memory_format=torch.channels_last) for part in parts], 1)
        finished = self.finish_bias(self.finish_first(joined), quality)
        return linear + self.finish_last(F.leaky_relu(finished, 0.1, inplace=True)).float()


@torch.no_grad()
def start_from_basis(analysis: nn.Conv2d, synthesis: nn.ConvTranspose2d, basis: Tensor) -> None:
    """Set the linear parts to an orthonormal basis of shape (latents, 6 * 8 * 8), rows sorted by variance."""
    weights = basis.view(-1, PICTURE_CHANNELS, PATCH, PATCH)
    analysis.weight.copy_(weights)
    synthesis.weight.copy_(weights)


def principal_components(patches: Tensor, latents: int) -> tuple[Tensor, Tensor]:
    """Basis (latents, D) and standard deviations (latents,) of patches of shape (M, D), mean not removed."""
    covariance = (patches.T @ patches).double() / len(patches)
    variances, vectors = torch.linalg.eigh(covariance)
    order = variances.argsort(descending=True)[:latents]
    return vectors[:, order].T.float(), variances[order].clamp_min(1e-9).sqrt().float()
