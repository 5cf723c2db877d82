"""Latents as they are coded: scales by integer arithmetic alone, means in floating point.

The decoder knows the scale index of every symbol of a kind before it decodes the first, so each kind takes two calls of
the range coder: hyper-latents, then latents. Means follow when the symbols are there.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from scaleflow.codec.models.frozen_hyperprior import FrozenGain
from scaleflow.codec.models.hyperprior import SCALE_STEPS_PER_OCTAVE
from scaleflow.codec.models.recurrent.latent_coder import (
    ACTIVITIES,
    HYPER_REDUCTION,
    LARGEST_MAGNITUDE,
    PHASES,
    LatentCoder,
    ScaleSynthesis,
    activity_classes,
)
from scaleflow.entropy.fixed_point import GAIN_STEPS_PER_OCTAVE, ONE, round_shift, scale_index_from_log2
from scaleflow.entropy.frequency_tables import FrequencyTables
from scaleflow.entropy.integer_network import IntegerNetwork
from scaleflow.entropy.symbol_coder import SymbolDecoder, SymbolEncoder

_SymbolsOfPhase = Callable[[int, Tensor], Tensor]

_OCTAVE_BITS = 3
"""Scale indices in an octave, as a power of two."""

_INDEX_PER_GAIN = ONE * SCALE_STEPS_PER_OCTAVE // GAIN_STEPS_PER_OCTAVE

assert 1 << _OCTAVE_BITS == SCALE_STEPS_PER_OCTAVE


@dataclass(frozen=True)
class ExactContext:
    """:class:`scaleflow.codec.models.recurrent.latent_coder.SymbolContext` in exact integers.

    ``magnitudes`` and ``octaves`` are fixed-point integers in float64; all have even height and width.
    """

    magnitudes: Tensor
    octaves: Tensor
    activity: Tensor


@dataclass(frozen=True)
class LatentSymbols:
    """What is written of latents of one kind, int32: hyper-latents (1, H, h / 4, w / 4) and latents (1, C, h, w).

    ``scales`` are what the hyper-latents say of the latents: fixed-point scale indices before gain, of even size.
    ``absent``: nothing is written, and all symbols are zero.
    """

    hyper: NDArray[np.int32]
    latents: NDArray[np.int32]
    scales: Tensor
    absent: bool = False


@dataclass(frozen=True)
class DecodedLatents:
    """Latents (1, C, h, w) as the decoder has them, and their context for the next picture."""

    values: Tensor
    context: ExactContext


@dataclass(frozen=True)
class LatentSurroundings:
    """What latents of one kind are coded beside.

    Attributes:
        size: positions (h, w) of the latents.
        quality_code: in sixteenths.
        quality: the same as (1,), 0..63.
        before: of the previous picture.
        exact_beside: further fixed-point integers for the scales.
        mean_context: features for the means, (1, M, h, w).
    """

    size: tuple[int, int]
    quality_code: int
    quality: Tensor
    before: ExactContext
    exact_beside: Tensor | None = None
    mean_context: Tensor | None = None

    @property
    def even_size(self) -> tuple[int, int]:
        """Rounded up to even numbers, as the passes need it; nothing is coded of what is added."""
        return self.size[0] + self.size[0] % 2, self.size[1] + self.size[1] % 2


class FrozenScales(nn.Module):
    """:class:`scaleflow.codec.models.recurrent.latent_coder.ScaleSynthesis` in exact integers."""

    def __init__(self, source: ScaleSynthesis) -> None:
        super().__init__()
        self.spatial = IntegerNetwork.from_float(source.spatial)
        self.context = IntegerNetwork.from_float(source.context) if source.context is not None else None
        self.merge = IntegerNetwork.from_float(nn.Sequential(source.merge))
        self.bias = FrozenGain(source.bias.anchors.shape[1])
        self.bias.anchors.copy_((source.bias.anchors.detach().double() * ONE).round().int())
        self.last = IntegerNetwork.from_float(nn.Sequential(_in_grid_steps(source.last)))

    def forward(self, hyper: Tensor, quality_code: int, size: tuple[int, int], context: Tensor | None) -> Tensor:
        """Fixed-point scale indices before gain, (1, C, h, w) of ``size``, from whole hyper-latents in float64."""
        features = self.spatial(hyper * ONE)[:, :, : size[0], : size[1]]
        if self.context is not None:
            assert context is not None
            features = torch.cat((features, self.context(context)), 1)
        merged = (self.merge(features) + self.bias(quality_code)).clamp_min(0)
        indices: Tensor = self.last(merged)
        return indices


class FrozenLatentCoder(nn.Module):
    """Codes and decodes latents of one kind."""

    magnitudes: Tensor

    def __init__(self, source: LatentCoder, gaussian: FrequencyTables) -> None:
        super().__init__()
        self.source = source
        self.gaussian = gaussian
        self.scales = FrozenScales(source.scales)
        self.gain = FrozenGain(source.sizes.latents)
        self.hyper_scales = nn.ModuleList(FrozenGain(source.sizes.hyper_latents) for _ in range(ACTIVITIES))
        self.register_buffer("magnitudes", torch.zeros(int(LARGEST_MAGNITUDE) + 1, dtype=torch.int32))

    def freeze(self) -> None:
        """Take integers from the trained float parts."""
        source = self.source
        self.scales = FrozenScales(source.scales)
        self.gain.freeze(source.gain)
        for tables, anchors in zip(self.hyper_scales, source.hyper_scales.anchors.detach(), strict=True):
            assert isinstance(tables, FrozenGain)
            tables.anchors.copy_((anchors.double() * (SCALE_STEPS_PER_OCTAVE * ONE)).round().int())
        numbers = torch.arange(len(self.magnitudes), dtype=torch.float64)
        self.magnitudes.copy_((torch.log2(1 + numbers) * ONE).round().int())

    def check_bounds(self) -> None:
        """Raise ValueError where loaded weights could make a sum inexact."""
        for part in self.scales.modules():
            if isinstance(part, IntegerNetwork):
                part.check_bounds()

    def nothing_before(self, size: tuple[int, int]) -> ExactContext:
        """The context after an intra picture, for latents of ``size``."""
        height, width = size[0] + size[0] % 2, size[1] + size[1] % 2
        zeros = torch.zeros(
            1, self.source.sizes.latents, height, width, dtype=torch.float64, device=self.gain.anchors.device
        )
        return ExactContext(zeros, zeros, torch.zeros(1, 1, *_hyper_size((height, width)), device=zeros.device))

    def choose(self, latents: Tensor, around: LatentSurroundings) -> tuple[LatentSymbols, DecodedLatents]:
        """Quantize ``latents`` (1, C, h, w), and what the decoder will have."""
        padded = _padded(latents, around.even_size)
        gain = self._float_gain(around)
        analysed = self.source.hyper_analysis(padded * gain, around.quality).round().clamp(-(2**20), 2**20)
        chosen = _to_symbols(analysed)
        parts: list[Tensor] = []

        def quantize(number: int, mean: Tensor) -> Tensor:
            row, column = PHASES[number]
            residue = (padded[:, :, row::2, column::2] - mean) * gain
            symbols = residue.round().clamp(-(2**30), 2**30)
            # nothing is coded of the positions that were added
            rows, columns = (around.size[0] - row + 1) // 2, (around.size[1] - column + 1) // 2
            symbols[:, :, rows:] = 0
            symbols[:, :, :, columns:] = 0
            parts.append(symbols)
            return symbols

        values = self._values(self._hyper(chosen), around, quantize)
        symbols = torch.empty_like(padded)
        for (row, column), part in zip(PHASES, parts, strict=True):
            symbols[:, :, row::2, column::2] = part
        written = LatentSymbols(chosen, _to_symbols(_cropped(symbols, around.size)), self._scales(chosen, around))
        return written, DecodedLatents(values, self._context(symbols, written.scales))

    def decoded(self, symbols: LatentSymbols, around: LatentSurroundings) -> DecodedLatents:
        """What the decoder has of these symbols."""
        device = self.gain.anchors.device
        latents = _padded(torch.from_numpy(symbols.latents.astype(np.float32)).to(device), around.even_size)

        def given(number: int, mean: Tensor) -> Tensor:
            row, column = PHASES[number]
            return latents[:, :, row::2, column::2]

        return DecodedLatents(
            self._values(self._hyper(symbols.hyper), around, given), self._context(latents, symbols.scales)
        )

    def nothing(self, around: LatentSurroundings) -> LatentSymbols:
        """All symbols zero, and nothing written."""
        hyper = np.zeros((1, self.source.sizes.hyper_latents, *_hyper_size(around.size)), np.int32)
        latents = np.zeros((1, self.source.sizes.latents, *around.size), np.int32)
        return LatentSymbols(hyper, latents, self._scales(hyper, around), absent=True)

    def write(self, symbols: LatentSymbols, around: LatentSurroundings, encoder: SymbolEncoder) -> None:
        """Code them, unless they are absent."""
        if not symbols.absent:
            encoder.encode(symbols.hyper, self._hyper_rows(around), self.gaussian)
            encoder.encode(symbols.latents, self._rows(symbols.scales, around), self.gaussian)

    def bits(self, symbols: LatentSymbols, around: LatentSurroundings) -> tuple[float, float]:
        """Ideal bits of latents and of hyper-latents."""
        if symbols.absent:
            return 0.0, 0.0
        latents = self.gaussian.bits(symbols.latents, self._rows(symbols.scales, around))
        return latents, self.gaussian.bits(symbols.hyper, self._hyper_rows(around))

    def read(self, around: LatentSurroundings, decoder: SymbolDecoder) -> LatentSymbols:
        """Inverse of :meth:`write`, for symbols that are there."""
        hyper = decoder.decode(self._hyper_rows(around), self.gaussian)
        scales = self._scales(hyper, around)
        return LatentSymbols(hyper, decoder.decode(self._rows(scales, around), self.gaussian), scales)

    def _rows(self, scales: Tensor, around: LatentSurroundings) -> NDArray[np.uint8]:
        gained = scales + self.gain(around.quality_code) * _INDEX_PER_GAIN
        return _to_rows(scale_index_from_log2(_cropped(gained, around.size), len(self.gaussian)))

    def _hyper_rows(self, around: LatentSurroundings) -> NDArray[np.uint8]:
        tables = torch.stack([table(around.quality_code)[0] for table in self.hyper_scales])  # (classes, H, 1, 1)
        size = _hyper_size(around.size)
        classes = around.before.activity[0, 0, : size[0], : size[1]].long()
        chosen = tables[classes.flatten(), :, 0, 0].T.reshape(1, -1, *size)
        return _to_rows(scale_index_from_log2(chosen, len(self.gaussian)))

    def _scales(self, hyper: NDArray[np.int32], around: LatentSurroundings) -> Tensor:
        """Fixed-point scale indices before gain, of even size."""
        whole = torch.from_numpy(hyper.astype(np.float64)).to(self.gain.anchors.device)
        parts = [around.before.magnitudes, around.before.octaves] if self.source.sizes.recurrent else []
        if self.source.sizes.exact_context:
            assert around.exact_beside is not None
            parts.append(around.exact_beside)
        context = torch.cat(parts, 1) if parts else None
        scales: Tensor = self.scales(whole, around.quality_code, around.even_size, context)
        return scales

    def _hyper(self, symbols: NDArray[np.int32]) -> Tensor:
        return torch.from_numpy(symbols.astype(np.float32)).to(self.gain.anchors.device)

    def _context(self, symbols: Tensor, scales: Tensor) -> ExactContext:
        magnitudes = self.magnitudes[symbols.abs().clamp_max(LARGEST_MAGNITUDE).long()].double()
        return ExactContext(magnitudes, round_shift(scales, _OCTAVE_BITS), activity_classes(symbols))

    def _values(self, hyper: Tensor, around: LatentSurroundings, symbols_of: _SymbolsOfPhase) -> Tensor:
        """Latents pass by pass: ``symbols_of`` a pass, given its means."""
        context = None if around.mean_context is None else _padded(around.mean_context, around.even_size)
        features = self.source.means.features(hyper, around.quality, around.even_size, context)
        gain = self._float_gain(around)
        shape = (1, self.source.sizes.latents, *around.even_size)
        values = torch.zeros(shape, device=hyper.device, dtype=torch.float32)
        for number, (row, column) in enumerate(PHASES):
            mean = self.source.means.of_phase(number, features, values)
            values[:, :, row::2, column::2] = symbols_of(number, mean) / gain + mean
        return _cropped(values, around.size)

    def _float_gain(self, around: LatentSurroundings) -> Tensor:
        return torch.exp2(self.gain(around.quality_code) / GAIN_STEPS_PER_OCTAVE).float()


def _hyper_size(size: tuple[int, int]) -> tuple[int, int]:
    return -(-size[0] // HYPER_REDUCTION), -(-size[1] // HYPER_REDUCTION)


def _padded(values: Tensor, size: tuple[int, int]) -> Tensor:
    height, width = values.shape[2:]
    return F.pad(values, (0, size[1] - width, 0, size[0] - height)) if (height, width) != size else values


def _cropped(values: Tensor, size: tuple[int, int]) -> Tensor:
    return values[:, :, : size[0], : size[1]]


def _to_symbols(values: Tensor) -> NDArray[np.int32]:
    """In row order, whatever the layout of the tensor: sums in another order would differ between the two sides."""
    return np.ascontiguousarray(values.to(torch.int32).cpu().numpy())


def _to_rows(indices: Tensor) -> NDArray[np.uint8]:
    rows: NDArray[np.uint8] = indices.to(torch.uint8).cpu().numpy()
    return rows


def _in_grid_steps(last: nn.Conv2d) -> nn.Conv2d:
    """The same layer with scales in steps of the scale grid instead of octaves."""
    scaled = copy.deepcopy(last)
    with torch.no_grad():
        for parameter in scaled.parameters():
            parameter.mul_(SCALE_STEPS_PER_OCTAVE)
    return scaled
