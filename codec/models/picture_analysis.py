"""What a picture's payload says about where its bits went and what moved, for maps that people look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scaleflow.codec.models.absence import ABSENCE_TABLES
from scaleflow.codec.models.frozen_hyperprior import FrozenHyperprior
from scaleflow.codec.models.hyperprior import Phase
from scaleflow.codec.models.presence import PRESENCE_TABLES, CellMask, positions_of
from scaleflow.codec.models.region_coding import LatentKind
from scaleflow.codec.picture import Planes
from scaleflow.entropy.frequency_tables import FrequencyTables
from scaleflow.entropy.symbol_coder import Indices, SymbolDecoder, Symbols

SIDE_INFORMATION = "side information"
"""The kind of hyper-latents, of the quality code, and of what says which latents are present."""

REGION_MAP = "region map"
"""The kind of the map of bin widths."""


@dataclass(frozen=True)
class PictureAnalysis:
    """One decoded picture, taken apart.

    Attributes:
        key: coded alone.
        planes: the decoded picture.
        bits: by kind (``intra``, or ``motion`` and ``residual``; ``side information``; ``region map``, where the
            picture has one) a map of ideal code lengths, float32 (h, w), a value for each cell. Side information is
            spread evenly over the cells that it describes.
        cell: width and height of a cell in samples of luma; the last ones reach beyond the picture's border.
        flow: float32 (2, H/4, W/4) of the padded picture, x and y in samples of luma: where in the reference a
            sample comes from; zeros where a picture has no motion. None in key pictures.
        scale: float32 (H/4, W/4), the level of the volume of blurred references, 0 where it is sharp. None in key
            pictures.
        widths: of the bins of latents, (h, w), in quarters of an octave, a value for each cell; None where the picture
            has no map of them.
    """

    key: bool
    planes: Planes
    bits: dict[str, NDArray[np.float32]]
    cell: int
    flow: NDArray[np.float32] | None
    scale: NDArray[np.float32] | None
    widths: NDArray[np.int32] | None = None


@dataclass(frozen=True)
class SymbolCosts:
    """Ideal bits of the symbols of one call of the decoder, in their shape, and the tables they were coded with."""

    bits: NDArray[np.float64]
    tables: FrequencyTables


class CostRecorder(SymbolDecoder):
    """Decodes, and keeps what each symbol cost."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.costs: list[SymbolCosts] = []

    def decode(self, indices: Indices, tables: FrequencyTables) -> Symbols:
        """See :meth:`scaleflow.entropy.symbol_coder.SymbolDecoder.decode`."""
        symbols = super().decode(indices, tables)
        self.costs.append(SymbolCosts(tables.bits_of_symbols(symbols, indices), tables))
        return symbols


def bits_by_kind(
    costs: Iterable[SymbolCosts],
    priors: Mapping[LatentKind, FrozenHyperprior],
    size: tuple[int, int],
    present: Mapping[LatentKind, CellMask],
) -> dict[str, NDArray[np.float32]]:
    """Maps of ``size`` (h, w) from the calls of a picture's decoder, in their order.

    Args:
        costs: the quality code's, those of a map of bin widths if there is one, then of each kind of latents where it
            is present, if the picture says so, and its hyper-latents' and those of its phases.
        priors: of each kind, by whose tables its hyper-latents are recognised.
        size: rows and columns of the latents.
        present: the kinds that a picture of this sort has, and where it has them.
    """
    side, region_map = np.zeros(size), np.zeros(size)
    maps: dict[str, NDArray[np.float64]] = {kind: np.zeros(size) for kind in present}
    kind: LatentKind | None = None
    phases: list[Phase] = []
    for number, cost in enumerate(costs):
        begun = next((name for name, prior in priors.items() if prior.hyper_tables is cost.tables), None)
        if begun is not None:
            kind = begun
            side += _spread(_placed(cost.bits, present[kind]), size)
            phases = [priors[kind].synthesis.phases[phase] for phase in priors[kind].phases_within(size)]
        elif kind is not None and cost.tables is priors[kind].gaussian:
            phase = phases.pop(0)
            maps[kind][phase] += _placed(cost.bits, positions_of(present[kind], size)[phase])
        else:
            of_side = number == 0 or cost.tables is ABSENCE_TABLES or cost.tables is PRESENCE_TABLES
            (side if of_side else region_map)[:] += cost.bits.sum() / side.size
    maps |= {SIDE_INFORMATION: side} | ({REGION_MAP: region_map} if region_map.any() else {})
    return {name: bits.astype(np.float32) for name, bits in maps.items()}


def _placed(bits: NDArray[np.float64], inside: CellMask) -> NDArray[np.float64]:
    """Sums over channels in the places of a mask: of bits (1, C, h, w), or (1, C, places) where it is not all."""
    placed = np.zeros(inside.shape)
    placed[inside] = bits.sum((0, 1)).reshape(-1)
    return placed


def _spread(hyper: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    """Bits of hyper-latents, (ceil(h / 4), ceil(w / 4)), shared evenly by the cells below each."""
    rows, columns = np.arange(size[0]) // 4, np.arange(size[1]) // 4
    shares = np.outer(np.bincount(rows), np.bincount(columns))
    return (hyper / shares)[np.ix_(rows, columns)]
