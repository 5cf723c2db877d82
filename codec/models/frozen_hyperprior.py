"""A hyperprior as the coder runs it: integer tables, integer hyper-synthesis, integer gains.

Everything that decides a probability is an exact integer function of symbols that the decoder has already decoded:
fixed-point numbers with 10 fractional bits, held in float64. Only the final latents are floating point.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from scaleflow.codec.models.bin_width_map import GAIN_STEPS_PER_WIDTH
from scaleflow.codec.models.hyperprior import (
    SCALE_STEPS_PER_OCTAVE,
    HyperSynthesis,
    MeanScaleHyperprior,
    Phase,
    SpatialContext,
)
from scaleflow.codec.models.presence import CellMask, positions_of
from scaleflow.codec.models.quality import ANCHORS, LatentGain
from scaleflow.entropy.factorized_tables import factorized_tables
from scaleflow.entropy.fixed_point import GAIN_STEPS_PER_OCTAVE, ONE, apply_gain, scale_index_from_log2
from scaleflow.entropy.frequency_tables import FrequencyTables
from scaleflow.entropy.integer_network import IntegerNetwork
from scaleflow.entropy.symbol_calls import SymbolCall, TakesSymbols
from scaleflow.entropy.symbol_coder import SymbolDecoder
from scaleflow.quality_range import HIGHEST_QUALITY_CODE

_INDEX_PER_GAIN = ONE * SCALE_STEPS_PER_OCTAVE // GAIN_STEPS_PER_OCTAVE
"""Fixed-point scale indices for one step of a gain."""


@dataclass(frozen=True)
class DecodedLatents:
    """``values`` float32 (1, C, h, w) for the synthesis; ``fixed`` the same before gain as fixed-point integers, for
    the next picture's prior."""

    values: Tensor
    fixed: Tensor


@dataclass(frozen=True)
class ChosenLatents:
    """Latents that an encoder may write, or weigh against others.

    Attributes:
        decoded: as the decoder will have them.
        calls: of the range coder: hyper-latents, then the latents of each phase.
        phases: what positions these are at.
        size: rows and columns of the latents.
        cells: where there are latents; None for everywhere.
    """

    decoded: DecodedLatents
    calls: tuple[SymbolCall, ...]
    phases: tuple[Phase, ...]
    size: tuple[int, int]
    cells: CellMask | None

    def write(self, encoder: TakesSymbols) -> None:
        """Code the symbols."""
        for call in self.calls:
            call.write(encoder)

    @cached_property
    def _bits(self) -> tuple[NDArray[np.float64], ...]:
        """Of the symbols of each call, summed over channels, in the places of the call; 0 where there are none."""
        return tuple(call.bits_of_places() for call in self.calls)

    @property
    def bits(self) -> float:
        """Ideal bits of the latents."""
        return float(sum(part.sum() for part in self._bits[1:]))

    @property
    def hyper_bits(self) -> float:
        """Ideal bits of the hyper-latents."""
        return float(self._bits[0].sum())

    def bits_of_cells(self) -> NDArray[np.float64]:
        """Ideal bits of each hyper-latent's position with the latents below it, (ceil(h / 4), ceil(w / 4))."""
        hyper, *latents = self._bits
        places = np.zeros((4 * hyper.shape[0], 4 * hyper.shape[1]))
        within = places[: self.size[0], : self.size[1]]
        occurring = [phase for phase in self.phases if within[phase].size]
        for phase, bits in zip(occurring, latents, strict=True):
            within[phase] = bits
        total: NDArray[np.float64] = hyper + places.reshape(hyper.shape[0], 4, hyper.shape[1], 4).sum((1, 3))
        return total


