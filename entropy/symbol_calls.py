"""Calls of the range coder that are kept until it is known what else is written before them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scaleflow.entropy.frequency_tables import FrequencyTables
from scaleflow.entropy.symbol_coder import Indices, Symbols


class TakesSymbols(Protocol):
    """What symbols are written to: a :class:`scaleflow.entropy.symbol_coder.SymbolEncoder`, or :class:`SymbolCalls`."""

    def encode(self, symbols: Symbols, indices: Indices, tables: FrequencyTables) -> None:
        """See :meth:`scaleflow.entropy.symbol_coder.SymbolEncoder.encode`."""


@dataclass(frozen=True)
class SymbolCall:
    """The arguments of one call, and perhaps which of them are coded.

    ``symbols`` and ``indices`` have one shape; ``inside``, of their last two dimensions, is true where they are coded.
    """

    symbols: Symbols
    indices: Indices
    tables: FrequencyTables
    inside: NDArray[np.bool_] | None = None

    def write(self, encoder: TakesSymbols) -> None:
        """Make the call."""
        if self.inside is None:
            encoder.encode(self.symbols, self.indices, self.tables)
        else:
            encoder.encode(self.symbols[..., self.inside], self.indices[..., self.inside], self.tables)

    def bits_of_places(self) -> NDArray[np.float64]:
        """Ideal bits of the symbols at each place of the last two dimensions, 0 where none are coded."""
        if self.inside is None:
            bits = self.tables.bits_of_symbols(self.symbols, self.indices)
            total: NDArray[np.float64] = bits.sum(tuple(range(bits.ndim - 2)))
            return total
        bits = self.tables.bits_of_symbols(self.symbols[..., self.inside], self.indices[..., self.inside])
        placed = np.zeros(self.inside.shape)
        placed[self.inside] = bits.sum(tuple(range(bits.ndim - 1)))
        return placed


class SymbolCalls:
    """Takes symbols as an encoder does, and writes them later."""

    def __init__(self) -> None:
        self._calls: list[SymbolCall] = []

    def encode(self, symbols: Symbols, indices: Indices, tables: FrequencyTables) -> None:
        """Keep a call."""
        self._calls.append(SymbolCall(symbols, indices, tables))

    def write(self, encoder: TakesSymbols) -> None:
        """Make all calls, in their order."""
        for call in self._calls:
            call.write(encoder)
