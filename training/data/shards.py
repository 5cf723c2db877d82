"""Crops in tar files as WebDataset names them, ``000012.luma.npy`` and ``000012.chroma.npy``, for many machines.

Tar files are not compressed, so an array is read where it lies; nothing is unpacked, and any sample can be had at once.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from scaleflow.errors import DataError, UsageError
from scaleflow.output_folder import whole_folder
from scaleflow.training.data.array_file import read_array
from scaleflow.training.data.clip import Clip, ClipRequest, ClipSource, Plane
from scaleflow.training.data.configuration import DataConfig
from scaleflow.training.data.packed import are_planes, cut_packed
from scaleflow.training.data.samples import SampleKey, SampleSet, UnreadReport

ENDINGS = (".luma.npy", ".chroma.npy")

UNFINISHED = ".partial"
"""At the end of the name of a tar file that is still being written, as other programs write them too."""

END = bytes(2 * tarfile.BLOCKSIZE)
"""Of a tar file. Python takes a broken header for the end, too."""


@dataclass(frozen=True)
class _Place:
    """Where the arrays of a sample begin, and how long they are."""

    shard: Path
    spans: tuple[tuple[int, int], ...]


class ShardedClips:
    """A :class:`scaleflow.training.data.clip.ClipSource` of all ``.tar`` files of a folder."""

    def __init__(self, folder: Path) -> None:
        """List what the tar files hold.

        Raises:
            UsageError: there are none.
            DataError: one of them is damaged, or holds no samples, or they are not all.
        """
        if any(folder.glob(f"*{UNFINISHED}")):
            raise DataError(f"{folder}: its packing was not finished: delete it and pack again")
        shards = sorted(folder.glob("*.tar")) if folder.is_dir() else []
        if not shards:
            raise UsageError(f"{folder}: holds no .tar files: give a folder of shards that scaleflow pack has written")
        self._folder = folder
        self._shards = len(shards)
        self._places = [place for shard in shards for place in _places(shard)]

    def __len__(self) -> int:
        return len(self._places)

    def weights(self) -> Sequence[float]:
        """All alike: weights were heeded when packing."""
        return [1.0] * len(self)

    def file_of(self, index: int) -> Path:
        """See :class:`scaleflow.training.data.clip.ClipSource`."""
        return self._places[index].shard

    def describe(self) -> str:
        """See :class:`scaleflow.training.data.clip.ClipSource`."""
        return f"{len(self)} clips in {self._shards} shards."

    def read(self, index: int, request: ClipRequest, generator: np.random.Generator) -> Clip:
        """See :class:`scaleflow.training.data.clip.ClipSource`; the distance in time was chosen when packing."""
        place = self._places[index]
        planes: list[Plane] = []
        try:
            with place.shard.open("rb") as file:
                for start, length in place.spans:
                    file.seek(start)
                    planes.append(read_array(io.BytesIO(file.read(length))))
        except (OSError, ValueError, DataError) as error:
            raise DataError(f"{place.shard}: cannot be read at byte {start}: {error}") from error
        luma, chroma = planes
        if not are_planes(luma, chroma, dimensions=4):
            raise DataError(f"{place.shard}: what lies at byte {start} is no clip in 4:2:0, or damaged")
        return cut_packed(Clip((luma, chroma)), place.shard, request, generator)


def write_shards(
    source: ClipSource,
    folder: Path,
    count: int,
    of_each: int,
    frames: int,
    data: DataConfig,
    seed: int,
    report: Callable[[int], None] = lambda done: None,
) -> None:
    """As :func:`scaleflow.training.data.packed.pack_clips`, the same clips, ``of_each`` to a tar file."""
    with whole_folder(folder, parents=True) as partial:
        samples, unread = SampleSet(source, data, seed, "yuv420"), UnreadReport()
        for first in range(0, count, of_each):
            with tarfile.open(partial / f"{first // of_each:06}.tar", "w") as tar:
                for number in range(first, min(first + of_each, count)):
                    sample = samples.load(SampleKey(0, number, frames))
                    unread.add(sample.unread)
                    for ending, plane in zip(ENDINGS, sample.planes, strict=True):
                        _add(tar, f"{number:09}{ending}", plane.numpy())
                    report(number + 1)


def _add(tar: tarfile.TarFile, name: str, plane: Plane) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(plane))
    member = tarfile.TarInfo(name)
    member.size = buffer.tell()
    buffer.seek(0)
    tar.addfile(member, buffer)


def _places(shard: Path) -> list[_Place]:
    found: dict[str, dict[str, tuple[int, int]]] = {}
    try:
        with tarfile.open(shard, "r:") as tar:
            end = 0
            for member in filter(tarfile.TarInfo.isfile, tar):
                path = PurePosixPath(member.name)
                name, dot, ending = path.name.partition(".")
                found.setdefault(str(path.parent / name), {})[dot + ending] = (member.offset_data, member.size)
                end = member.offset_data + -(-member.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
        with shard.open("rb") as file:
            file.seek(end)
            if file.read(len(END)) != END:
                raise DataError(f"{shard}: is a damaged tar file: its end is missing, or what follows byte {end}")
    except (tarfile.TarError, OSError) as error:
        raise DataError(f"{shard}: is a damaged tar file: {error}") from error
    for name, spans in found.items():
        if missing := [ending for ending in ENDINGS if ending not in spans]:
            raise DataError(f"{shard}: sample {name} has no {missing[0]}: the file is incomplete")
    if not found:
        raise DataError(f"{shard}: holds no samples")
    return [_Place(shard, tuple(spans[ending] for ending in ENDINGS)) for _, spans in sorted(found.items())]
