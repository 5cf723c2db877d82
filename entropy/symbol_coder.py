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

from scaleflow.entropy.errors import DamagedSymbolsError
from scaleflow.entropy.frequency_tables import TOTAL, FrequencyTables, falling_frequencies

_Uniform = constriction.stream.model.Uniform
_SIGN = _Uniform(2)
_LONGEST = 33
_CHUNK = 16
_UNIFORM_BITS = [None] + [_Uniform(1 << bits) for bits in range(1, _CHUNK + 1)]
_FALLING = falling_frequencies(_LONGEST + 1)
_LENGTH = constriction.stream.model.Categorical(_FALLING.astype(np.float64), perfect=False)
"""Of the length of a number: most numbers are small."""

_WORD = 1 << 32
_TAIL = 16
"""Bytes at the end of a stream in which its last interval is looked for."""

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
        ordered = symbols.reshape(-1)[order]
        escaped: list[NDArray[np.int64]] = []
        for row, part in groups:
            values = ordered[part]
            if row == tables.zero_row:
                self._encode_exceptions(values)
                continue
            first, beyond = tables.span(row)
            if values.min() >= first and values.max() < beyond:  # nearly always, and then 32 bits do
                position = values - np.int32(first)
            else:
                wide = values.astype(np.int64)
                below, above = wide < first, wide >= beyond
                position = np.where(below | above, beyond - first, wide - first).astype(np.int32)
                numbers = np.where(below, 2 * (first - wide) - 1, 2 * (wide - beyond))
                escaped.append(numbers[below | above])
            self._coder.encode(position, tables.models[row])
        if escaped:
            self._encode_numbers(np.concatenate(escaped))

    def finish(self) -> bytes:
        """The shortest bytes that decode to these symbols when followed by zeros."""
        words = self._coder.get_compressed()
        if not len(words):
            return b""
        position, (lower, width) = self._coder.pos()
        data = words.astype(">u4").tobytes().ljust(4 * (position + 2), b"\0")
        for tail in (min(_TAIL, len(data)), len(data)):  # the second only where a carry runs through the first
            ended = _roundest(data[-tail:], lower, width)
            if ended is not None:
                return (data[:-tail] + ended).rstrip(b"\0")
        raise AssertionError("the range coder's interval is not within 0 and 1")

    def _encode_exceptions(self, values: Symbols) -> None:
        where = np.flatnonzero(values)
        found = values[where].astype(np.int64)
        self._coder.encode(np.array([len(where) > 0], dtype=np.int32), _any_exception(len(values)))
        if len(where):
            self._encode_numbers(np.array([len(where) - 1]))
            for shift, size in _position_pieces(len(values)):
                self._coder.encode(((where >> shift) % size).astype(np.int32), _Uniform(size))
            self._encode_numbers(np.abs(found) - 1)
            self._coder.encode((found < 0).astype(np.int32), _SIGN)

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
        ordered = np.empty(len(order), dtype=np.int32)
        escapes: list[tuple[int, NDArray[np.intp]]] = []
        for row, part in groups:
            count = part.stop - part.start
            if row == tables.zero_row:
                ordered[part] = self._decode_exceptions(count)
                continue
            first, beyond = tables.span(row)
            position = self._draw(tables.models[row], count)
            if position.max() == beyond - first:
                escapes.append((row, np.flatnonzero(position == beyond - first) + part.start))
            np.add(position, np.int32(first), out=ordered[part])
        if escapes:
            numbers = self._decode_numbers(sum(len(where) for _, where in escapes))
            for row, where in escapes:
                own, numbers = numbers[: len(where)], numbers[len(where) :]
                first, beyond = tables.span(row)
                ordered[where] = _checked(np.where(own & 1, first - (own + 1) // 2, beyond + own // 2))
        symbols = np.empty(len(order), dtype=np.int32)
        symbols[order] = ordered
        return symbols.reshape(indices.shape)

    def _decode_exceptions(self, length: int) -> Symbols:
        values = np.zeros(length, dtype=np.int32)
        if self._draw(_any_exception(length), 1)[0]:
            count = int(self._decode_numbers(1)[0]) + 1
            if count > length:
                raise DamagedSymbolsError(f"damaged picture: {count} exceptions among {length} symbols")
            where = np.zeros(count, dtype=np.int64)
            for shift, size in _position_pieces(length):
                where += self._draw(_Uniform(size), count).astype(np.int64) << shift
            if where.max() >= length or (np.diff(where) <= 0).any():
                raise DamagedSymbolsError(f"damaged picture: exceptions out of order or beyond {length} symbols")
            magnitudes = self._decode_numbers(count) + 1
            values[where] = _checked(np.where(self._draw(_SIGN, count), -magnitudes, magnitudes))
        return values

    def _decode_numbers(self, count: int) -> NDArray[np.int64]:
        lengths = self._draw(_LENGTH, count).astype(np.int64)
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
    if flat.dtype.kind not in "iu":
        raise TypeError(f"indices are {flat.dtype}: convert them to integers first")
    if len(flat) and (int(flat.min()) < 0 or int(flat.max()) >= len(tables)):
        raise ValueError(f"indices span {flat.min()}..{flat.max()} but there are {len(tables)} rows")
    counts = np.bincount(flat, minlength=len(tables))
    ends = np.cumsum(counts)
    groups = [(int(row), slice(int(ends[row] - counts[row]), int(ends[row]))) for row in np.flatnonzero(counts)]
    return np.argsort(flat, kind="stable"), groups


def _roundest(data: bytes, lower: int, width: int) -> bytes | None:
    """The number in the coder's interval that ends in the most zeros, in as many bytes as ``data``.

    ``data`` is some number in the interval, which begins at ``lower`` modulo 2**64 and has ``width``. None where the
    interval does not lie within these bytes.
    """
    point = int.from_bytes(data, "big")
    low = point - (point - lower) % _WORD**2
    if low < 0 or low + width > 256 ** len(data):
        return None
    for shift in range(0, 72, 8):  # a width has 64 bits: no two multiples of 2**64 lie in the interval
        rounded = -(-low >> shift) << shift
        if rounded >= low + width:
            break
        point = rounded
    return point.to_bytes(len(data), "big")


def _checked(values: NDArray[np.int64]) -> Symbols:
    """As 32 bits, which every value that an encoder wrote has."""
    if values.min() < -(2**31) or values.max() >= 2**31:
        raise DamagedSymbolsError("damaged picture: a symbol is outside the range of 32 bits")
    return values.astype(np.int32)


def _split_numbers(numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each n the k with 2**k <= n + 1 < 2**(k + 1), and n + 1 - 2**k. Exact: float64 holds these integers."""
    raised = numbers + 1
    lengths = np.frexp(raised.astype(np.float64))[1].astype(np.int64) - 1
    return lengths, raised - np.left_shift(1, lengths)


def _any_exception(length: int) -> Any:
    """Whether there is an exception among ``length`` symbols: about one in 2**15 was seen to be one."""
    some = min(max(length << 9, 1 << 14), 1 << 23)
    return constriction.stream.model.Categorical(np.array([TOTAL - some, some], dtype=np.float64), perfect=False)


def _position_pieces(length: int) -> list[tuple[int, int]]:
    """(shift, number of values) of the pieces in which a position among ``length`` symbols is coded."""
    if length <= 1 << _CHUNK:
        return [(0, length)] if length > 1 else []
    return [(0, 1 << _CHUNK), (_CHUNK, ((length - 1) >> _CHUNK) + 1)]


def _chunks(length: int) -> Iterator[tuple[int, int]]:
    """(shift, bits) of the pieces of at most 16 bits in which ``length`` bits are coded, low bits first."""
    for shift in range(0, length, _CHUNK):
        yield shift, min(_CHUNK, length - shift)
