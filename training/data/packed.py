"""Crops kept as arrays on disk: nothing is decoded between the steps, and the memory of the machine is not needed.

A folder of ``luma.npy`` (N, T, 1, S, S), ``chroma.npy`` (N, T, 2, S / 2, S / 2), both uint8, and ``packed.json``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from scaleflow.codec.video.color import ColorCoding
from scaleflow.codec.video.pixel_format import describe_pixel_format
from scaleflow.codec.video.working_format import from_working
from scaleflow.errors import DataError, UsageError
from scaleflow.output_folder import whole_folder
from scaleflow.training.data.array_file import read_array
from scaleflow.training.data.augmentation import crop_at_random, mirror_at_random
from scaleflow.training.data.clip import Clip, ClipRequest, ClipSource, stack_pictures
from scaleflow.training.data.configuration import DataConfig
from scaleflow.training.data.samples import SampleKey, SampleSet, UnreadReport

MANIFEST = "packed.json"
FORMAT = "scaleflow-packed-1"

_RGB = describe_pixel_format("gbrp")
_CODING = ColorCoding(matrix="bt709", full_range=False)
"""What crops are taken for where RGB is asked of them; they carry no tags."""


class PackedClips:
    """A :class:`scaleflow.training.data.clip.ClipSource` of crops that :func:`pack_clips` wrote."""

    def __init__(self, folder: Path) -> None:
        """Map the arrays into memory.

        Raises:
            UsageError: there are none.
            DataError: they are damaged.
        """
        self._folder = folder
        try:
            manifest = json.loads((folder / MANIFEST).read_text())
            self._luma = read_array(folder / "luma.npy", mmap_mode="r")
            self._chroma = read_array(folder / "chroma.npy", mmap_mode="r")
        except FileNotFoundError as error:
            missing = Path(error.filename).name
            raise UsageError(f"{folder}: holds no {missing}: give a folder that scaleflow pack has written") from error
        except (OSError, ValueError, RecursionError, DataError) as error:
            raise DataError(f"{folder}: the packed crops are damaged ({error}): pack them again") from error
        known = isinstance(manifest, dict) and manifest.get("format") == FORMAT
        if not known or not are_planes(self._luma, self._chroma, dimensions=5):
            raise DataError(f"{folder}: the packed crops are damaged or of another version: pack them again")
        self._source = str(manifest.get("source", ""))

    def __len__(self) -> int:
        return len(self._luma)

    @property
    def frames(self) -> int:
        """Pictures of each clip."""
        return int(self._luma.shape[1])

    def weights(self) -> Sequence[float]:
        """All alike: weights were heeded when packing."""
        return [1.0] * len(self)

    def file_of(self, index: int) -> Path:
        """See :class:`scaleflow.training.data.clip.ClipSource`."""
        return self._folder

    def describe(self) -> str:
        """See :class:`scaleflow.training.data.clip.ClipSource`."""
        pictures, side = self._luma.shape[1], self._luma.shape[-1]
        return f"{len(self)} packed clips of {pictures} pictures of {side}x{side}. {self._source}".strip()

    def read(self, index: int, request: ClipRequest, generator: np.random.Generator) -> Clip:
        """See :class:`scaleflow.training.data.clip.ClipSource`; the distance in time was chosen when packing."""
        return cut_packed(Clip((self._luma[index], self._chroma[index])), self._folder, request, generator)


def pack_clips(
    source: ClipSource,
    folder: Path,
    count: int,
    frames: int,
    data: DataConfig,
    seed: int,
    report: Callable[[int], None] = lambda done: None,
) -> None:
    """Write ``count`` random clips of a source, of ``frames`` pictures each, cut as ``data`` says.

    Raises:
        UsageError: the folder holds something already, or the source has no clips of so many pictures.
        DataError: clips cannot be read or written; nothing is left then.
    """
    side = data.crop
    with whole_folder(folder, parents=True) as partial:
        samples, unread = SampleSet(source, data, seed, "yuv420"), UnreadReport()
        luma = create_array(partial / "luma.npy", (count, frames, 1, side, side))
        chroma = create_array(partial / "chroma.npy", (count, frames, 2, side // 2, side // 2))
        for number in range(count):
            sample = samples.load(SampleKey(0, number, frames))
            unread.add(sample.unread)
            luma[number], chroma[number] = (plane.numpy() for plane in sample.planes)
            report(number + 1)
        luma.flush()
        chroma.flush()
        (partial / MANIFEST).write_text(json.dumps({"format": FORMAT, "source": source.describe()}))


def are_planes(luma: object, chroma: object, dimensions: int) -> bool:
    """Whether two arrays are luma (..., T, 1, S, S) and chroma (..., T, 2, S / 2, S / 2) of clips, in uint8."""
    if not isinstance(luma, np.ndarray) or not isinstance(chroma, np.ndarray) or luma.ndim != dimensions:
        return False
    *front, channels, height, width = luma.shape
    matching = channels == 1 and height == width and chroma.shape == (*front, 2, height // 2, width // 2)
    return bool(matching and luma.size and luma.dtype == chroma.dtype == np.uint8)


def cut_packed(clip: Clip, path: Path, request: ClipRequest, generator: np.random.Generator) -> Clip:
    """What a request asks for, out of a packed clip in 4:2:0 that lies at ``path``.

    Raises:
        UsageError: the packed clip is too short.
        DataError: its pictures are too small.
    """
    available = len(clip.planes[0])
    if request.frames > available:
        raise UsageError(
            f"{path}: {request.frames} pictures are asked for, packed clips have {available}: shorten stages' unroll, "
            f"or pack again with {request.frames} pictures a clip"
        )
    first = int(generator.integers(available - request.frames + 1))
    chosen = Clip(tuple(plane[first : first + request.frames] for plane in clip.planes))
    try:
        cut = mirror_at_random(crop_at_random(chosen, request, generator), request, generator)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    return _to_rgb(cut) if request.working_format == "rgb" else cut


def create_array(path: Path, shape: tuple[int, ...]) -> np.memmap:  # type: ignore[type-arg]
    """An array on disk whose space is really there: a full disk is an error here, not a crash while it is filled."""
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    with path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def _to_rgb(clip: Clip) -> Clip:
    luma, chroma = clip.planes
    pictures = [from_working((y[0], *c), _RGB, _CODING, "yuv420", 8) for y, c in zip(luma, chroma, strict=True)]
    return stack_pictures(pictures, "rgb")
