"""The quality of a picture, in sixteenths, as the first symbol of its payload."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codec.errors import DataError
from codec.models.frozen_hyperprior import QUALITY_STEPS
from entropy.frequency_tables import FrequencyTables
from entropy.symbol_coder import SymbolDecoder, SymbolEncoder

_TABLES = FrequencyTables.from_rows([([1] * 1009 + [1], 0), ([1] * 32 + [1000] + [1] * 32 + [4], -32)])
"""Row 0 is of an intra picture's quality code; row 1 of an inter picture's change of it: nearly always none."""


def quality_code(quality: float) -> int:
    """The code of the nearest quality that can be written."""
    return min(max(round(quality * QUALITY_STEPS), 0), 63 * QUALITY_STEPS)


def encode_quality(encoder: SymbolEncoder, code: int, previous: int | None) -> float:
    """Write a code, given that of the picture before. Returns the ideal bits."""
    symbol, row = np.array([code - (previous or 0)], dtype=np.int32), _row(previous)
    encoder.encode(symbol, row, _TABLES)
    return _TABLES.bits(symbol, row)


def decode_quality(decoder: SymbolDecoder, previous: int | None) -> int:
    """Inverse of :func:`encode_quality`. Raises :class:`DataError` where no quality comes out."""
    code = int(decoder.decode(_row(previous), _TABLES)[0]) + (previous or 0)
    if not 0 <= code <= 63 * QUALITY_STEPS:
        raise DataError(f"damaged picture: quality {code / QUALITY_STEPS} is outside 0..63")
    return code


def _row(previous: int | None) -> NDArray[np.uint8]:
    return np.array([0 if previous is None else 1], dtype=np.uint8)
