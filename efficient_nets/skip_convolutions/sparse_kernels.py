"""The steps of a Skip-Convolution around its products, as loops over rows that numba compiles.

Each reads and writes memory once, where a chain of tensor operations does so several times. They are plain functions of
arrays and run uncompiled as well, only slowly. Tables are those of
:class:`~scaleflow.efficient_nets.video.block_grid.BlockTables`; a row number equal to the number of rows stands for
padding, or for what lies outside.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from scaleflow.errors import UsageError

Rows = NDArray[np.float32]
Numbers = NDArray[np.int64]
Kernel = TypeVar("Kernel", bound=Callable[..., Any])

logger = logging.getLogger(__name__)

PACKAGE = "numba"


def check_compiler() -> None:
    """Raises :class:`UsageError` where numba is not installed."""
    if importlib.util.find_spec(PACKAGE) is None:
        raise UsageError(
            f"execution = 'compiled' needs {PACKAGE}: pip install \".[networks]\", or use execution = 'sparse'"
        )


@functools.cache
def compiled(kernel: Kernel) -> Kernel:
    """A function of this module as machine code, which is kept on disk for the next process where that can be."""
    import numba

    # Sums of magnitudes may be added in any order; what is no number must stay one.
    translate = functools.partial(numba.njit, kernel, nogil=True, fastmath={"reassoc", "contract"})
    try:
        return cast(Kernel, translate(cache=True))
    except RuntimeError as error:  # neither beside the source nor in the user's cache is a place that can be written
        logger.info("%s is compiled anew in each process: %s", kernel.__name__, error)
        return cast(Kernel, translate())


def magnitudes(rows: Rows, reference: Rows, change: Rows) -> None:
    """Into ``change`` (R + 1), the sum over channels of the difference of each row (R, C); 0 for padding."""
    for row in range(rows.shape[0]):
        total = np.float32(0)
        for channel in range(rows.shape[1]):
            total += abs(rows[row, channel] - reference[row, channel])
        change[row] = total
    change[rows.shape[0]] = 0


def sums_under_kernel(
    change: Rows,
    sources: Numbers,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    line_sums: Rows,
    sums: Rows,
) -> None:
    """Into ``sums`` (N, lines, columns), that of ``change`` (R + 1) under the kernel at each position.

    Args:
        sources: (N, H, W) rows of the padded input.
        line_sums: (H, columns), for sums along lines.
    """
    for picture in range(len(sums)):
        for line in range(line_sums.shape[0]):
            for column in range(line_sums.shape[1]):
                total = np.float32(0)
                for tap in range(kernel[1]):
                    total += change[sources[picture, line, column * stride[1] + tap * dilation[1]]]
                line_sums[line, column] = total
        for line in range(sums.shape[1]):
            sums[picture, line] = line_sums[line * stride[0]]
            for tap in range(1, kernel[0]):
                for column in range(sums.shape[2]):
                    sums[picture, line, column] += line_sums[line * stride[0] + tap * dilation[0], column]


def open_blocks(sums: Rows, unseen: Rows, scale: float, threshold: float, block: int, found: Numbers) -> int:
    """Write the numbers of the blocks that hold a position with a change above the threshold; return how many.

    Args:
        sums: (N, lines, columns) of whole blocks: see :func:`sums_under_kernel`.
        unseen: (N, height, width), of each position what is no longer in the reference.
        found: room for all blocks.
    """
    count = number = 0
    for picture in range(len(sums)):
        for top in range(0, sums.shape[1], block):
            for left in range(0, sums.shape[2], block):
                changed = False
                for line in range(top, min(top + block, unseen.shape[1])):
                    for column in range(left, min(left + block, unseen.shape[2])):
                        size = np.float32(scale) * sums[picture, line, column] + unseen[picture, line, column]
                        changed |= not (size <= threshold)
                if changed:
                    found[count] = number
                    count += 1
                number += 1
    return count


def let_through(
    rows: Rows,
    reference: Rows,
    change: Rows,
    unseen: Rows,
    sources: Numbers,
    corners: Numbers,
    patches: Numbers,
    tile: Numbers,
    targets: Numbers,
    target_corners: Numbers,
    positions: Numbers,
    scale: float,
    opened: Numbers,
    neighbours: Numbers,
) -> None:
    """Make the input under open blocks the reference, and put down what closed positions will no longer see.

    Args:
        tile: samples of a block's input, halo included, from its corner in ``sources``.
        opened: numbers of the open blocks.
        neighbours: (blocks, n) numbers of those whose input overlaps, -1 for none.
    """
    seen = np.zeros(len(change), np.bool_)
    state = np.zeros(len(corners), np.int8)  # 1: closed beside an open one, 2: open
    for block in opened:
        state[block] = 2
        for offset in tile:
            seen[sources[corners[block] + offset]] = True
    for block in opened:
        for other in neighbours[block]:
            if other >= 0 and state[other] == 0:
                state[other] = 1
    seen[len(rows)] = False
    for block in range(len(corners)):
        if state[block] == 0:
            continue
        for position in range(len(positions)):
            target = targets[target_corners[block] + positions[position]]
            if target >= len(unseen):
                continue
            if state[block] == 2:
                unseen[target] = 0
                continue
            lost = np.float32(0)
            for tap in range(patches.shape[1]):
                source = sources[corners[block] + patches[position, tap]]
                if seen[source]:
                    lost += change[source]
            unseen[target] += np.float32(scale) * lost
    for row in range(len(rows)):
        if seen[row]:
            reference[row] = rows[row]


def gather(rows: Rows, sources: Numbers, corners: Numbers, offsets: Numbers, opened: Numbers, samples: Rows) -> None:
    """Into ``samples`` (n * offsets, C), the rows at ``offsets`` from the corners of open blocks (n); 0 for padding."""
    place = 0
    for block in opened:
        for offset in offsets:
            source = sources[corners[block] + offset]
            if source < len(rows):
                samples[place] = rows[source]
            else:
                samples[place] = 0
            place += 1


def scatter(
    computed: Rows, targets: Numbers, target_corners: Numbers, positions: Numbers, opened: Numbers, output: Rows
) -> int:
    """Rows of open blocks to their places in ``output``; returns how many lie inside."""
    place = inside = 0
    for block in opened:
        for position in positions:
            target = targets[target_corners[block] + position]
            if target < len(output):
                output[target] = computed[place]
                inside += 1
            place += 1
    return inside
