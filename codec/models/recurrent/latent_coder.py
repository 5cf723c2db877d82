"""Latents with their priors: scales from decoded integers alone, means from whatever the decoder has.

Symbols are the rounded differences of latents and means in quantization steps. The range decoder needs their scales
only; so these come from hyper-latents and from symbols that were decoded before, by layers that integer arithmetic can
carry out exactly, all at once; means may come from floating point features, and from latents of the same picture that
were decoded before, in four passes over interleaved positions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaleflow.codec.models.hyperprior import SMALLEST_SCALE, compand
from scaleflow.codec.models.layers import (
    Convolution,
    ResidualBlock,
    convolve,
    full_precision,
    round_through,
    zero_start,
)
from scaleflow.codec.models.quality import ANCHORS, LatentGain, QualityBias, interpolate_anchors
from scaleflow.codec.models.recurrent.likelihood import gaussian_bits

HYPER_REDUCTION = 4
"""Positions of latents for each of the hyper-latents, along each side."""

PHASES = ((0, 0), (1, 1), (0, 1), (1, 0))
"""Row and column, modulo 2, of the positions of each pass: diagonal neighbours are known first, then all."""

ACTIVITIES = 4
"""Classes of hyper-latents by what was coded around them before: after an intra picture, nothing, little, much."""

MUCH = 12
"""Symbols other than zero in a hyper-latent's cell and those around it that are much."""

LARGEST_MAGNITUDE = 255.0
"""Context saturates there."""


@dataclass(frozen=True)
class SymbolContext:
    """Symbols of the previous picture of this kind, and their scales: what the next picture's scales may depend on.

    ``magnitudes`` (N, C, h, w) are ``log2(1 + |symbol|)``, ``octaves`` (N, C, h, w) of the scales before gain;
    ``activity`` (N, 1, h / 4, w / 4) is a class of each hyper-latent's position.
    """

    magnitudes: Tensor
    octaves: Tensor
    activity: Tensor


@dataclass(frozen=True)
class LatentSizes:
    """Channels of a latent coder.

    Attributes:
        latents, hyper_latents: what is coded.
        width: of the scales' network.
        exact_context: channels of integers that the scales also see, beside those of the previous picture.
        recurrent: the scales see the previous picture's symbols.
        features: of the means' network.
        mean_context: channels of features that the means also see.
        known: first latents that are seen by later passes.
    """

    latents: int
    hyper_latents: int
    width: int
    features: int
    exact_context: int = 0
    recurrent: bool = False
    mean_context: int = 0
    known: int = 128


@dataclass(frozen=True)
class CodedLatents:
    """Latents as the decoder has them (N, C, h, w), their context for the next picture, and bits (N,)."""

    values: Tensor
    context: SymbolContext
    bits_latents: Tensor
    bits_hyper: Tensor


