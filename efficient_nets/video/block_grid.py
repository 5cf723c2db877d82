"""Blocks of a convolution's output, and the input samples that each needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

Pair = tuple[int, int]

BLOCKS = (1, 2, 4, 8)
"""Sides that blocks may have, in positions."""


def pad_as(layer: nn.Conv2d, x: Tensor) -> Tensor:
    """``x`` (N, C, H, W) padded as ``layer`` pads its input."""
    sides = layer._reversed_padding_repeated_twice
    if not any(sides):
        return x
    return F.pad(x, sides, "constant" if layer.padding_mode == "zeros" else layer.padding_mode)


@dataclass(frozen=True)
class BlockTables:
    """A :class:`BlockGrid` as arrays of numbers, for loops over blocks.

    Attributes:
        sources: (N, H, W) input row of each sample of the padded input.
        corners: of each block, in ``sources``, flattened.
        tile: offsets (samples) of a block's input from its corner, halo included.
        patches: offsets (positions of a block, taps) of what each of its positions sees.
        targets: output row of each position, those outside included.
        target_corners: of each block, in ``targets``.
        positions: offsets of a block's positions from its corner there.
        neighbours: (blocks, n) blocks whose input overlaps with that of a block, itself included; -1 for none.
    """

    sources: NDArray[np.int64]
    corners: NDArray[np.int64]
    tile: NDArray[np.int64]
    patches: NDArray[np.int64]
    targets: NDArray[np.int64]
    target_corners: NDArray[np.int64]
    positions: NDArray[np.int64]
    neighbours: NDArray[np.int64]


class BlockGrid:
    """Where the blocks of one convolution on inputs of one shape lie.

    Pictures are held as rows of channels: row ``(n * height + y) * width + x`` is a position, and a last row that is
    no position stands for padding (of inputs, where it is zero) and for what lies outside (of outputs, where it is
    never read). Blocks are ``block`` x ``block`` output positions, numbered in the same order; the last ones of a line
    or column may reach outside.

    Attributes:
        input_shape: (N, C, H, W).
        output_size: height and width of the output.
        blocks: lines and columns of blocks in each picture.
    """

    def __init__(self, layer: nn.Conv2d, input_shape: torch.Size, block: int, device: torch.device) -> None:
        self.layer, self.input_shape, self.block = layer, input_shape, block
        batch, _, height, width = input_shape
        self.padding_row = batch * height * width
        rows = torch.arange(self.padding_row, dtype=torch.float64, device=device).view(batch, 1, height, width)
        padded = pad_as(layer, rows + 1)  # zero is padding
        spans = [d * (k - 1) + 1 for k, d in zip(layer.kernel_size, layer.dilation, strict=True)]
        sides = [(size - span) // s + 1 for size, span, s in zip(padded.shape[2:], spans, layer.stride, strict=True)]
        self.output_size: Pair = (sides[0], sides[1])
        self.blocks: Pair = (-(-sides[0] // block), -(-sides[1] // block))
        self.outside_row = batch * sides[0] * sides[1]
        self._input_steps: Pair = (block * layer.stride[0], block * layer.stride[1])
        self._set_tile()

        reach = [
            (count * block - 1) * s + span for count, s, span in zip(self.blocks, layer.stride, spans, strict=True)
        ]
        more = [max(0, need - size) for need, size in zip(reach, padded.shape[2:], strict=True)]
        sources = F.pad(padded, (0, more[1], 0, more[0]))[:, 0].long()
        self._sources = torch.where(sources > 0, sources - 1, self.padding_row)
        width = self._sources.shape[2]
        self._tile_offsets = _offsets(self._tile_lines, width, device)
        corners = _offsets(_steps((block, block), layer.stride), width, device)
        taps = _offsets(_steps(layer.kernel_size, layer.dilation), width, device)
        self._patch_offsets = (corners[:, None] + taps).flatten()

        targets = torch.arange(self.outside_row, device=device).view(batch, *sides)
        around = [count * block - side for count, side in zip(self.blocks, sides, strict=True)]
        self._targets = F.pad(targets, (0, around[1], 0, around[0]), value=self.outside_row)
        self._block_offsets = _offsets(_steps((block, block), (1, 1)), self._targets.shape[2], device)

    def _set_tile(self) -> None:
        """Lines and columns of input under a block, and how the convolution steps through what was gathered.

        Samples between the taps are left out where no tap of the block falls on them: that is so with kernels of 1x1
        and blocks of one position.
        """
        lines, strides, dilations = [], [], []
        for k, s, d in zip(self.layer.kernel_size, self.layer.stride, self.layer.dilation, strict=True):
            if k == 1:
                lines.append([s * i for i in range(self.block)])
            elif self.block == 1:
                lines.append([d * i for i in range(k)])
            else:
                lines.append(list(range((self.block - 1) * s + d * (k - 1) + 1)))
            strides.append(1 if k == 1 else s)
            dilations.append(1 if self.block == 1 else d)
        self._tile_lines = (lines[0], lines[1])
        self._tile_stride: Pair = (strides[0], strides[1])
        self._tile_dilation: Pair = (dilations[0], dilations[1])

    def input_rows(self, open_blocks: Tensor) -> Tensor:
        """Rows (n, samples of a tile) of the input under blocks (n,), halo included."""
        return self._rows(self._sources, open_blocks, self._input_steps, self._tile_offsets)

    def output_rows(self, open_blocks: Tensor) -> Tensor:
        """Rows (n, block * block) of the output in blocks (n,)."""
        return self._rows(self._targets, open_blocks, (self.block, self.block), self._block_offsets)

    def _rows(self, table: Tensor, blocks: Tensor, steps: Pair, offsets: Tensor) -> Tensor:
        """Rows of ``table`` at ``offsets`` from the corners of blocks that are ``steps`` apart."""
        return table.flatten()[self._corners(table, blocks, steps)[:, None] + offsets]

    def _corners(self, table: Tensor, blocks: Tensor, steps: Pair) -> Tensor:
        down, across = self.blocks
        line_step, column_step = steps
        width = table.shape[2]
        picture, line, column = blocks // (down * across), blocks // across % down, blocks % across
        return picture * (table.shape[1] * width) + line * (line_step * width) + column * column_step

    @cached_property
    def tables(self) -> BlockTables:
        """Of a layer whose padding repeats no samples."""
        blocks = torch.arange(self.input_shape[0] * self.blocks[0] * self.blocks[1])
        parts = (
            self._sources,
            self._corners(self._sources, blocks, self._input_steps),
            self._tile_offsets,
            self._patch_offsets.view(self.block**2, -1),
            self._targets.flatten(),
            self._corners(self._targets, blocks, (self.block, self.block)),
            self._block_offsets,
            self._neighbours(blocks),
        )
        return BlockTables(*(part.contiguous().numpy() for part in parts))

    def _neighbours(self, blocks: Tensor) -> Tensor:
        down, across = self.blocks
        line, column = blocks // across % down, blocks % across
        reach = [lines[-1] // step for lines, step in zip(self._tile_lines, self._input_steps, strict=True)]
        found = []
        for up in range(-reach[0], reach[0] + 1):
            for aside in range(-reach[1], reach[1] + 1):
                inside = (line + up >= 0) & (line + up < down) & (column + aside >= 0) & (column + aside < across)
                found.append(torch.where(inside, blocks + up * across + aside, -1))
        return torch.stack(found, 1)

    def patch_rows(self, open_blocks: Tensor) -> Tensor:
        """Rows (n, block * block * taps) of the input under each tap of each position of blocks (n,)."""
        return self._rows(self._sources, open_blocks, self._input_steps, self._patch_offsets)

    def convolve_tiles(self, samples: Tensor, bias: Tensor | None, weight: Tensor | None = None) -> Tensor:
        """Convolution of samples (n * samples of a tile, C) at :meth:`input_rows`; rows (n * block * block, O).

        With ``weight`` in place of the layer's, where it is given.
        """
        layer = self.layer
        height, width = (len(lines) for lines in self._tile_lines)
        tiles = samples.view(-1, height, width, layer.in_channels).permute(0, 3, 1, 2)
        output = F.conv2d(
            tiles,
            layer.weight if weight is None else weight,
            bias,
            self._tile_stride,
            0,
            self._tile_dilation,
            layer.groups,
        )
        return as_rows(output)


def as_rows(x: Tensor) -> Tensor:
    """(N, C, H, W) as (N * H * W, C); a view where ``x`` is channels-last."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def as_pictures(rows: Tensor, batch: int, size: Pair) -> Tensor:
    """Inverse of :func:`as_rows`, always a view."""
    return rows.view(batch, *size, rows.shape[1]).permute(0, 3, 1, 2)


def _steps(counts: Sequence[int], steps: Sequence[int]) -> tuple[list[int], list[int]]:
    """So many lines and columns, so far apart."""
    lines, columns = ([step * i for i in range(count)] for count, step in zip(counts, steps, strict=True))
    return lines, columns


def _offsets(lines: tuple[list[int], list[int]], width: int, device: torch.device) -> Tensor:
    down, across = (torch.tensor(line, device=device) for line in lines)
    return (down[:, None] * width + across).flatten()


def positions_of(blocks: Tensor, block: int, size: tuple[int, int]) -> Tensor:
    """(N, lines, columns) of blocks as (N, 1, height, width) of positions."""
    spread = blocks.repeat_interleave(block, 1).repeat_interleave(block, 2)
    return spread[:, None, : size[0], : size[1]]
