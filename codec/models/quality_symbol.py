"""The quality of a picture, in sixteenths, as the first symbol of its payload.

The same symbol says where maps of bin widths begin and end: pictures have one if those before had one, up to the next
key picture, and :data:`_TOGGLE` is added where that changes; twice that where it changes whether inter pictures say
which latents are present. Both lie beyond all qualities, so that streams without are as they were before there were
any.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scaleflow.entropy.frequency_tables import FrequencyTables
from scaleflow.entropy.symbol_calls import TakesSymbols
from scaleflow.entropy.symbol_coder import SymbolDecoder
from scaleflow.errors import DataError
from scaleflow.quality_range import HIGHEST_QUALITY, HIGHEST_QUALITY_CODE, QUALITY_STEPS

_TABLES = FrequencyTables.from_rows([([1] * 1009 + [1], 0), ([1] * 32 + [1000] + [1] * 32 + [4], -32)])
"""Row 0 is of an intra picture's quality code; row 1 of an inter picture's change of it: nearly always none."""

_TOGGLE = 1 << 12


@dataclass(frozen=True)
class QualityState:
    """The quality of a picture, whether it has a map of bin widths, and whether it says what latents are present."""

    code: int
    has_map: bool = False
    has_presence: bool = False


def encode_quality(encoder: TakesSymbols, state: QualityState, previous: QualityState | None) -> float:
    """Write a state, given that of the picture before. Returns the ideal bits."""
    before = previous or _NOTHING
    toggled = (state.has_map != before.has_map) + 2 * (state.has_presence != before.has_presence)
    change = state.code - before.code + _TOGGLE * toggled
    symbol, row = np.array([change], dtype=np.int32), _row(previous)
    encoder.encode(symbol, row, _TABLES)
    return _TABLES.bits(symbol, row)


def decode_quality(decoder: SymbolDecoder, previous: QualityState | None) -> QualityState:
    """Inverse of :func:`encode_quality`. Raises :class:`DataError` where no quality comes out."""
    before = previous or _NOTHING
    change = int(decoder.decode(_row(previous), _TABLES)[0])
    toggled = max(0, change + _TOGGLE // 2) // _TOGGLE
    code = change + before.code - _TOGGLE * toggled
    if toggled > 3 or not 0 <= code <= HIGHEST_QUALITY_CODE:
        raise DataError(f"damaged picture: quality {code / QUALITY_STEPS} is outside 0..{HIGHEST_QUALITY:g}")
    return QualityState(code, before.has_map != bool(toggled & 1), before.has_presence != bool(toggled & 2))


_NOTHING = QualityState(0)


def _row(previous: QualityState | None) -> NDArray[np.uint8]:
    return np.array([0 if previous is None else 1], dtype=np.uint8)