class FrozenGain(nn.Module):
    """Gains at the anchors as integers; between them integer interpolation."""

    anchors: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("anchors", torch.zeros(ANCHORS, channels, dtype=torch.int32))

    def freeze(self, gain: LatentGain) -> None:
        """Take the learned gains, rounded to 1/512 octave."""
        self.anchors.copy_((gain.anchors.detach().double() * GAIN_STEPS_PER_OCTAVE).round().int())

    def forward(self, quality_code: int) -> Tensor:
        """Gain of each channel in 1/512 octaves, float64 integers of shape (1, C, 1, 1); quality in sixteenths."""
        span = HIGHEST_QUALITY_CODE
        position = min(max(quality_code, 0), span) * (ANCHORS - 1)
        lower = min(position // span, ANCHORS - 2)
        part = position - lower * span
        anchors = self.anchors.long()
        mixed = anchors[lower] * (span - part) + anchors[lower + 1] * part
        return torch.div(mixed + span // 2, span, rounding_mode="floor").double().view(1, -1, 1, 1)


class FrozenSpatialContext(nn.Module):
    """:class:`SpatialContext` in exact integers, computed only where its phase is."""

    def __init__(self, source: SpatialContext, phase: Phase) -> None:
        super().__init__()
        self.phase = phase
        self.neighbours = IntegerNetwork.from_float(_at_every_second(source.neighbours))
        self.average = IntegerNetwork.from_float(_at_every_second(nn.Sequential(source.average)))
        self.merge = IntegerNetwork.from_float(nn.Sequential(*source.merge, _in_grid_steps(source.last)))

    def forward(self, features: Tensor, decoded: Tensor) -> Tensor:
        """Fixed-point means and scale indices at the positions of the phase; the arguments cover all positions."""
        rows, columns = self.phase
        around = F.pad(decoded, (1, 1, 1, 1))[:, :, rows.start :, columns.start :]
        parameters = self.merge(torch.cat((features[:, :, rows, columns], self.neighbours(around)), 1))
        means = self.average(around)
        return torch.cat((parameters[:, : means.shape[1]] + means, parameters[:, means.shape[1] :]), 1)


class FrozenHyperSynthesis(nn.Module):
    """:class:`HyperSynthesis` in exact integers."""

    def __init__(self, source: HyperSynthesis) -> None:
        super().__init__()
        self.phases = source.phases
        self.spatial = IntegerNetwork.from_float(source.spatial)
        self.context = IntegerNetwork.from_float(source.context) if source.context is not None else None
        self.parameters_network = IntegerNetwork.from_float(source.parameters_network)
        self.last = (
            IntegerNetwork.from_float(nn.Sequential(_in_grid_steps(source.last))) if source.last is not None else None
        )
        contexts = [module for module in source.contexts if isinstance(module, SpatialContext)]
        self.contexts = nn.ModuleList(
            FrozenSpatialContext(module, phase) for module, phase in zip(contexts, source.phases, strict=False)
        )

    def check_bounds(self) -> None:
        """Raise ValueError where loaded weights could make a sum inexact."""
        for part in self.modules():
            if isinstance(part, IntegerNetwork):
                part.check_bounds()

    def features(self, hyper: Tensor, size: tuple[int, int], context: Tensor | None) -> Tensor:
        """Fixed-point features of each position, (1, F, ``*size``)."""
        features = self.spatial(hyper)[:, :, : size[0], : size[1]]
        if self.context is not None:
            assert context is not None
            features = torch.cat((features, self.context(context)), 1)
        return self.parameters_network(features)

    def parameters_of_phase(self, number: int, features: Tensor, decoded: Tensor) -> tuple[Tensor, Tensor]:
        """Fixed-point means and scale indices of latents before gain, at the positions of the phase."""
        parameters = self.last(features) if self.last is not None else self.contexts[number](features, decoded)
        means, scales = parameters.chunk(2, 1)
        return means, scales


def _at_every_second(network: nn.Sequential) -> nn.Sequential:
    """The same 3x3 convolution at every second position of an input that is padded already."""
    strided = copy.deepcopy(network)
    for layer in strided:
        if isinstance(layer, nn.Conv2d):
            layer.stride, layer.padding = (2, 2), (0, 0)
    return strided


def _in_grid_steps(last: nn.Conv2d) -> nn.Conv2d:
    """The same layer with scales in steps of the scale grid instead of octaves."""
    scaled = copy.deepcopy(last)
    with torch.no_grad():
        for parameter in (scaled.weight, scaled.bias):
            assert parameter is not None
            parameter[len(parameter) // 2 :] *= SCALE_STEPS_PER_OCTAVE
    return scaled


class FrozenHyperprior(nn.Module):
    """Codes and decodes latents of one kind."""

    def __init__(self, source: MeanScaleHyperprior, gaussian: FrequencyTables, channels: int) -> None:
        super().__init__()
        self.source = source
        self.synthesis = FrozenHyperSynthesis(source.synthesis)
        self.gain = FrozenGain(channels)
        self.gaussian = gaussian
        self.hyper_tables: FrequencyTables | None = None

    def freeze(self, gain: LatentGain) -> None:
        """Freeze tables, integer network and gains from the trained float parts."""
        self.synthesis = FrozenHyperSynthesis(self.source.synthesis)
        self.gain.freeze(gain)
        self.hyper_tables = factorized_tables(self.source.bottleneck)

    def choose(
        self,
        latents: Tensor,
        quality_code: int,
        context: Tensor | None,
        widths: NDArray[np.int32] | None = None,
        cells: CellMask | None = None,
    ) -> ChosenLatents:
        """Symbols for ``latents`` (1, C, h, w).

        Args:
            latents: from the analysis.
            quality_code: in sixteenths.
            context: what the prior sees of pictures and latents before; None for priors that see none.
            widths: (h, w), where bins are wider than the quality's, see :mod:`scaleflow.codec.models.bin_width_map`.
            cells: (ceil(h / 4), ceil(w / 4)), where there are latents at all; None for everywhere.
        """
        size = _size(latents)
        steps = self._steps(quality_code, widths)
        inside = None if cells is None else positions_of(cells, size)
        gained = _only(latents * self._float_gain(steps), inside)
        hyper = _only(self.source.hyper_analysis(gained).round().clamp(-(2**20), 2**20), cells)
        tables = self._tables()
        calls = [SymbolCall(_to_symbols(hyper), _channel_indices(hyper.shape), tables, cells)]
        features = self.synthesis.features(hyper.double() * ONE, size, context)
        # as the decoder makes them: another memory layout would be summed in another order
        fixed = torch.zeros(latents.shape, dtype=torch.float64, device=latents.device)
        values = torch.zeros_like(fixed, dtype=torch.float32)
        for number in self.phases_within(size):
            rows, columns = self.synthesis.phases[number]
            here = None if inside is None else inside[rows, columns]
            means, indices = self._entropy_parameters(number, features, fixed, steps)
            residue = (gained[:, :, rows, columns].double() - means / ONE).round().clamp(-(2**30), 2**30)
            calls.append(SymbolCall(_to_symbols(residue), indices, self.gaussian, here))
            self._place(number, residue, means, steps, here, fixed, values)
        return ChosenLatents(DecodedLatents(values, fixed), tuple(calls), self.synthesis.phases, size, cells)

    def nothing(self, size: tuple[int, int]) -> DecodedLatents:
        """Latents that are absent from a whole picture of ``size`` (h, w): zeros."""
        shape = (1, self.gain.anchors.shape[1], *size)
        fixed = torch.zeros(shape, dtype=torch.float64, device=self.gain.anchors.device)
        return DecodedLatents(torch.zeros_like(fixed, dtype=torch.float32), fixed)

    def decode(
        self,
        size: tuple[int, int],
        quality_code: int,
        context: Tensor | None,
        decoder: SymbolDecoder,
        widths: NDArray[np.int32] | None = None,
        cells: CellMask | None = None,
    ) -> DecodedLatents:
        """Inverse of :meth:`choose` for latents of ``size`` (h, w)."""
        steps = self._steps(quality_code, widths)
        inside = None if cells is None else positions_of(cells, size)
        shape = (1, self.source.hyper_latents, -(-size[0] // 4), -(-size[1] // 4))
        read = _decode_call(decoder, _channel_indices(shape), self._tables(), cells)
        features = self.synthesis.features(self._from_symbols(read, steps.device) * ONE, size, context)
        fixed = torch.zeros(1, steps.shape[1], *size, dtype=torch.float64, device=steps.device)
        values = torch.zeros_like(fixed, dtype=torch.float32)
        for number in self.phases_within(size):
            rows, columns = self.synthesis.phases[number]
            here = None if inside is None else inside[rows, columns]
            means, indices = self._entropy_parameters(number, features, fixed, steps)
            residue = self._from_symbols(_decode_call(decoder, indices, self.gaussian, here), steps.device)
            self._place(number, residue, means, steps, here, fixed, values)
        return DecodedLatents(values, fixed)

    def phases_within(self, size: tuple[int, int]) -> list[int]:
        """Phases that have a position at all: a picture of one row has none in odd rows."""
        return [
            number
            for number, (rows, columns) in enumerate(self.synthesis.phases)
            if (rows.start or 0) < size[0] and (columns.start or 0) < size[1]
        ]

    def _steps(self, quality_code: int, widths: NDArray[np.int32] | None) -> Tensor:
        """Gains in 1/512 octaves, (1, C, 1, 1), or (1, C, h, w) where they differ from place to place."""
        steps = self.gain(quality_code)
        if widths is None:
            return steps
        lower = torch.from_numpy(widths.astype(np.float64)).to(steps.device) * GAIN_STEPS_PER_WIDTH
        return steps - lower

    def _of_phase(self, number: int, steps: Tensor) -> Tensor:
        rows, columns = self.synthesis.phases[number]
        return steps if steps.shape[2:] == (1, 1) else steps[:, :, rows, columns]

    def _entropy_parameters(
        self, number: int, features: Tensor, decoded: Tensor, steps: Tensor
    ) -> tuple[Tensor, NDArray[np.integer[Any]]]:
        """Gained means and scale indices of the positions of a phase."""
        means, scales = self.synthesis.parameters_of_phase(number, features, decoded)
        steps = self._of_phase(number, steps)
        indices = scale_index_from_log2(scales + steps * _INDEX_PER_GAIN, len(self.gaussian))
        return apply_gain(means, steps), indices.to(torch.uint8).cpu().numpy()

    def _place(
        self,
        number: int,
        residue: Tensor,
        means: Tensor,
        steps: Tensor,
        inside: CellMask | None,
        fixed: Tensor,
        values: Tensor,
    ) -> None:
        """Write the decoded latents of a phase, as fixed-point integers and as floats; zeros where there are none."""
        rows, columns = self.synthesis.phases[number]
        steps = self._of_phase(number, steps)
        gained = residue * ONE + means
        fixed[:, :, rows, columns] = _only(apply_gain(gained, -steps), inside)
        values[:, :, rows, columns] = _only((gained / ONE).float() / self._float_gain(steps), inside)

    @staticmethod
    def _float_gain(steps: Tensor) -> Tensor:
        return torch.exp2(steps / GAIN_STEPS_PER_OCTAVE).float()

    @staticmethod
    def _from_symbols(symbols: NDArray[np.int32], device: torch.device) -> Tensor:
        return torch.from_numpy(symbols.astype(np.float64)).to(device)

    def _tables(self) -> FrequencyTables:
        if self.hyper_tables is None:
            raise ValueError("this hyperprior has no tables yet: freeze() it or load frozen weights")
        return self.hyper_tables


def _only(values: Tensor, inside: CellMask | None) -> Tensor:
    """Zeros outside a mask of the last two dimensions."""
    return values if inside is None else values * torch.from_numpy(inside).to(values.device)


def _decode_call(
    decoder: SymbolDecoder, indices: NDArray[np.integer[Any]], tables: FrequencyTables, inside: CellMask | None
) -> NDArray[np.int32]:
    """Symbols of the shape of ``indices``; only those inside were coded, others are zero."""
    if inside is None:
        return decoder.decode(indices, tables)
    symbols = np.zeros(indices.shape, np.int32)
    symbols[:, :, inside] = decoder.decode(indices[:, :, inside], tables)
    return symbols


def _size(latents: Tensor) -> tuple[int, int]:
    return latents.shape[2], latents.shape[3]


def _to_symbols(values: Tensor) -> NDArray[np.int32]:
    return values.to(torch.int32).cpu().numpy()


def _channel_indices(shape: tuple[int, ...] | torch.Size) -> NDArray[np.uint8]:
    channels = np.arange(shape[1], dtype=np.uint8).reshape(1, -1, 1, 1)
    return np.broadcast_to(channels, tuple(shape))
