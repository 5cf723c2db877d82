"""A Skip-Convolution's steps around its products, compiled."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scaleflow.efficient_nets.skip_convolutions.sparse_kernels import (
    compiled,
    gather,
    let_through,
    magnitudes,
    open_blocks,
    scatter,
    sums_under_kernel,
)
from scaleflow.efficient_nets.video.block_grid import BlockGrid


class CompiledSteps:
    """Gate, gather and scatter of one layer on inputs of one shape; see :mod:`.sparse_kernels`.

    All tensors are rows in float32, contiguous, on the CPU. Runs in one thread, whatever torch uses.
    """

    def __init__(self, grid: BlockGrid, reference: Tensor, output: Tensor, unseen: Tensor) -> None:
        """The last three are those of a :class:`.state.SkipState`; what they hold is changed in place."""
        tables, layer, block = grid.tables, grid.layer, grid.block
        self._tables, self._block, self._rows = tables, block, tables.sources.reshape(-1)
        self._reference, self._output, self._unseen = reference[:-1].numpy(), output[:-1].numpy(), unseen[:, 0].numpy()
        self._form = _pair(layer.kernel_size), _pair(layer.stride), _pair(layer.dilation)
        lines, columns = (count * block for count in grid.blocks)
        self._line_sums = np.empty((tables.sources.shape[1], columns), np.float32)
        self._sums = np.empty((len(tables.sources), lines, columns), np.float32)
        self._change = np.empty(grid.padding_row + 1, np.float32)
        self._found = np.empty(len(tables.corners), np.int64)

    @property
    def blocks(self) -> int:
        """How many there are."""
        return len(self._found)

    def open_blocks(self, rows: Tensor, scale: float, threshold: float) -> NDArray[np.int64]:
        """Numbers of the blocks (n,) whose change since the reference is above the threshold; see ``NormGate``."""
        compiled(magnitudes)(rows.numpy(), self._reference, self._change)
        compiled(sums_under_kernel)(self._change, self._tables.sources, *self._form, self._line_sums, self._sums)
        count = compiled(open_blocks)(self._sums, self._unseen, scale, threshold, self._block, self._found)
        return self._found[:count]

    def let_through(self, rows: Tensor, scale: float, blocks: NDArray[np.int64]) -> None:
        """After :meth:`open_blocks`: input under open blocks becomes the reference."""
        tables = self._tables
        compiled(let_through)(
            rows.numpy(),
            self._reference,
            self._change,
            self._unseen.reshape(-1),
            self._rows,
            tables.corners,
            tables.patches,
            tables.tile,
            tables.targets,
            tables.target_corners,
            tables.positions,
            scale,
            blocks,
            tables.neighbours,
        )

    def tiles(self, rows: Tensor, blocks: NDArray[np.int64]) -> Tensor:
        """Rows (n * samples of a tile, C): see :meth:`BlockGrid.input_rows`."""
        return self._gather(rows, blocks, self._tables.tile)

    def patches(self, rows: Tensor, blocks: NDArray[np.int64]) -> Tensor:
        """Rows (n * positions of a block * taps, C): see :meth:`BlockGrid.patch_rows`."""
        return self._gather(rows, blocks, self._tables.patches.reshape(-1))

    def _gather(self, rows: Tensor, blocks: NDArray[np.int64], offsets: NDArray[np.int64]) -> Tensor:
        samples = np.empty((len(blocks) * len(offsets), rows.shape[1]), np.float32)
        compiled(gather)(rows.numpy(), self._rows, self._tables.corners, offsets, blocks, samples)
        return torch.from_numpy(samples)

    def scatter(self, computed: Tensor, blocks: NDArray[np.int64]) -> int:
        """Put rows (n * positions of a block, O) into the output; returns how many positions lie inside."""
        tables = self._tables
        return compiled(scatter)(
            computed.numpy(), tables.targets, tables.target_corners, tables.positions, blocks, self._output
        )


def _pair(values: tuple[int, ...]) -> tuple[int, int]:
    return values[0], values[1]