class _Expansion(nn.Sequential):
    """Hyper-latents to features at four times the height and width."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__(
            Convolution(inputs, 4 * width, 1),
            nn.PixelShuffle(2),
            nn.ReLU(),
            Convolution(width, 4 * width, 3, padding=1),
            nn.PixelShuffle(2),
            nn.ReLU(),
        )


class ScaleSynthesis(nn.Module):
    """Octaves of the scales, before gain; only layers that integer arithmetic can carry out exactly."""

    def __init__(self, sizes: LatentSizes) -> None:
        super().__init__()
        self.spatial = _Expansion(sizes.hyper_latents, sizes.width)
        inputs = sizes.exact_context + (2 * sizes.latents if sizes.recurrent else 0)
        narrow = (sizes.width // 2 + 7) // 8 * 8
        self.context = (
            nn.Sequential(
                Convolution(inputs, narrow, 1),
                nn.ReLU(),
                Convolution(narrow, sizes.width, 3, padding=1),
                nn.ReLU(),
            )
            if inputs
            else None
        )
        joined = 2 * sizes.width
        self.merge = Convolution(joined if inputs else sizes.width, joined, 1)
        self.bias = QualityBias(joined)
        self.last = Convolution(joined, sizes.latents, 1)

    def forward(self, hyper: Tensor, quality: Tensor, size: tuple[int, int], context: Tensor | None) -> Tensor:
        """Whole hyper-latents (N, H, h / 4, w / 4) and context (N, X, h, w) to octaves (N, C, h, w)."""
        features = self.spatial(hyper)[:, :, : size[0], : size[1]]
        if self.context is not None:
            assert context is not None
            features = torch.cat((features, self.context(context)), 1)
        merged = F.relu(self.bias(self.merge(features), quality), inplace=True)
        return full_precision(self.last, merged)


class MeanPhase(nn.Module):
    """What the means of one pass gain from neighbours that are known, at the positions of the pass."""

    def __init__(self, sizes: LatentSizes, average: tuple[tuple[float, ...], ...] | None) -> None:
        super().__init__()
        self.known = min(sizes.known, sizes.latents)
        width = max(16, sizes.features // 2)
        self.neighbours = Convolution(self.known, width, 3)
        self.merge = Convolution(sizes.features + width, sizes.features, 1)
        self.last = zero_start(Convolution(sizes.features, sizes.latents, 1))
        self.average: Convolution | None = None
        if average is not None:
            # vectors vary smoothly: their mean begins as the average of what is known
            self.average = Convolution(sizes.latents, sizes.latents, 3, bias=False)
            with torch.no_grad():
                self.average.weight.zero_()
                for channel in range(sizes.latents):
                    self.average.weight[channel, channel] = torch.tensor(average)

    def forward(self, phase: tuple[int, int], features: Tensor, decoded: Tensor) -> Tensor:
        """Means to add, (N, C, h / 2, w / 2).

        ``features`` are those of the positions of the pass; ``decoded`` (N, C, h, w) has zeros where nothing is known.
        """
        around = F.pad(decoded, (1, 1, 1, 1))[:, :, phase[0] :, phase[1] :]
        known = F.relu(_strided(self.neighbours, compand(around[:, : self.known])), inplace=True)
        merged = self.merge(torch.cat((features, known.to(features.dtype)), 1))
        change = full_precision(self.last, F.relu(merged, inplace=True))
        if self.average is not None:
            with torch.autocast(decoded.device.type, enabled=False):
                change = change + _strided(self.average, around)
        return change


class MeanSynthesis(nn.Module):
    """Means of latents before gain, in floating point."""

    def __init__(self, sizes: LatentSizes, smooth: bool) -> None:
        super().__init__()
        width = sizes.features // 4 * 3
        self.spatial = _Expansion(sizes.hyper_latents, width)
        self.stem = Convolution(width + sizes.mean_context, sizes.features, 1)
        self.bias = QualityBias(sizes.features)
        self.block = ResidualBlock(sizes.features)
        self.first = zero_start(Convolution(sizes.features, sizes.latents, 1))
        diagonal = ((0.25, 0.0, 0.25), (0.0, 0.0, 0.0), (0.25, 0.0, 0.25))
        adjacent = ((0.0, 0.25, 0.0), (0.25, 0.0, 0.25), (0.0, 0.25, 0.0))
        averages = (diagonal, adjacent, adjacent) if smooth else (None, None, None)
        self.later = nn.ModuleList(MeanPhase(sizes, average) for average in averages)

    def features(self, hyper: Tensor, quality: Tensor, size: tuple[int, int], context: Tensor | None) -> Tensor:
        """What is known of each position before its latents, (N, F, h, w)."""
        features = self.spatial(hyper)[:, :, : size[0], : size[1]]
        if context is not None:
            features = torch.cat((features, context.to(features.dtype)), 1)
        features = F.leaky_relu(self.bias(self.stem(features), quality), 0.1, inplace=True)
        result: Tensor = self.block(features)
        return result

    def of_phase(self, number: int, features: Tensor, decoded: Tensor) -> Tensor:
        """Means at the positions of a pass, (N, C, h / 2, w / 2); sizes are even."""
        phase = PHASES[number]
        here = features[:, :, phase[0] :: 2, phase[1] :: 2]
        means = full_precision(self.first, here)
        if number:
            means = means + self.later[number - 1](phase, here, decoded)
        return means


class HyperScales(nn.Module):
    """Octaves of the scales of hyper-latents: by channel, quality, and what was coded around before."""

    def __init__(self, hyper_latents: int) -> None:
        super().__init__()
        self.anchors = nn.Parameter(torch.full((ACTIVITIES, ANCHORS, hyper_latents), 3.5))

    def forward(self, quality: Tensor, activity: Tensor) -> Tensor:
        """Quality (N,) and classes (N, 1, h / 4, w / 4) to (N, H, h / 4, w / 4)."""
        tables = torch.stack([interpolate_anchors(anchors, quality) for anchors in self.anchors.unbind(0)], 1)
        chosen = F.one_hot(activity[:, 0].long(), ACTIVITIES).to(tables.dtype)
        return torch.einsum("nhwa,nac->nchw", chosen, tables)


class LatentCoder(nn.Module):
    """Gain, hyper-latents, scales and means of one kind of latents."""

    def __init__(self, sizes: LatentSizes, steps: tuple[float, float], *, smooth: bool = False) -> None:
        """``steps`` are the quantization steps at quality 0 and 63 at first; ``smooth`` latents resemble neighbours."""
        super().__init__()
        self.sizes = sizes
        self.gain = LatentGain(sizes.latents, *steps)
        wide = 2 * sizes.width
        self.analysis_first = nn.Conv2d(sizes.latents, wide, 1)
        self.analysis_bias = QualityBias(wide)
        self.analysis = nn.Sequential(
            nn.LeakyReLU(0.1),
            nn.Conv2d(wide, wide, 2, stride=2),
            nn.LeakyReLU(0.1),
            nn.Conv2d(wide, sizes.hyper_latents, 2, stride=2),
        )
        self.hyper_scales = HyperScales(sizes.hyper_latents)
        self.scales = ScaleSynthesis(sizes)
        self.means = MeanSynthesis(sizes, smooth)

    def hyper_analysis(self, gained: Tensor, quality: Tensor) -> Tensor:
        """Hyper-latents, not yet rounded, of latents that were multiplied by their gain."""
        height, width = gained.shape[2:]
        padded = F.pad(gained, (0, -width % HYPER_REDUCTION, 0, -height % HYPER_REDUCTION))
        return self.analysis(self.analysis_bias(self.analysis_first(compand(padded)), quality)).float()

    def nothing_before(self, like: Tensor) -> SymbolContext:
        """The context after an intra picture; ``like`` is anything of shape (N, _, h, w)."""
        number, _, height, width = like.shape
        zeros = like.new_zeros(number, self.sizes.latents, height, width, dtype=torch.float32)
        size = (-(-height // HYPER_REDUCTION), -(-width // HYPER_REDUCTION))
        return SymbolContext(zeros, zeros, zeros.new_zeros(number, 1, *size))

    def exact_context(self, before: SymbolContext, beside: Tensor | None) -> Tensor | None:
        """What the scales see beside hyper-latents, (N, X, h, w)."""
        parts = [before.magnitudes, before.octaves] if self.sizes.recurrent else []
        if self.sizes.exact_context:
            assert beside is not None
            parts.append(beside)
        return torch.cat(parts, 1) if parts else None

    def forward(
        self,
        latents: Tensor,
        quality: Tensor,
        before: SymbolContext | None = None,
        exact_beside: Tensor | None = None,
        mean_context: Tensor | None = None,
    ) -> CodedLatents:
        """Code ``latents`` (N, C, h, w), h and w even; bits are differentiable, rounding passes gradients.

        Args:
            latents: from the analysis.
            quality: (N,).
            before: of the previous picture, see :class:`SymbolContext`; None is what an intra picture leaves.
            exact_beside: further integers for the scales, (N, X, h, w).
            mean_context: features for the means, (N, M, h, w).
        """
        before = before or self.nothing_before(latents)
        log2_gain = self.gain(quality)
        gain = torch.exp2(log2_gain)
        size = (latents.shape[2], latents.shape[3])
        hyper = self.hyper_analysis(latents * gain, quality)
        hyper_octaves = self.hyper_scales(quality, before.activity)
        bits_hyper = gaussian_bits(self._noisy(hyper), hyper_octaves).sum((1, 2, 3))
        whole = round_through(hyper)
        octaves = self.scales(whole, quality, size, self.exact_context(before, exact_beside))
        features = self.means.features(whole, quality, size, mean_context)
        decoded = torch.zeros_like(latents)
        placed: list[Tensor] = []
        residues: list[Tensor] = []
        for number, phase in enumerate(PHASES):
            mean = self.means.of_phase(number, features, decoded)
            residue = (latents[:, :, phase[0] :: 2, phase[1] :: 2] - mean) * gain
            residues.append(residue)
            placed.append(round_through(residue) / gain + mean)
            decoded = interleave(placed)
        residue = interleave(residues)
        bits = gaussian_bits(self._noisy(residue), octaves + log2_gain).sum((1, 2, 3))
        context = self.context_after(residue.detach().round(), octaves.detach())
        return CodedLatents(decoded, context, bits, bits_hyper)

    def context_after(self, symbols: Tensor, octaves: Tensor) -> SymbolContext:
        """What the next picture's scales see of this one: symbols and octaves before gain, each (N, C, h, w)."""
        magnitudes = torch.log2(1 + symbols.abs().clamp_max(LARGEST_MAGNITUDE))
        return SymbolContext(magnitudes, octaves, activity_classes(symbols))

    def _noisy(self, values: Tensor) -> Tensor:
        """Noise in place of rounding keeps the estimate of the bits differentiable."""
        return values + torch.empty_like(values).uniform_(-0.5, 0.5) if self.training else values.round()

    @torch.no_grad()
    def start_from_deviations(self, deviations: Tensor) -> None:
        """Let the prior begin as independent zero-mean Gaussians of these standard deviations, shape (C,)."""
        last = self.scales.last
        assert last.bias is not None
        last.weight.mul_(0.1)
        last.bias.copy_(torch.log2(deviations / SMALLEST_SCALE))

    @torch.no_grad()
    def start_hyper_latents(self, latents: Tensor, quality: Tensor, deviation: float = 1.5) -> None:
        """Scale the hyper-analysis so that its output has this deviation: rounded to zero, it would not learn."""
        last = self.analysis[-1]
        assert isinstance(last, nn.Conv2d)
        gained = latents * torch.exp2(self.gain(quality))
        last.weight.mul_(deviation / self.hyper_analysis(gained, quality).std())


