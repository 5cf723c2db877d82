"""Mean-scale hyperprior with gains: what training sees, and what is frozen for the entropy coder.

Minnen, Ballé and Toderici, "Joint autoregressive and hierarchical priors", NeurIPS 2018 (the mean-scale part), at an
eighth of the latents' height and width in total. Differences: the hyper-synthesis predicts the mean and the base-2
logarithm of the scale of latents *before* their gain, so that a gain is one multiplication of the mean and an integer
shift of the scale index; and it may also see latents that the decoder already has (of the previous picture, of motion).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from compressai.entropy_models import EntropyBottleneck, GaussianConditional
from torch import Tensor, nn

from codec.models.layers import full_precision

SCALE_STEPS_PER_OCTAVE = 8
SMALLEST_SCALE = 0.11
"""Scale of index 0 of the entropy coder's grid, in quantization steps."""


@dataclass(frozen=True)
class CodedLatents:
    """Latents as the decoder has them, and what they cost.

    ``values`` (N, C, h, w); ``bits_latents`` and ``bits_hyper`` (N,), estimated.
    """

    values: Tensor
    bits_latents: Tensor
    bits_hyper: Tensor


def _round_through(values: Tensor) -> Tensor:
    """Round; the gradient passes as if nothing had happened."""
    return values + (values.round() - values).detach()


def compand(values: Tensor) -> Tensor:
    """sign(v) * log(1 + |v|): latents of any size become small inputs of a network."""
    return values.sign() * torch.log1p(values.abs())


class HyperSynthesis(nn.Module):
    """Hyper-latents and context to means and scales; only layers that integer arithmetic can carry out exactly."""

    def __init__(self, latents: int, hyper_latents: int, width: int, context: int) -> None:
        super().__init__()
        self.spatial = nn.Sequential(
            nn.Conv2d(hyper_latents, 4 * width, 1),
            nn.PixelShuffle(2),
            nn.ReLU(),
            nn.Conv2d(width, 4 * width, 3, padding=1),
            nn.PixelShuffle(2),
            nn.ReLU(),
        )
        self.context = nn.Sequential(nn.Conv2d(context, width, 1), nn.ReLU()) if context else None
        joined = 2 * width if context else width
        self.parameters_network = nn.Sequential(
            nn.Conv2d(joined, 2 * width, 3, padding=1),
            nn.ReLU(),
        )
        self.last = nn.Conv2d(2 * width, 2 * latents, 1)

    def forward(self, hyper: Tensor, size: tuple[int, int], context: Tensor | None) -> tuple[Tensor, Tensor]:
        """Means and scale indices (real-valued), each (N, C, *size), of latents before their gain."""
        features = self.spatial(hyper)[:, :, : size[0], : size[1]]
        if self.context is not None:
            if context is None:
                raise ValueError("this hyper-synthesis needs its context")
            features = torch.cat((features, self.context(context)), 1)
        means, octaves = full_precision(self.last, self.parameters_network(features)).chunk(2, 1)
        return means, octaves * SCALE_STEPS_PER_OCTAVE


class MeanScaleHyperprior(nn.Module):
    """Rate and rounding of latents under a hyperprior."""

    def __init__(self, latents: int, hyper_latents: int = 64, width: int = 80, context: int = 0) -> None:
        super().__init__()
        self.analysis = nn.Sequential(
            nn.Conv2d(latents, 2 * width, 1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(2 * width, 2 * width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(2 * width, hyper_latents, 4, stride=2, padding=1),
        )
        self.synthesis = HyperSynthesis(latents, hyper_latents, width, context)
        self.bottleneck = EntropyBottleneck(hyper_latents, init_scale=4)
        self.conditional = GaussianConditional(None, scale_bound=SMALLEST_SCALE)
        self.hyper_latents = hyper_latents

    @torch.no_grad()
    def start_from_deviations(self, deviations: Tensor) -> None:
        """Let the prior begin as independent zero-mean Gaussians of these standard deviations, shape (C,)."""
        last = self.synthesis.last
        assert last.bias is not None
        last.weight.mul_(0.1)
        last.bias.zero_()
        last.bias[len(deviations) :] = torch.log2(deviations / SMALLEST_SCALE)

    @torch.no_grad()
    def start_hyper_latents(self, gained: Tensor, deviation: float = 1.5) -> None:
        """Scale the hyper-analysis so that its output has this deviation: rounded to zero, it would not learn."""
        last = self.analysis[-1]
        assert isinstance(last, nn.Conv2d)
        last.weight.mul_(deviation / self.hyper_analysis(gained).std())

    def hyper_analysis(self, gained: Tensor) -> Tensor:
        """Hyper-latents, not yet rounded, of latents that were multiplied by their gain (and padded to whole cells)."""
        height, width = gained.shape[2:]
        padded = F.pad(gained, (0, -width % 4, 0, -height % 4))
        return self.analysis(compand(padded)).float()

    def forward(self, latents: Tensor, log2_gain: Tensor, context: Tensor | None = None) -> CodedLatents:
        """Code ``latents`` (N, C, h, w) with ``log2_gain`` broadcastable to them; differentiable estimate of the bits."""
        gain = torch.exp2(log2_gain)
        gained = latents * gain
        hyper = self.hyper_analysis(gained)
        _, hyper_likelihoods = self.bottleneck(hyper)
        means, indices = self.synthesis(_round_through(hyper), (latents.shape[2], latents.shape[3]), context)
        means = means * gain
        scales = SMALLEST_SCALE * torch.exp2((indices / SCALE_STEPS_PER_OCTAVE + log2_gain).clamp(-1, 14))
        noisy = gained + torch.empty_like(gained).uniform_(-0.5, 0.5) if self.training else None
        rounded = _round_through(gained - means) + means
        likelihoods = self.conditional._likelihood(rounded if noisy is None else noisy, scales, means)
        return CodedLatents(
            values=rounded / gain,
            bits_latents=_bits(likelihoods),
            bits_hyper=_bits(hyper_likelihoods),
        )


def _bits(likelihoods: Tensor) -> Tensor:
    return -torch.log2(likelihoods.clamp_min(1e-9)).sum((1, 2, 3))
