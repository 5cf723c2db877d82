"""Integer frequency tables: what the range coder knows of its symbols.

Tables are computed once, when a model is exported, and stored as integers, so that no floating-point function decides
a probability at run time.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import constriction
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

PRECISION = 24
TOTAL = 1 << PRECISION
"""Frequencies of a row sum to this."""

LARGEST_TABLE = 1 << 22
"""Most frequencies that a file may ask for."""


class FrequencyTables:
    """Rows of positive integer frequencies, one row for each index.

    A row of n frequencies stands for the symbols ``offset .. offset + n - 2``; its last frequency is the escape, after
    which a symbol outside the row is coded by itself. ``zero_row`` is the index, if any, of the row in which zero is
    nearly certain: its symbols are coded as a list of exceptions.
    """

    def __init__(self, rows: Sequence[NDArray[np.int32]], offsets: Sequence[int], zero_row: int | None = None) -> None:
        if len(rows) != len(offsets) or not rows:
            raise ValueError(f"{len(rows)} rows do not fit {len(offsets)} offsets, or there are none")
        for number, row in enumerate(rows):
            if len(row) < 2 or int(row.min()) < 1 or int(row.sum(dtype=np.int64)) != TOTAL:
                raise ValueError(f"row {number}: at least 2 positive frequencies with sum {TOTAL} are needed")
        for number, (row, offset) in enumerate(zip(rows, offsets, strict=True)):
            if not -(2**31) <= offset <= 2**31 - len(row):
                raise ValueError(f"row {number}: symbols from {offset} on do not fit 32 bits")
        if zero_row is not None and not 0 <= zero_row < len(rows):
            raise ValueError(f"zero_row {zero_row} is outside 0..{len(rows) - 1}")
        self.rows = [np.ascontiguousarray(row, dtype=np.int32) for row in rows]
        self.offsets = np.asarray(offsets, dtype=np.int64)
        self.zero_row = zero_row

    @classmethod
    def from_rows(cls, rows: Sequence[tuple[Sequence[float], int]], zero_row: int | None = None) -> FrequencyTables:
        """From (weights, offset) pairs; weights of any positive scale, the escape's last, become integers."""
        return cls([integer_frequencies(weights) for weights, _ in rows], [offset for _, offset in rows], zero_row)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def models(self) -> list[constriction.stream.model.Categorical]:
        """The range coder's model of each row.

        ``perfect=False`` maps frequencies to the coder's own fixed point by sums and products of float64, in the
        order of the row: IEEE arithmetic that no platform may reorder, from integers that float64 holds exactly.
        """
        return [constriction.stream.model.Categorical(row.astype(np.float64), perfect=False) for row in self.rows]

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Number of frequencies in each row, escape included."""
        return np.array([len(row) for row in self.rows], dtype=np.int64)

    def span(self, row: int) -> tuple[int, int]:
        """First symbol of a row, and the first beyond its last (there, its position is the escape's)."""
        first = int(self.offsets[row])
        return first, first + len(self.rows[row]) - 1

    @cached_property
    def _costs(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        starts = np.concatenate(([0], np.cumsum(self.sizes)))
        return (PRECISION - np.log2(np.concatenate(self.rows))).astype(np.float32), starts

    def bits(self, symbols: NDArray[np.int32], indices: NDArray[np.integer[Any]]) -> float:
        """Ideal code length of ``symbols`` under the rows ``indices``, escapes included."""
        return float(self.bits_of_symbols(symbols, indices).sum(dtype=np.float64))

    def bits_of_symbols(self, symbols: NDArray[np.int32], indices: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
        """Ideal code length of each symbol, in the shape of ``symbols``."""
        costs, starts = self._costs
        values, rows = symbols.reshape(-1).astype(np.int64), np.asarray(indices).reshape(-1).astype(np.int64)
        position = values - self.offsets[rows]
        last = self.sizes[rows] - 1
        escaped = (position < 0) | (position >= last)
        bits = costs[starts[rows] + np.where(escaped, last, position)].astype(np.float64)
        if escaped.any():
            numbers = np.where(position < 0, -2 * position - 1, 2 * (position - last))[escaped]
            lengths = np.floor(np.log2(numbers + 1))
            bits[escaped] += lengths + np.log2((lengths + 1) * (lengths + 2))
        return bits.reshape(symbols.shape)

    def to_tensors(self) -> dict[str, Tensor]:
        """Integer tensors for a weights file."""
        return {
            "frequencies": torch.from_numpy(np.concatenate(self.rows)),
            "sizes": torch.from_numpy(self.sizes.astype(np.int32)),
            "offsets": torch.from_numpy(self.offsets.astype(np.int32)),
            "zero_row": torch.tensor([-1 if self.zero_row is None else self.zero_row], dtype=torch.int32),
        }

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> FrequencyTables:
        """Inverse of :meth:`to_tensors`. Raises ValueError or KeyError when they do not make tables."""
        for name in ("frequencies", "sizes", "offsets", "zero_row"):
            if tensors[name].dtype != torch.int32 or tensors[name].ndim != 1 or not len(tensors[name]):
                raise ValueError(
                    f"{name} must be a list of int32, not {tensors[name].dtype} {tuple(tensors[name].shape)}"
                )
        frequencies, sizes = tensors["frequencies"].cpu().numpy(), tensors["sizes"].cpu().numpy().astype(np.int64)
        if len(frequencies) > LARGEST_TABLE or sizes.min() < 2 or int(sizes.sum()) != len(frequencies):
            raise ValueError(f"row sizes that sum to {int(sizes.sum())} do not fit {len(frequencies)} frequencies")
        starts = np.concatenate(([0], np.cumsum(sizes)))
        rows = [frequencies[a:b] for a, b in pairwise(starts)]
        zero_row = int(tensors["zero_row"][0])
        return cls(rows, tensors["offsets"].tolist(), None if zero_row < 0 else zero_row)


def falling_frequencies(size: int) -> NDArray[np.int32]:
    """About 1 / ((k + 1) (k + 2)) for k = 0..size - 1, in exact integers with sum :data:`TOTAL`."""
    falling = np.array([TOTAL // ((k + 1) * (k + 2)) for k in range(size)], dtype=np.int32)
    falling[0] += TOTAL - int(falling.sum(dtype=np.int64))
    return falling


def integer_frequencies(weights: Sequence[float] | NDArray[np.float64]) -> NDArray[np.int32]:
    """Positive integers with sum :data:`TOTAL`, close to proportional to non-negative ``weights``."""
    values = np.asarray(weights, dtype=np.float64)
    if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all() or values.min() < 0 or values.sum() <= 0:
        raise ValueError("weights must be at least two finite numbers, none negative, not all zero")
    frequencies = 1 + np.floor(values / values.sum() * (TOTAL - len(values))).astype(np.int64)
    frequencies[frequencies.argmax()] += TOTAL - frequencies.sum()
    return frequencies.astype(np.int32)
