"""Mean-scale hyperprior with gains: what training sees, and what is frozen for the entropy coder.

Minnen, Ballé and Toderici, "Joint autoregressive and hierarchical priors", NeurIPS 2018 (the mean-scale part), at an
eighth of the latents' height and width in total. Differences: the hyper-synthesis predicts the mean and the base-2
logarithm of the scale of latents *before* their gain, so that a gain is one multiplication of the mean and an integer
shift of the scale index; and it may also see latents that the decoder already has (of the previous picture, of motion).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaleflow.codec.models.layers import full_precision, round_through
from scaleflow.optional_packages import require_packages

if TYPE_CHECKING:
    from compressai.entropy_models import EntropyBottleneck, GaussianConditional

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


def compand(values: Tensor) -> Tensor:
    """``sign(v) * log(1 + |v|)``: latents of any size become small inputs of a network."""
    return values.sign() * torch.log1p(values.abs())


Phase = tuple[slice, slice]
"""Rows and columns of the latents that are coded together."""

WHOLE: tuple[Phase, ...] = ((slice(None), slice(None)),)

INTERLEAVED: tuple[Phase, ...] = tuple(
    (slice(row, None, 2), slice(column, None, 2)) for row, column in ((0, 0), (1, 1), (0, 1), (1, 0))
)
"""Four passes: each later position has decoded neighbours on all sides, diagonal ones first, then all eight."""


class SpatialContext(nn.Module):
    """Means and scales of the latents of one phase, from the features of all and from the neighbours decoded before.

    The idea is the checkerboard context of He et al. ("Checkerboard context model for efficient learned image
    compression", CVPR 2021) with four passes. The mean starts as the average of the neighbours that are known.
    """

    def __init__(self, latents: int, features: int, width: int, phase: int) -> None:
        super().__init__()
        self.neighbours = nn.Sequential(nn.Conv2d(latents, width, 3, padding=1), nn.ReLU())
        self.average = nn.Conv2d(latents, latents, 3, padding=1, bias=False)
        self.merge = nn.Sequential(nn.Conv2d(features + width, features, 1), nn.ReLU())
        self.last = nn.Conv2d(features, 2 * latents, 1)
        diagonal = torch.tensor([[1, 0, 1], [0, 0, 0], [1, 0, 1]]) / 4
        adjacent = torch.tensor([[0, 1, 0], [1, 0, 1], [0, 1, 0]]) / 4
        with torch.no_grad():
            self.average.weight.zero_()
            if phase:
                # vectors vary smoothly; the other latents are not expected to
                for channel in range(latents):
                    self.average.weight[channel, channel] = diagonal if phase == 1 else adjacent

    def forward(self, features: Tensor, decoded: Tensor) -> Tensor:
        """Means and octaves, (N, 2 C, h, w); ``decoded`` (N, C, h, w) holds zeros where nothing is known yet."""
        joined = self.merge(torch.cat((features, self.neighbours(decoded)), 1))
        parameters = full_precision(self.last, joined)
        means = full_precision(self.average, decoded)
        return torch.cat((parameters[:, : means.shape[1]] + means, parameters[:, means.shape[1] :]), 1)


class HyperSynthesis(nn.Module):
    """Hyper-latents and context to means and scales; only layers that integer arithmetic can carry out exactly."""

    def __init__(
        self, latents: int, hyper_latents: int, width: int, context: int, phases: tuple[Phase, ...] = WHOLE
    ) -> None:
        super().__init__()
        self.phases = phases
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
        self.parameters_network = nn.Sequential(nn.Conv2d(joined, 2 * width, 3, padding=1), nn.ReLU())
        self.last = nn.Conv2d(2 * width, 2 * latents, 1) if len(phases) == 1 else None
        self.contexts = nn.ModuleList(
            SpatialContext(latents, 2 * width, width, number) for number in range(len(phases)) if len(phases) > 1
        )

    def features(self, hyper: Tensor, size: tuple[int, int], context: Tensor | None) -> Tensor:
        """What hyper-latents and context say of each position, (N, F, ``*size``)."""
        features = self.spatial(hyper)[:, :, : size[0], : size[1]]
        if self.context is not None:
            if context is None:
                raise ValueError("this hyper-synthesis needs its context")
            features = torch.cat((features, self.context(context)), 1)
        return self.parameters_network(features)

    def parameters_of_phase(self, number: int, features: Tensor, decoded: Tensor) -> tuple[Tensor, Tensor]:
        """Means and scale indices (real-valued), each (N, C, h, w), of latents before their gain.

        They hold at the positions of phase ``number``; ``decoded`` are the latents of earlier phases, else zeros.
        """
        if self.last is not None:
            parameters = full_precision(self.last, features)
        else:
            parameters = self.contexts[number](features, decoded)
        means, octaves = parameters.chunk(2, 1)
        return means, octaves * SCALE_STEPS_PER_OCTAVE


class MeanScaleHyperprior(nn.Module):
    """Rate and rounding of latents under a hyperprior.

    ``with_priors``: of the hyper-latents and of the latents, in floating point, which training takes. Coding has its
    own in integers, and CompressAI, whose these are, takes seconds to import.
    """

    bottleneck: EntropyBottleneck
    conditional: GaussianConditional

    def __init__(
        self,
        latents: int,
        hyper_latents: int = 64,
        width: int = 80,
        context: int = 0,
        phases: tuple[Phase, ...] = WHOLE,
        with_priors: bool = True,
    ) -> None:
        super().__init__()
        self.analysis = nn.Sequential(
            nn.Conv2d(latents, 2 * width, 1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(2 * width, 2 * width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(2 * width, hyper_latents, 4, stride=2, padding=1),
        )
        self.synthesis = HyperSynthesis(latents, hyper_latents, width, context, phases)
        self.hyper_latents = hyper_latents
        if with_priors:
            self.add_priors()

    def add_priors(self) -> None:
        """Priors in floating point, as they are before training.

        Raises:
            UsageError: CompressAI is not installed.
        """
        require_packages("the estimate of rates for refinement and training", "compressai", ("compressai",))
        from compressai.entropy_models import EntropyBottleneck, GaussianConditional

        device = next(self.parameters()).device
        self.bottleneck = EntropyBottleneck(self.hyper_latents, init_scale=4).to(device)
        self.conditional = GaussianConditional(None, scale_bound=SMALLEST_SCALE).to(device)

    @torch.no_grad()
    def start_from_deviations(self, deviations: Tensor) -> None:
        """Let the prior begin as independent zero-mean Gaussians of these standard deviations, shape (C,)."""
        lasts = [m for n, m in self.synthesis.named_modules() if n.split(".")[-1] == "last"]
        for last in lasts:
            assert isinstance(last, nn.Conv2d) and last.bias is not None
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
        """Hyper-latents, not yet rounded, of latents that were multiplied by their gain."""
        height, width = gained.shape[2:]
        padded = F.pad(gained, (0, -width % 4, 0, -height % 4))
        return self.analysis(compand(padded)).float()

    def forward(self, latents: Tensor, log2_gain: Tensor, context: Tensor | None = None) -> CodedLatents:
        """Code ``latents`` (N, C, h, w) with ``log2_gain`` broadcastable to them; bits are differentiable."""
        gain = torch.exp2(log2_gain)
        gained = latents * gain
        hyper = self.hyper_analysis(gained)
        _, hyper_likelihoods = self.bottleneck(hyper)
        size = (latents.shape[2], latents.shape[3])
        features = self.synthesis.features(round_through(hyper), size, context)
        decoded = torch.zeros_like(latents)
        means, indices = torch.zeros_like(latents), torch.zeros_like(latents)
        for number, phase in enumerate(self.synthesis.phases):
            here = torch.zeros_like(latents[:1, :1])
            here[:, :, phase[0], phase[1]] = 1
            mean, index = self.synthesis.parameters_of_phase(number, features, decoded)
            means, indices = means + here * mean, indices + here * index
            decoded = decoded + here * (round_through(gained - mean * gain) / gain + mean)
        scales = SMALLEST_SCALE * torch.exp2((indices / SCALE_STEPS_PER_OCTAVE + log2_gain).clamp(-1, 14))
        # noise in place of rounding keeps the estimate of the bits differentiable
        seen = gained + torch.empty_like(gained).uniform_(-0.5, 0.5) if self.training else decoded * gain
        likelihoods = self.conditional._likelihood(seen, scales, means * gain)
        return CodedLatents(
            values=decoded,
            bits_latents=_bits(likelihoods),
            bits_hyper=_bits(hyper_likelihoods),
        )


def _bits(likelihoods: Tensor) -> Tensor:
    return -torch.log2(likelihoods.clamp_min(1e-9)).sum((1, 2, 3))
