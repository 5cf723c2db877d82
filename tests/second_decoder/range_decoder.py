"""Draws symbols from a payload: docs/bitstream.md, "Range decoder" and "Distributions"."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tests.second_decoder.fields import Damage

ONE = 1 << 24


def lefts_of(frequencies: Sequence[int] | NDArray[np.int64]) -> list[int]:
    """Where each symbol of a row of a frequency table starts, and 2^24."""
    row = np.asarray(frequencies, np.int64)
    if row.sum() != ONE or row.min() < 1:
        raise Damage(f"frequencies sum to {row.sum()}, the least is {row.min()}")
    below = np.cumsum(row) - row
    lefts: list[int] = (below * (ONE - len(row)) // ONE + np.arange(len(row))).tolist()
    return [*lefts, ONE]


def frequencies_of(weights: Sequence[float]) -> list[int]:
    """A row of a table: docs/bitstream.md, "Tables"."""
    total, size = sum(weights), len(weights)
    frequencies = [1 + int(weight / total * (ONE - size)) for weight in weights]
    frequencies[frequencies.index(max(frequencies))] += ONE - sum(frequencies)
    return frequencies


def _falling() -> list[int]:
    frequencies = [ONE // ((k + 1) * (k + 2)) for k in range(34)]
    frequencies[0] += ONE - sum(frequencies)
    return lefts_of(frequencies)


FALLING = _falling()


class RangeDecoder:
    """Draws one symbol after the other."""

    def __init__(self, data: bytes) -> None:
        self._data, self._position = data, 0
        self._low, self._range = 0, 2**64 - 1
        self._point = self._word() << 32 | self._word()

    def _word(self) -> int:
        word = self._data[self._position : self._position + 4].ljust(4, b"\0")
        self._position += 4
        return int.from_bytes(word, "big")

    def _quantile(self) -> tuple[int, int]:
        scale = self._range >> 24
        quantile = (self._point - self._low) % 2**64 // scale
        if quantile >= ONE:
            raise Damage("a payload that no encoder writes")
        return scale, quantile

    def _narrow(self, scale: int, left: int, right: int) -> None:
        self._low = (self._low + scale * left) % 2**64
        self._range = scale * (right - left)
        if self._range < 2**32:
            self._low = (self._low << 32) % 2**64
            self._range <<= 32
            self._point = (self._point << 32 | self._word()) % 2**64

    def draw(self, lefts: list[int]) -> int:
        """The next symbol of a distribution, given where each symbol starts and 2^24."""
        scale, quantile = self._quantile()
        symbol = bisect_right(lefts, quantile) - 1
        self._narrow(scale, lefts[symbol], lefts[symbol + 1])
        return symbol

    def uniform(self, size: int) -> int:
        """The next of ``size`` equal symbols."""
        scale, quantile = self._quantile()
        width = ONE // size
        symbol = min(quantile // width, size - 1)
        self._narrow(scale, symbol * width, ONE if symbol == size - 1 else (symbol + 1) * width)
        return symbol

    def numbers(self, count: int) -> list[int]:
        """Non-negative integers without a table: docs/bitstream.md, "Numbers"."""
        lengths = [self.draw(FALLING) for _ in range(count)]
        values = [1 << length for length in lengths]
        for length in sorted(set(lengths)):
            for shift in range(0, length, 16):
                for place in range(count):
                    if lengths[place] == length:
                        values[place] += self.uniform(1 << min(16, length - shift)) << shift
        return [value - 1 for value in values]
