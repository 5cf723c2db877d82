"""Which latents of an inter picture are there: docs/default-model.md, "What is present"."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.second_decoder.range_decoder import frequencies_of
from tests.second_decoder.symbols import SymbolDecoder, tables_of

Cells = NDArray[np.bool_]

FLAGS = tables_of([frequencies_of([30, 1, 0.0001]), frequencies_of([1, 4, 0.0001])])

# The table of the page, column by column: motion, residual of cells without motion, and of cells with motion.
LIKELY = (
    (0.5, 0.06, 0.13, 0.2, 0.3, 0.6, 0.7, 0.9, 0.95),
    (0.15, 0.02, 0.1, 0.15, 0.25, 0.4, 0.6, 0.6, 0.65),
    (0.65, 0.17, 0.28, 0.45, 0.55, 0.5, 0.7, 0.85, 0.95),
)
CELLS = tables_of([frequencies_of([1 - p, p, 0.000001]) for column in LIKELY for p in column])


def decode_presence(
    decoder: SymbolDecoder, shape: tuple[int, int], before: Cells | None, motion: Cells | None
) -> Cells:
    """Where the next kind of latents is present.

    Args:
        decoder: of the picture.
        shape: rows and columns of cells.
        before: where the same kind was in the picture before, if that said so.
        motion: for the residual, the cells with motion.
    """
    if _flag(decoder, before is not None and not before.any()):
        return np.zeros(shape, np.bool_)
    if not _flag(decoder, before is not None and bool(before.any()) and not before.all()):
        return np.ones(shape, np.bool_)
    column = np.zeros(shape, np.int64) if motion is None else 1 + motion.astype(np.int64)
    cells = decoder.small_call(column * len(LIKELY[0]) + _history(shape, before), CELLS, 1)
    return np.array(cells, np.bool_).reshape(shape)


def _flag(decoder: SymbolDecoder, before: bool) -> bool:
    return bool(decoder.small_call([int(before)], FLAGS, 1)[0])


def _history(shape: tuple[int, int], before: Cells | None) -> NDArray[np.int64]:
    """Rows of the table of the page, from 0."""
    if before is None:
        return np.zeros(shape, np.int64)
    height, width = shape
    around = np.pad(before.astype(np.int64), 1, mode="edge")
    present = sum(around[y : y + height, x : x + width] for y in range(3) for x in range(3) if (y, x) != (1, 1))
    return 1 + np.searchsorted([1, 3, 6], present, side="right") + 4 * before
