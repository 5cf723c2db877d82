"""A second decoder of calls, written from docs/bitstream.md with plain integers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scaleflow.entropy.frequency_tables import FrequencyTables

ONE = 1 << 24


class RangeDecoder:
    """Draws symbols from a payload."""

    def __init__(self, data: bytes) -> None:
        self._data, self._position = data, 0
        self._low, self._range = 0, 2**64 - 1
        self._point = self._word() << 32 | self._word()

    def _word(self) -> int:
        word = self._data[self._position : self._position + 4].ljust(4, b"\0")
        self._position += 4
        return int.from_bytes(word, "big")

    def draw(self, lefts: list[int]) -> int:
        """The next symbol of a distribution, given where each symbol starts."""
        scale = self._range >> 24
        quantile = (self._point - self._low) % 2**64 // scale
        assert quantile < ONE
        symbol = max(number for number, left in enumerate(lefts) if left <= quantile)
        right = [*lefts, ONE][symbol + 1]
        self._low = (self._low + scale * lefts[symbol]) % 2**64
        self._range = scale * (right - lefts[symbol])
        if self._range < 2**32:
            self._low = (self._low << 32) % 2**64
            self._range <<= 32
            self._point = (self._point << 32 | self._word()) % 2**64
        return symbol


def _lefts(row: NDArray[np.int32]) -> list[int]:
    cumulated = [0, *np.cumsum(row.astype(np.int64)).tolist()[:-1]]
    return [c * (ONE - len(row)) // ONE + number for number, c in enumerate(cumulated)]


def _uniform(size: int) -> list[int]:
    return [number * (ONE // size) for number in range(size)]


def _falling() -> list[int]:
    frequencies = [ONE // ((k + 1) * (k + 2)) for k in range(34)]
    frequencies[0] += ONE - sum(frequencies)
    return _lefts(np.array(frequencies, np.int32))


def _position(decoder: RangeDecoder, count: int, length: int) -> list[int]:
    if length == 1:
        return [0]
    if length <= 1 << 16:
        return [decoder.draw(_uniform(length)) for _ in range(count)]
    low = [decoder.draw(_uniform(1 << 16)) for _ in range(count)]
    high = [decoder.draw(_uniform(((length - 1) >> 16) + 1)) for _ in range(count)]
    return [a + (b << 16) for a, b in zip(low, high, strict=True)]


def _numbers(decoder: RangeDecoder, count: int) -> list[int]:
    lengths = [decoder.draw(_falling()) for _ in range(count)]
    values = [1 << length for length in lengths]
    for length in sorted(set(lengths)):
        for shift in range(0, length, 16):
            for position in (p for p in range(count) if lengths[p] == length):
                values[position] += decoder.draw(_uniform(1 << min(16, length - shift))) << shift
    return [value - 1 for value in values]


def decode_call(decoder: RangeDecoder, indices: list[int], tables: FrequencyTables) -> list[int]:
    """The values of a call whose rows ``indices`` name."""
    symbols = [0] * len(indices)
    escaped: list[tuple[int, int]] = []
    for index in sorted(set(indices)):
        places = [place for place, own in enumerate(indices) if own == index]
        if index == tables.zero_row:
            some = min(max(len(places) * 512, 1 << 14), 1 << 23)
            if decoder.draw(_lefts(np.array([ONE - some, some], np.int32))):
                count = _numbers(decoder, 1)[0] + 1
                exceptions = _position(decoder, count, len(places))
                magnitudes = [number + 1 for number in _numbers(decoder, count)]
                for exception, magnitude in zip(exceptions, magnitudes, strict=True):
                    symbols[places[exception]] = -magnitude if decoder.draw(_uniform(2)) else magnitude
            continue
        lefts, first = _lefts(tables.rows[index]), int(tables.offsets[index])
        for place in places:
            drawn = decoder.draw(lefts)
            symbols[place] = first + drawn
            if drawn == len(lefts) - 1:
                escaped.append((place, index))
    for (place, index), e in zip(escaped, _numbers(decoder, len(escaped)), strict=True):
        first, beyond = int(tables.offsets[index]), int(tables.offsets[index]) + len(tables.rows[index]) - 1
        symbols[place] = first - (e + 1) // 2 if e % 2 else beyond + e // 2
    return symbols
