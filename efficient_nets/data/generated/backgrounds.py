"""Frames of real videos, as what generated objects move over and are made of."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scaleflow.codec.video.reader import open_video
from scaleflow.efficient_nets.data.action_clips import VIDEO_SUFFIXES
from scaleflow.errors import DataError, UsageError

LATEST_START = 24
"""Frames of a video before the first one that is taken, at most: they have to be decoded, too."""

MOST_KEPT = 256 * 2**20
"""Bytes of frames that are kept."""

Pixels = NDArray[np.uint8]


def background_files(paths: Sequence[Path]) -> list[Path]:
    """Videos that are named, and those below folders that are.

    Raises:
        UsageError: there is no such file or folder, or there are fewer than two videos.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(file for file in path.rglob("[!.]*") if file.suffix.lower() in VIDEO_SUFFIXES)
        elif path.is_file():
            found.append(path)
        else:
            raise UsageError(f"{path}: there is no such video or folder")
    if len(found) < 2:
        raise UsageError(
            f"{', '.join(map(str, paths))}: two videos or more are needed, so that others are left for validation"
        )
    return found


class BackgroundReader:
    """Reads frames of videos at one size. What was read lately is kept: decoding takes far longer than all else."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._known: OrderedDict[Path, tuple[int, list[Pixels]]] = OrderedDict()

    def read(self, path: Path, count: int, generator: np.random.Generator) -> Pixels:
        """Successive frames (count, height, width, 3) from a place drawn by chance, brought to cover the size (width,
        height) and cut in the middle. Where the video is too short, it is played to and fro.

        Raises:
            DataError: the video cannot be read.
        """
        start = int(generator.integers(0, LATEST_START + 1))
        frames = self._first(path, start + count)[: start + count][-count:]
        order = np.abs((np.arange(count) + len(frames) - 1) % max(1, 2 * len(frames) - 2) - (len(frames) - 1))
        return np.stack([frames[number] for number in order])

    def _first(self, path: Path, count: int) -> list[Pixels]:
        """At least the first ``count`` frames of a video, or all that it has."""
        asked, frames = self._known.pop(path, (0, []))
        if asked < count:
            asked, frames = count, self._decode(path, count)
        self._known[path] = asked, frames
        while (
            sum(frame.nbytes for _, kept in self._known.values() for frame in kept) > MOST_KEPT and len(self._known) > 1
        ):
            self._known.popitem(last=False)
        return frames

    def _decode(self, path: Path, count: int) -> list[Pixels]:
        frames = []
        with open_video(path, working_format="rgb", threads=1) as reader:
            shift = reader.properties.bit_depth - 8
            for picture in islice(reader, count):
                frame = (np.stack(picture.planes, -1).astype(np.int64) >> shift).astype(np.uint8)
                frames.append(_covering(frame, self._size))
        if not frames:
            raise DataError(f"{path}: holds no pictures")
        return frames


def cut_texture(frame: NDArray[np.uint8], side: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """A square (side, side, 3) of a frame, from a place that has some detail: the best of a few by chance."""
    height, width = frame.shape[:2]
    side = min(side, height, width)
    places = [
        (int(generator.integers(0, height - side + 1)), int(generator.integers(0, width - side + 1))) for _ in range(6)
    ]
    cuts = [frame[top : top + side, left : left + side].astype(np.float32) for top, left in places]
    return max(cuts, key=lambda cut: float(cut.std()))


def _covering(frame: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    height, width = frame.shape[:2]
    factor = max(size[0] / width, size[1] / height)
    scaled = max(size[0], round(width * factor)), max(size[1], round(height * factor))
    picture = Image.fromarray(frame).resize(scaled, Image.Resampling.BOX if factor < 1 else Image.Resampling.BILINEAR)
    left, top = (scaled[0] - size[0]) // 2, (scaled[1] - size[1]) // 2
    return np.asarray(picture.crop((left, top, left + size[0], top + size[1])))
