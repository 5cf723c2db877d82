"""Decodes calls: docs/bitstream.md, "Entropy coding", and hashes them as "Conformance streams" says."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.second_decoder.fields import Damage
from tests.second_decoder.range_decoder import ONE, RangeDecoder, lefts_of

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Tables:
    """Where the symbols of each row start, the value of each row's symbol 0, and which row is the zero row."""

    lefts: tuple[list[int], ...]
    offsets: tuple[int, ...]
    zero_row: int = -1


def tables_of(
    rows: Sequence[Sequence[int] | Integers], offsets: Sequence[int] | None = None, zero_row: int = -1
) -> Tables:
    """Tables of rows of frequencies; without ``offsets``, values start at 0."""
    return Tables(tuple(lefts_of(row) for row in rows), tuple(offsets or [0] * len(rows)), zero_row)


class SymbolDecoder:
    """Decodes the calls of one payload, and keeps their hash."""

    def __init__(self, payload: bytes) -> None:
        self._decoder = RangeDecoder(payload)
        self._digest = hashlib.sha256()

    @property
    def hash(self) -> str:
        """Of all calls until now."""
        return self._digest.hexdigest()

    def call(self, rows: Sequence[int] | Integers, tables: Tables) -> list[int]:
        """The values of an array, each of which has a row of the tables."""
        rows = np.asarray(rows, np.int64).reshape(-1)
        values = [0] * len(rows)
        escapes: list[tuple[int, int]] = []
        for row in np.unique(rows).tolist():
            places = np.flatnonzero(rows == row).tolist()
            if row == tables.zero_row:
                self._zero_row(places, values)
            else:
                escapes += self._row(row, places, tables, values)
        for (place, row), number in zip(escapes, self._decoder.numbers(len(escapes)), strict=True):
            first, count = tables.offsets[row], len(tables.lefts[row]) - 1
            values[place] = first - (number + 1) // 2 if number % 2 else first + count - 1 + number // 2
        if values and not -(2**31) <= min(values) <= max(values) < 2**31:
            raise Damage("a value beyond 32 bits")
        self._digest.update(np.array(values, "<i4").tobytes())
        self._digest.update(rows.astype("<i4").tobytes())
        return values

    def small_call(self, rows: Sequence[int] | Integers, tables: Tables, largest: int) -> list[int]:
        """A call whose values are 0 to ``largest``; others are damage."""
        values = self.call(rows, tables)
        if values and not 0 <= min(values) <= max(values) <= largest:
            raise Damage(f"a value that is not among 0 to {largest}")
        return values

    def _row(self, row: int, places: list[int], tables: Tables, values: list[int]) -> list[tuple[int, int]]:
        """Decodes the values of one row, and returns places and rows of those that were escapes."""
        lefts, first = tables.lefts[row], tables.offsets[row]
        escapes = []
        for place in places:
            symbol = self._decoder.draw(lefts)
            values[place] = first + symbol
            if symbol == len(lefts) - 2:
                escapes.append((place, row))
        return escapes

    def _zero_row(self, places: list[int], values: list[int]) -> None:
        some = min(max(len(places) * 512, 1 << 14), 1 << 23)
        if not self._decoder.draw(lefts_of([ONE - some, some])):
            return
        count = self._decoder.numbers(1)[0] + 1
        exceptions = self._positions(count, len(places))
        magnitudes = [number + 1 for number in self._decoder.numbers(count)]
        for exception, magnitude in zip(exceptions, magnitudes, strict=True):
            values[places[exception]] = -magnitude if self._decoder.uniform(2) else magnitude

    def _positions(self, count: int, length: int) -> list[int]:
        """Which of ``length`` values are not zero."""
        if count > length:
            raise Damage(f"{count} of {length} values are not zero")
        if length == 1:
            return [0]
        if length <= 1 << 16:
            positions = [self._decoder.uniform(length) for _ in range(count)]
        else:
            low = [self._decoder.uniform(1 << 16) for _ in range(count)]
            high = [self._decoder.uniform(((length - 1) >> 16) + 1) for _ in range(count)]
            positions = [a + (b << 16) for a, b in zip(low, high, strict=True)]
        if positions != sorted(set(positions)) or positions[-1] >= length:
            raise Damage("positions of values other than zero do not rise")
        return positions
