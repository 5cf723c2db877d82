"""Flags that say that something is absent from a picture, each with tables that depend on the picture before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scaleflow.entropy.errors import DamagedSymbolsError
from scaleflow.entropy.frequency_tables import FrequencyTables
from scaleflow.entropy.symbol_calls import TakesSymbols
from scaleflow.entropy.symbol_coder import SymbolDecoder

ABSENCE_TABLES = FrequencyTables.from_rows([([30, 1, 1e-4], 0), ([1, 4, 1e-4], 0)])
"""Of a flag: row 1 where it was set in the picture before."""


def encode_absence(encoder: TakesSymbols, absent: bool, before: bool) -> float:
    """Returns the ideal bits."""
    symbol, row = np.array([absent], dtype=np.int32), _row(before)
    encoder.encode(symbol, row, ABSENCE_TABLES)
    return ABSENCE_TABLES.bits(symbol, row)


def decode_absence(decoder: SymbolDecoder, before: bool) -> bool:
    """Inverse of :func:`encode_absence`. Raises :class:`DamagedSymbolsError` where no flag comes out."""
    symbol = int(decoder.decode(_row(before), ABSENCE_TABLES)[0])
    if symbol not in (0, 1):
        raise DamagedSymbolsError(f"damaged picture: absence is {symbol}")
    return symbol == 1


def _row(before: bool) -> NDArray[np.uint8]:
    return np.array([before], dtype=np.uint8)