def activity_classes(symbols: Tensor) -> Tensor:
    """Classes 1 to 3 of the hyper-latents of the next picture, (N, 1, h / 4, w / 4), from symbols (N, C, h, w)."""
    height, width = symbols.shape[2:]
    present = (symbols != 0).sum(1, keepdim=True).float()
    padded = F.pad(present, (0, -width % HYPER_REDUCTION, 0, -height % HYPER_REDUCTION))
    counts = F.avg_pool2d(padded, HYPER_REDUCTION) * HYPER_REDUCTION**2
    around = F.avg_pool2d(F.pad(counts, (1, 1, 1, 1)), 3, stride=1) * 9
    return 1 + (around > 0.5).float() + (around > MUCH - 0.5).float()


def interleave(phases: list[Tensor]) -> Tensor:
    """Values of the first passes, each (N, C, h / 2, w / 2), at their positions of (N, C, h, w); zeros elsewhere."""
    nothing = torch.zeros_like(phases[0])
    ordered = [nothing] * len(PHASES)
    for (row, column), values in zip(PHASES, phases, strict=False):
        ordered[2 * row + column] = values
    number, channels, height, width = nothing.shape
    stacked = torch.stack(ordered, 2).view(number, channels, 2, 2, height, width)
    return stacked.permute(0, 1, 4, 2, 5, 3).reshape(number, channels, 2 * height, 2 * width)


def _strided(convolution: nn.Conv2d, padded: Tensor) -> Tensor:
    """The convolution at every second position of an input that is padded already."""
    return convolve(padded, convolution, padding=(0, 0), stride=(2, 2))
