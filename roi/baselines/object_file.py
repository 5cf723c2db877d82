"""The file of object-based coding: two streams and the masks that put their pictures together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scaleflow.codec.container.varint import MalformedVarint, read_varint, write_varint
from scaleflow.codec.models.bin_width_map import WIDEST, BinWidthMap, decode_bin_widths, encode_bin_widths
from scaleflow.entropy.errors import DamagedSymbolsError
from scaleflow.entropy.symbol_coder import SymbolDecoder, SymbolEncoder
from scaleflow.errors import DataError, UsageError
from scaleflow.output_file import write_whole_file
from scaleflow.roi.baselines.region_cells import CELL

MAGIC = b"SFOBJ1"
STEPS = WIDEST
"""A mask's values are 0 to this in whole steps, as the coder of maps takes them."""

Levels = NDArray[np.int32]


@dataclass(frozen=True)
class ObjectFile:
    """What the file holds.

    Attributes:
        region, background: ``.sfv`` streams.
        masks: of each picture a payload, of the picture's mask on cells.
    """

    region: bytes
    background: bytes
    masks: tuple[bytes, ...]

    def write(self, path: Path, overwrite: bool) -> None:
        """Raises as :func:`scaleflow.output_file.write_whole_file`."""
        parts = [self.region, self.background, *self.masks]
        lengths = b"".join(write_varint(number) for number in (len(self.masks), *map(len, parts)))
        write_whole_file(str(path), b"".join([MAGIC, lengths, *parts]), overwrite)

    @classmethod
    def read(cls, path: Path) -> ObjectFile:
        """Inverse of :meth:`write`.

        Raises:
            UsageError: there is no such file.
            DataError: it is something else, or was cut.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UsageError(f"{path}: cannot be opened: {error.strerror}") from error
        if not data.startswith(MAGIC):
            raise DataError(f"{path}: is no file of scaleflow baseline objects")
        try:
            count, position = read_varint(data, len(MAGIC))
            lengths = []
            for _ in range(min(count, len(data)) + 2):
                length, position = read_varint(data, position)
                lengths.append(length)
        except MalformedVarint as error:
            raise DataError(f"{path}: is damaged in its lengths: {error}") from error
        if position + sum(lengths) != len(data):
            raise DataError(f"{path}: has {len(data)} bytes, not the {position + sum(lengths)} that it says")
        parts = []
        for length in lengths:
            parts.append(data[position : position + length])
            position += length
        return cls(parts[0], parts[1], tuple(parts[2:]))


def encode_masks(masks: Iterable[Levels]) -> tuple[bytes, ...]:
    """Payloads of masks on cells (h, w) of 0..:data:`STEPS`, without loss, each predicted from the one before."""
    payloads: list[bytes] = []
    previous: BinWidthMap | None = None
    for levels in masks:
        encoder = SymbolEncoder()
        previous, _ = encode_bin_widths(levels, previous, encoder)
        payloads.append(encoder.finish())
    return tuple(payloads)


def decode_masks(payloads: Iterable[bytes], width: int, height: int) -> Iterator[Levels]:
    """Inverse of :func:`encode_masks`, of pictures of a size. Raises :class:`DataError` where they are damaged."""
    size = math.ceil(height / CELL), math.ceil(width / CELL)
    previous: BinWidthMap | None = None
    for number, payload in enumerate(payloads):
        try:
            previous = decode_bin_widths(size, previous, SymbolDecoder(payload))
        except DamagedSymbolsError as error:
            raise DataError(f"the mask of picture {number} is damaged: {error}") from error
        yield previous.widths
