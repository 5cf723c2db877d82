"""Where an inter picture has latents at all: cells of 64x64 samples, each below one hyper-latent.

Where nothing moves, a cell without motion is the reference itself, and a cell without residual the prediction itself;
neither costs more than its place in a map, and that next to nothing where the map before was the same. A picture that
repeats its reference costs two flags.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from scaleflow.codec.models.absence import decode_absence, encode_absence
from scaleflow.entropy.errors import DamagedSymbolsError
from scaleflow.entropy.frequency_tables import FrequencyTables
from scaleflow.entropy.symbol_calls import SymbolCalls, TakesSymbols
from scaleflow.entropy.symbol_coder import SymbolDecoder

HYPER_CELL = 4
"""Positions of latents in each direction below one hyper-latent."""

CellMask = NDArray[np.bool_]
"""Of hyper-latents, (ceil(h / 4), ceil(w / 4)), true where there are latents."""

CellValues = NDArray[np.float64]
"""A number for each of these."""

_PRESENT = (
    *(0.5,),
    *(0.06, 0.13, 0.2, 0.3),
    *(0.6, 0.7, 0.9, 0.95),
    *(0.15,),
    *(0.02, 0.1, 0.15, 0.25),
    *(0.4, 0.6, 0.6, 0.65),
    *(0.65,),
    *(0.17, 0.28, 0.45, 0.55),
    *(0.5, 0.7, 0.85, 0.95),
)
"""Share of cells that are present, by context: for motion, for residual without motion, and for residual with it;
first where no map was before, then by whether the cell was absent or present before, and by its neighbours then.
Counted on eleven clips of the training set; the first is even, for cameras that see little move."""

PRESENCE_TABLES = FrequencyTables.from_rows([([1 - share, share, 1e-6], 0) for share in _PRESENT])
_CONTEXTS = len(_PRESENT) // 3


@dataclass(frozen=True)
class InterPresence:
    """Where a picture has motion latents, and where residual latents."""

    motion: CellMask
    residual: CellMask

    @property
    def complete(self) -> bool:
        """Whether nothing is absent."""
        return bool(self.motion.all() and self.residual.all())


@dataclass(frozen=True)
class FailedTrials:
    """What an encoder remembers: the error of each cell in bits, at which motion and residual were not worth theirs."""

    motion: CellValues
    residual: CellValues


def cells_above(size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of hyper-latents above latents of ``size``."""
    return -(-size[0] // HYPER_CELL), -(-size[1] // HYPER_CELL)


def everywhere(size: tuple[int, int]) -> CellMask:
    """All cells above latents of ``size`` are present."""
    return np.ones(cells_above(size), np.bool_)


def positions_of(cells: CellMask, size: tuple[int, int], side: int = HYPER_CELL) -> CellMask:
    """A mask of cells spread to positions of ``size``, ``side`` to a cell in each direction."""
    return cells.repeat(side, 0).repeat(side, 1)[: size[0], : size[1]]


def encode_presence(
    encoder: TakesSymbols, cells: CellMask, before: CellMask | None, beside: CellMask | None = None
) -> float:
    """Write where latents of a kind are. Returns the ideal bits.

    Args:
        encoder: of the picture.
        cells: to write.
        before: the same of the picture before; None where that does not say.
        beside: where this picture has motion; None for motion itself.
    """
    bits = encode_absence(encoder, not cells.any(), before is not None and not before.any())
    if not cells.any():
        return bits
    bits += encode_absence(encoder, not cells.all(), _is_map(before))
    if not cells.all():
        symbols, contexts = cells.astype(np.int32), _contexts(cells.shape, before, beside)
        encoder.encode(symbols, contexts, PRESENCE_TABLES)
        bits += PRESENCE_TABLES.bits(symbols, contexts)
    return bits


def decode_presence(
    decoder: SymbolDecoder, size: tuple[int, int], before: CellMask | None, beside: CellMask | None = None
) -> CellMask:
    """Inverse of :func:`encode_presence`, for latents of ``size``.

    Raises:
        DamagedSymbolsError: no map comes out.
    """
    if decode_absence(decoder, before is not None and not before.any()):
        return ~everywhere(size)
    if not decode_absence(decoder, _is_map(before)):
        return everywhere(size)
    symbols = decoder.decode(_contexts(cells_above(size), before, beside), PRESENCE_TABLES)
    if not 0 <= symbols.min() <= symbols.max() <= 1:
        raise DamagedSymbolsError("damaged picture: its map of presence holds what no map can")
    return symbols.astype(np.bool_)


def presence_bits(cells: CellMask, before: CellMask | None, beside: CellMask | None = None) -> float:
    """Ideal bits of what :func:`encode_presence` would write."""
    return encode_presence(SymbolCalls(), cells, before, beside)


def _is_map(before: CellMask | None) -> bool:
    return before is not None and bool(before.any()) and not before.all()


def _contexts(shape: tuple[int, ...], before: CellMask | None, beside: CellMask | None) -> NDArray[np.uint8]:
    contexts = np.zeros(shape, np.uint8)
    if before is not None:
        around = np.pad(before, 1, mode="edge").astype(np.uint8)
        rows, columns = shape
        count = sum(around[y : y + rows, x : x + columns] for y, x in product(range(3), repeat=2)) - before
        neighbours = np.searchsorted((1, 3, 6), count, side="right").astype(np.uint8)
        contexts += np.where(before, np.uint8(5), np.uint8(1)) + neighbours
    if beside is not None:
        contexts += np.where(beside, np.uint8(2 * _CONTEXTS), np.uint8(_CONTEXTS))
    return contexts
