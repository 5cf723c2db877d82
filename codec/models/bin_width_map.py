"""The map of bin widths: how much coarser latents are quantized at each of their positions.

Widths are integers, :data:`WIDTH_STEPS_PER_OCTAVE` to a doubling, so that they shift a gain and the index of a scale
exactly. The map is coded in four passes over interleaved positions. What decoded neighbours and the map of the picture
before hold is put to the vote (where there is neither, one width that is written first). A flag says whether a
position holds what most hold, then follow the widths of those that do not; both with counts of what came in such places
before. All of it is integer arithmetic on what the decoder has as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scaleflow.codec.models.hyperprior import INTERLEAVED
from scaleflow.entropy.fixed_point import GAIN_STEPS_PER_OCTAVE
from scaleflow.entropy.frequency_tables import TOTAL, FrequencyTables
from scaleflow.entropy.symbol_calls import TakesSymbols
from scaleflow.entropy.symbol_coder import SymbolDecoder
from scaleflow.errors import DataError

WIDTH_STEPS_PER_OCTAVE = 4
GAIN_STEPS_PER_WIDTH = GAIN_STEPS_PER_OCTAVE // WIDTH_STEPS_PER_OCTAVE
"""Steps of a gain by which one step of width lowers it."""

WIDEST = 6 * WIDTH_STEPS_PER_OCTAVE
"""Bins are at most 64 times as wide as without a map."""

_CENTRE = 4
"""Of nine positions, the middle one."""

_HERE, _NEIGHBOUR = 3, 2
"""Votes of the same position in the map before, and of a decoded neighbour in this one."""

_COUNT, _MOST_COUNTED = 24, 4096
"""What a symbol adds to its count, and the sum of counts from which on old ones are halved."""

_SURE = (64, 2000, 100, 40, 24, *(3000, 200, 40, 24, 400, 80, 32, 16) * 2)
"""Counts that each context starts with for a prediction that holds: no map before; one, in the first pass, by how many
neighbours differ there; later passes."""

_FIRST_TABLE = FrequencyTables.from_rows([([1] * (WIDEST + 1) + [0], 0)])
_FIRST_ROW = np.zeros(1, np.uint8)


@dataclass(frozen=True)
class BinWidthMap:
    """Widths (h, w), 0..:data:`WIDEST`, and the counts that the next map is coded with: ``flags`` (contexts, 2), and
    ``others`` (predicted width, width)."""

    widths: NDArray[np.int32]
    flags: NDArray[np.int64]
    others: NDArray[np.int64]


def encode_bin_widths(
    widths: NDArray[np.int32], previous: BinWidthMap | None, encoder: TakesSymbols
) -> tuple[BinWidthMap, float]:
    """Write a map, given that of the picture before, if any. Returns what the next needs, and the ideal bits."""
    bits, usual = 0.0, 0
    if previous is None:
        usual = int(np.bincount(widths.ravel()).argmax())
        first = np.array([usual], np.int32)
        encoder.encode(first, _FIRST_ROW, _FIRST_TABLE)
        bits = _FIRST_TABLE.bits(first, _FIRST_ROW)
    coder = _MapCoder((widths.shape[0], widths.shape[1]), previous, usual)
    for rows, columns in coder.passes():
        predicted, contexts = coder.predict(rows, columns)
        actual = widths[rows, columns]
        flags = (actual != predicted).astype(np.int32)
        missed = flags.astype(np.bool_)
        for symbols, indices, counts in (
            (flags, contexts, coder.flags),
            (actual[missed], predicted[missed].astype(np.uint8), coder.others),
        ):
            tables = _tables(counts)
            encoder.encode(symbols, indices, tables)
            bits += tables.bits(symbols, indices)
            _count(counts, indices, symbols)
        coder.keep(rows, columns, actual)
    return coder.result(), bits


def decode_bin_widths(size: tuple[int, int], previous: BinWidthMap | None, decoder: SymbolDecoder) -> BinWidthMap:
    """Inverse of :func:`encode_bin_widths`. Raises :class:`DataError` where a width is out of range."""
    usual = int(_within(decoder.decode(_FIRST_ROW, _FIRST_TABLE), WIDEST)[0]) if previous is None else 0
    coder = _MapCoder(size, previous, usual)
    for rows, columns in coder.passes():
        predicted, contexts = coder.predict(rows, columns)
        flags = _decode(decoder, contexts, coder.flags, 1)
        missed = flags.astype(np.bool_)
        widths = predicted.copy()
        widths[missed] = _decode(decoder, predicted[missed].astype(np.uint8), coder.others, WIDEST)
        coder.keep(rows, columns, widths)
    return coder.result()


class _MapCoder:
    """What both directions share."""

    def __init__(self, size: tuple[int, int], previous: BinWidthMap | None, usual: int) -> None:
        height, width = size
        self._size, self._usual = size, usual
        self._before = None if previous is None else previous.widths
        self.flags = np.array([[count, 16] for count in _SURE]) if previous is None else previous.flags.copy()
        self.others = np.ones((WIDEST + 1,) * 2, np.int64) if previous is None else previous.others.copy()
        # a border that votes for nothing saves all questions of where the map ends
        self._widths = np.zeros((height + 2, width + 2), np.int32)
        self._known = np.zeros((height + 2, width + 2), np.bool_)

    def passes(self) -> list[tuple[slice, slice]]:
        """Rows and columns of each pass that has a position."""
        return [(r, c) for r, c in INTERLEAVED if (r.start or 0) < self._size[0] and (c.start or 0) < self._size[1]]

    def predict(self, rows: slice, columns: slice) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """What most votes are for, and the context that says how many they are."""
        first = not self._known.any()
        if first and self._before is None:
            predicted = np.full(self._size, self._usual, np.int32)[rows, columns]
            return predicted, np.zeros(predicted.shape, np.uint8)
        before = self._around(np.pad(self._before, 1, mode="edge"), rows, columns) if self._before is not None else None
        here = before[_CENTRE] if before is not None else None
        if first:
            assert before is not None and here is not None
            differing = (before != here).sum(0)
            return here, (1 + np.minimum((differing + 1) // 2, 3)).astype(np.uint8)
        values = self._around(self._widths, rows, columns)
        known = self._around(self._known, rows, columns)
        votes = np.stack([_NEIGHBOUR * ((values == level) & known).sum(0) for level in range(WIDEST + 1)])
        if here is not None:
            votes += _HERE * (here == np.arange(WIDEST + 1)[:, None, None])
        predicted = votes.argmax(0).astype(np.int32)
        against = np.minimum(((values != predicted) & known).sum(0), 3)
        context = 5 + against
        if before is not None:
            context = context + 4 * (here != predicted) + 8 * (before != here).any(0)
        return predicted, context.astype(np.uint8)

    def _around(self, bordered: NDArray[Any], rows: slice, columns: slice) -> NDArray[Any]:
        """Values at each position of a pass and at its eight neighbours, (9, h', w')."""
        height, width = self._size
        shifts = [(down, right) for down in range(3) for right in range(3)]
        return np.stack([bordered[d : d + height, r : r + width][rows, columns] for d, r in shifts])

    def keep(self, rows: slice, columns: slice, widths: NDArray[np.int32]) -> None:
        """Take note of a pass."""
        inner = (slice(1, -1), slice(1, -1))
        self._widths[inner][rows, columns] = widths
        self._known[inner][rows, columns] = True

    def result(self) -> BinWidthMap:
        """The map, when all passes are done."""
        return BinWidthMap(self._widths[1:-1, 1:-1].copy(), self.flags, self.others)


def _decode(
    decoder: SymbolDecoder, indices: NDArray[np.uint8], counts: NDArray[np.int64], largest: int
) -> NDArray[np.int32]:
    symbols = _within(decoder.decode(indices, _tables(counts)), largest)
    _count(counts, indices, symbols)
    return symbols


def _within(symbols: NDArray[np.int32], largest: int) -> NDArray[np.int32]:
    if symbols.size and not 0 <= symbols.min() <= symbols.max() <= largest:
        raise DataError("damaged picture: its map of bin widths holds what no map can")
    return symbols


def _tables(counts: NDArray[np.int64]) -> FrequencyTables:
    """As counted so far, in whole numbers; escapes, which never occur, are left the least that a table can."""
    spare = TOTAL - counts.shape[1] - 1
    frequencies = 1 + counts * spare // counts.sum(1, keepdims=True)
    frequencies[np.arange(len(counts)), counts.argmax(1)] += TOTAL - 1 - frequencies.sum(1)
    rows = np.pad(frequencies, ((0, 0), (0, 1)), constant_values=1).astype(np.int32)
    return FrequencyTables(list(rows), [0] * len(rows))


def _count(counts: NDArray[np.int64], indices: NDArray[np.uint8], symbols: NDArray[np.int32]) -> None:
    np.add.at(counts, (indices.ravel(), symbols.ravel()), _COUNT)
    while (full := counts.sum(1) > _MOST_COUNTED).any():
        counts[full] = (counts[full] + 1) // 2
