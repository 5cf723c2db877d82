"""A pool of packed clips that another process refills: as quick to read as one packed folder, and never a fixed set.

A folder of folders, each as :mod:`scaleflow.training.data.packed` describes. New ones are found while training, and
those that have gone are let go; so, unlike with other sources, a sample follows from its number only as long as the
pool does not change.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from scaleflow.errors import DataError, UsageError
from scaleflow.output_folder import whole_folder
from scaleflow.training.data.clip import Clip, ClipRequest
from scaleflow.training.data.packed import FORMAT, MANIFEST, PackedClips, create_array

logger = logging.getLogger(__name__)

PLACES = 1024
"""Places of a pool, of whatever size: each is a random clip."""

LOOK_EVERY = 2000
"""Clips that are read before the folder is looked at again."""


class ClipPool:
    """A :class:`scaleflow.training.data.clip.ClipSource` of random clips from all packed folders below a folder."""

    def __init__(self, folder: Path) -> None:
        """Map what is there into memory.

        Raises:
            UsageError: there is no such folder.
            DataError: nothing in it can be read.
        """
        if not folder.is_dir():
            raise UsageError(f"{folder}: there is no such folder of packed clips")
        self._folder = folder
        self._parts: dict[str, PackedClips] = {}
        self._reads = 0
        self._look()

    def __len__(self) -> int:
        return PLACES

    def weights(self) -> Sequence[float]:
        """All alike."""
        return [1.0] * PLACES

    def file_of(self, index: int) -> Path:
        """See :class:`scaleflow.training.data.clip.ClipSource`."""
        return self._folder

    def describe(self) -> str:
        """See :class:`scaleflow.training.data.clip.ClipSource`."""
        clips = sum(map(len, self._parts.values()))
        return f"A pool of {clips} packed clips. {next(iter(self._parts.values())).describe()}"

    def read(self, index: int, request: ClipRequest, generator: np.random.Generator) -> Clip:
        """See :class:`scaleflow.training.data.clip.ClipSource`."""
        self._reads += 1
        if self._reads % LOOK_EVERY == 0:
            self._look()
        parts = list(self._parts.values())
        sizes = np.cumsum([len(part) for part in parts])
        number = int(generator.integers(sizes[-1]))
        part = int(np.searchsorted(sizes, number, "right"))
        first = int(sizes[part - 1]) if part else 0
        return parts[part].read(number - first, request, generator)

    def _look(self) -> None:
        there = {path.parent.name: path.parent for path in sorted(self._folder.glob(f"*/{MANIFEST}"))}
        for name in self._parts.keys() - there.keys():
            del self._parts[name]
        for name in there.keys() - self._parts.keys():
            try:
                self._parts[name] = PackedClips(there[name])
            except (UsageError, DataError) as error:
                logger.warning("left out: %s", error)
        if not self._parts:
            raise DataError(f"{self._folder}: holds no packed clips")


def write_packed(clips: Iterator[Clip], folder: Path, count: int, source: str) -> None:
    """Pack the next ``count`` clips, in 4:2:0 and of one size, into a new folder; it appears when it is complete.

    Raises:
        DataError: it cannot be written, or there are not so many clips.
    """
    with whole_folder(folder, parents=True) as partial:
        chosen = islice(clips, count)
        first = next(chosen)
        arrays = [
            create_array(partial / name, (count, *plane.shape))
            for name, plane in zip(("luma.npy", "chroma.npy"), first.planes, strict=True)
        ]
        number = 0
        for number, clip in enumerate((first, *chosen)):
            for array, plane in zip(arrays, clip.planes, strict=True):
                array[number] = plane
        if number + 1 < count:
            raise DataError(f"{folder}: only {number + 1} of {count} clips came")
        for array in arrays:
            array.flush()
        (partial / MANIFEST).write_text(json.dumps({"format": FORMAT, "source": source}))


def remove_oldest(folder: Path, kept: int) -> None:
    """Leave the ``kept`` packed folders that were written last."""
    parts = sorted(folder.glob(f"*/{MANIFEST}"), key=lambda path: path.stat().st_mtime)
    for manifest in parts[: max(0, len(parts) - kept)]:
        # the manifest goes first: what has none is no part of the pool; arrays that are mapped stay readable
        manifest.unlink()
        shutil.rmtree(manifest.parent, ignore_errors=True)
