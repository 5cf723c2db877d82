"""Range coding of integer symbols, grouped by the row of the frequency tables that describes them.

A hyperprior knows all rows before the first symbol is decoded, so symbols may be sorted by row and each group coded in
one call with one fixed model; that is several times faster than a new model for every symbol. All calls of one picture
share one range coder, so there is one termination for each picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from entropy.errors import DamagedSymbolsError
from entropy.frequency_tables import FrequencyTables

_Uniform = constriction.stream.model.Uniform
_FLAG = _Uniform(2)
_LENGTH = _Uniform(64)
_CHUNK = 16
_UNIFORM_BITS = [None] + [_Uniform(1 << bits) for bits in range(1, _CHUNK + 1)]
_WORD = 1 << 32

Symbols = NDArray[np.int32]
Indices = NDArray[np.integer[Any]]


class SymbolEncoder:
    """Collects the symbols of one picture."""

    def __init__(self) -> None:
        self._coder = constriction.stream.queue.RangeEncoder()

    def encode(self, symbols: Symbols, indices: Indices, tables: FrequencyTables) -> None:
        """Code int32 ``symbols`` (any shape) whose rows are ``indices`` (same shape). Nothing is clipped."""
        if symbols.shape != indices.shape:
            raise ValueError(f"symbols of shape {symbols.shape} do not fit indices of shape {indices.shape}")
        if symbols.dtype != np.int32:
            raise TypeError(f"symbols are {symbols.dtype}: convert them to int32 first")
        order, groups = _groups(indices, tables)
        ordered = symbols.reshape(-1)[order].astype(np.int64)
        escaped: list[NDArray[np.int64]] = []
        for row, part in groups:
            values = ordered[part]
            if row == tables.zero_row:
                self._encode_exceptions(values)
                continue
            position = values - tables.offsets[row]
            last = int(tables.sizes[row]) - 1
            outside = (position < 0) | (position >= last)
            if outside.any():
                beyond = position[outside]
                escaped.append(np.where(beyond < 0, -2 * beyond - 1, 2 * (beyond - last)))
                position[outside] = last
            self._coder.encode(position.astype(np.int32), tables.models[row])
        if escaped:
            self._encode_numbers(np.concatenate(escaped))

    def finish(self) -> bytes:
        """The shortest bytes that decode to these symbols when followed by zeros."""
        words = self._coder.get_compressed()
        if not len(words):
            return b""
        position, (lower, width) = self._coder.pos()
        total = position + 2
        point = int.from_bytes(words.astype(">u4").tobytes(), "big") << (32 * (total - len(words)))
        low = point - ((point - lower) % (_WORD * _WORD))
        kept = 8 * total * 4
        for shift in range(0, 8 * total * 4 + 1, 8):
            rounded = -(-low >> shift) << shift
            if rounded >= low + width or rounded >> kept:
                break
            point = rounded
        return point.to_bytes(4 * total, "big").rstrip(b"\0")

    def _encode_exceptions(self, values: NDArray[np.int64]) -> None:
        where = np.flatnonzero(values)
        self._coder.encode(np.array([len(where) > 0], dtype=np.int32), _FLAG)
        if len(where):
            self._encode_numbers(np.array([len(where) - 1]))
            self._encode_numbers(np.diff(where, prepend=-1) - 1)
            found = values[where]
            self._encode_numbers(np.where(found > 0, 2 * found - 2, -2 * found - 1))

    def _encode_numbers(self, numbers: NDArray[np.int64]) -> None:
        """Non-negative integers below 2**34: the length of n + 1 in bits, then its bits below the first."""
        lengths, remainders = _split_numbers(numbers)
        self._coder.encode(lengths.astype(np.int32), _LENGTH)
        for length in np.unique(lengths):
            chosen = remainders[lengths == length]
            for shift, bits in _chunks(int(length)):
                chunk = (chosen >> shift) & ((1 << bits) - 1)
                self._coder.encode(chunk.astype(np.int32), _UNIFORM_BITS[bits])


class SymbolDecoder:
    """Inverse of :class:`SymbolEncoder`: the same calls in the same order, with indices only."""

    def __init__(self, data: bytes) -> None:
        padded = data + b"\0" * (-len(data) % 4 + 8)
        self._coder = constriction.stream.queue.RangeDecoder(np.frombuffer(padded, dtype=">u4").astype(np.uint32))

    def decode(self, indices: Indices, tables: FrequencyTables) -> Symbols:
        """Symbols of the shape of ``indices``. Raises :class:`DamagedSymbolsError` when the bytes cannot be right."""
        order, groups = _groups(indices, tables)
        ordered = np.zeros(len(order), dtype=np.int64)
        escapes: list[tuple[int, NDArray[np.intp]]] = []
        for row, part in groups:
            count = part.stop - part.start
            if row == tables.zero_row:
                self._decode_exceptions(ordered[part])
                continue
            position = self._draw(tables.models[row], count)
            last = int(tables.sizes[row]) - 1
            outside = np.flatnonzero(position == last)
            if len(outside):
                escapes.append((row, outside + part.start))
            ordered[part] = position + tables.offsets[row]
        if escapes:
            numbers = self._decode_numbers(sum(len(where) for _, where in escapes))
            for row, where in escapes:
                own, numbers = numbers[: len(where)], numbers[len(where) :]
                first, last = int(tables.offsets[row]), int(tables.offsets[row] + tables.sizes[row]) - 1
                ordered[where] = np.where(own & 1, first - (own + 1) // 2, last + own // 2)
        if len(ordered) and (ordered.min() < -(2**31) or ordered.max() >= 2**31):
            raise DamagedSymbolsError("damaged picture: a symbol is outside the range of 32 bits")
        symbols = np.empty(len(order), dtype=np.int32)
        symbols[order] = ordered
        return symbols.reshape(indices.shape)

    def _decode_exceptions(self, values: NDArray[np.int64]) -> None:
        if not self._draw(_FLAG, 1)[0]:
            return
        count = int(self._decode_numbers(1)[0]) + 1
        if count > len(values):
            raise DamagedSymbolsError(f"damaged picture: {count} exceptions among {len(values)} symbols")
        where = np.cumsum(self._decode_numbers(count) + 1) - 1
        if where[-1] >= len(values):
            raise DamagedSymbolsError(f"damaged picture: exception at {where[-1]} of {len(values)} symbols")
        numbers = self._decode_numbers(count)
        values[where] = np.where(numbers & 1, -((numbers + 1) // 2), numbers // 2 + 1)

    def _decode_numbers(self, count: int) -> NDArray[np.int64]:
        lengths = self._draw(_LENGTH, count).astype(np.int64)
        if lengths.max() > 33:
            raise DamagedSymbolsError(f"damaged picture: a number of {lengths.max()} bits")
        numbers = np.left_shift(1, lengths)
        for length in np.unique(lengths):
            chosen = np.flatnonzero(lengths == length)
            for shift, bits in _chunks(int(length)):
                numbers[chosen] += self._draw(_UNIFORM_BITS[bits], len(chosen)).astype(np.int64) << shift
        return numbers - 1

    def _draw(self, model: object, count: int) -> NDArray[np.int32]:
        try:
            drawn: NDArray[np.int32] = self._coder.decode(model, count)
        except (AssertionError, ValueError) as error:  # how constriction reports bytes that no encoder writes
            raise DamagedSymbolsError("damaged picture: its bytes are no range-coded symbols") from error
        return drawn


def _groups(indices: Indices, tables: FrequencyTables) -> tuple[NDArray[np.intp], list[tuple[int, slice]]]:
    """The order that sorts symbols by row, and for each row that occurs its part of the sorted symbols."""
    flat = np.ascontiguousarray(indices).reshape(-1)
    if len(flat) and (int(flat.min()) < 0 or int(flat.max()) >= len(tables)):
        raise ValueError(f"indices span {flat.min()}..{flat.max()} but there are {len(tables)} rows")
    counts = np.bincount(flat, minlength=len(tables))
    ends = np.cumsum(counts)
    groups = [(int(row), slice(int(ends[row] - counts[row]), int(ends[row]))) for row in np.flatnonzero(counts)]
    return np.argsort(flat, kind="stable"), groups


def _split_numbers(numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each n the k with 2**k <= n + 1 < 2**(k + 1), and n + 1 - 2**k. Exact: float64 holds these integers."""
    raised = numbers + 1
    lengths = np.frexp(raised.astype(np.float64))[1].astype(np.int64) - 1
    return lengths, raised - np.left_shift(1, lengths)


def _chunks(length: int) -> Iterator[tuple[int, int]]:
    """(shift, bits) of the pieces of at most 16 bits in which ``length`` bits are coded, low bits first."""
    for shift in range(0, length, _CHUNK):
        yield shift, min(_CHUNK, length - shift)
