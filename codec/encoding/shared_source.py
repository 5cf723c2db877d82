"""A video that workers read themselves: pictures are told by their times, and checked one by one."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from scaleflow.codec.encoding.request import PIPE, VideoSource
from scaleflow.codec.picture import Planes, SourcePlace, WorkingFormat
from scaleflow.errors import DataError, UsageError


def picture_checksum(planes: Planes) -> int:
    """CRC-32 of the samples."""
    checksum = 0
    for plane in planes:
        checksum = zlib.crc32(np.ascontiguousarray(plane).data.cast("B"), checksum)
    return checksum


@dataclass(frozen=True)
class SharedSource:
    """A video under a path that all workers see.

    Attributes:
        source: what to read, its path absolute.
        size: bytes of the file.
    """

    source: VideoSource
    working_format: WorkingFormat
    size: int

    @staticmethod
    def of(source: VideoSource, working_format: WorkingFormat, threads: int) -> SharedSource:
        """Of a file of this machine.

        Raises:
            UsageError: it is none in which one can seek.
        """
        path = os.path.abspath(source.path)
        if os.fspath(source.path) == PIPE or not os.path.isfile(path):
            raise UsageError(
                f"shared_input: {os.fspath(source.path)} is not a file that workers can read: leave out shared_input",
                fields=("shared_input",),
            )
        found = SharedSource(replace(source, path=path, threads=threads), working_format, os.path.getsize(path))
        try:
            with found.source.open(working_format) as reader:
                reader.skip_to(next(iter(reader)).pts)
        except (DataError, StopIteration) as error:
            raise UsageError(
                f"shared_input: {path} is not sought by time ({error}): leave out shared_input",
                fields=("shared_input",),
            ) from error
        return found

    def check(self) -> None:
        """Raises :class:`UsageError` where this machine does not see the file."""
        path = os.fspath(self.source.path)
        if not os.path.isfile(path):
            raise UsageError(f"does not see {path}: leave out shared_input", fields=("shared_input",))
        if os.path.getsize(path) != self.size:
            raise UsageError(
                f"sees another file as {path}, of {os.path.getsize(path)} bytes, not {self.size}: leave out "
                "shared_input",
                fields=("shared_input",),
            )

    def read(self, first: SourcePlace, checksums: Sequence[int]) -> list[Planes]:
        """Pictures that follow one another.

        Args:
            first: where the first of them is.
            checksums: of each, by :func:`picture_checksum`.

        Raises:
            DataError: the file holds others.
        """
        for pictures in (self._sought, self._counted):
            found = list(islice(pictures(first), len(checksums)))
            if [picture_checksum(planes) for planes in found] == list(checksums):
                return found
        raise DataError(
            f"{os.fspath(self.source.path)}: has changed while it was encoded: its pictures from {first.seconds:.3f} s "
            "on are others than before"
        )

    def _sought(self, first: SourcePlace) -> Iterator[Planes]:
        with self.source.open(self.working_format) as reader:
            reader.skip_to(first.pts)
            for picture in reader:
                yield picture.planes

    def _counted(self, first: SourcePlace) -> Iterator[Planes]:
        """From the beginning on, as containers may say other times than their pictures have."""
        with self.source.open(self.working_format) as reader:
            for picture in islice(reader, first.number, None):
                yield picture.planes
