"""Clips cut from a folder of videos in one pass over each: many from few decoded pictures, at random reductions.

Sources are compressed, some heavily, and are soft at full size: crops are taken from pictures that are reduced by 1 to
4.5, most of them by 2 and more, each clip by a factor of its own. The last part of every scene and some whole videos
are held out of training, and are what clips of the held-out part are cut from.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from scaleflow.codec.picture import Planes
from scaleflow.errors import DataError, UsageError
from scaleflow.training.data.augmentation import mirror_at_random
from scaleflow.training.data.clip import Clip, ClipRequest
from scaleflow.training.data.clip_reader import reopen_video
from scaleflow.training.data.video_index import VideoRecord, index_folder

logger = logging.getLogger(__name__)

REDUCTIONS = (2.0, 4.5)
"""Smallest and largest reduction; smaller ones only of pictures that would be too small."""

STRIDES = (1, 1, 1, 2, 3)
"""Distances in time, each as likely."""

STILL_CHANGE, STILL_SHARE = 0.7, 0.3
"""Windows with less mean absolute change (of 255) from picture to picture are taken this often."""

LARGEST_GAP = 8
"""Pictures that are left out between two windows, at most."""

ALIKE_TAKES = 3
"""Of videos whose names begin alike (takes of one scene), so many in a pass."""

NAME_START = 9


@dataclass(frozen=True)
class SweepSettings:
    """What is cut.

    Attributes:
        frames: pictures of a clip.
        side: of a square crop, in samples, a multiple of 16.
        held_videos: names of videos that are held out of training.
        held_tail: part at the end of every scene that is held out.
    """

    frames: int
    side: int
    held_videos: tuple[str, ...] = ()
    held_tail: float = 0.1

    def __post_init__(self) -> None:
        if self.frames < 1 or self.side < 16 or self.side % 16:
            raise UsageError(f"clips of {self.frames} pictures of {self.side} samples: a multiple of 16 is needed")
        if not 0 <= self.held_tail < 1:
            raise UsageError(f"held_tail = {self.held_tail} is outside 0..1")


@dataclass(frozen=True)
class _Window:
    """Pictures ``first``, ``first + stride``, ... of one scene."""

    first: int
    stride: int
    frames: int

    @property
    def numbers(self) -> range:
        return range(self.first, self.first + (self.frames - 1) * self.stride + 1, self.stride)


class VideoSweep:
    """Cuts clips from a folder of videos, pass after pass."""

    def __init__(self, folder: Path, settings: SweepSettings, index_path: Path | None = None) -> None:
        """Read or build the index.

        Raises:
            UsageError: there is no such folder, or no such video to hold out.
            DataError: it holds no video that is large enough.
        """
        if not folder.is_dir():
            raise UsageError(f"{folder}: there is no such folder of videos")
        self._folder, self._settings = folder, settings
        records = [record for record in index_folder(folder, index_path) if _fits(record, settings.side)]
        if not records:
            raise DataError(f"{folder}: holds no video of {settings.side} samples and more")
        unknown = set(settings.held_videos) - {record.name for record in records}
        if unknown:
            raise UsageError(f"{folder}: has no videos {', '.join(sorted(unknown))} to hold out")
        self._records = records

    def clips(self, generator: np.random.Generator, *, held_out: bool = False) -> Iterator[Clip]:
        """Clips without end; of training, or of what is held out of it."""
        while True:
            for record in self._pass(generator):
                windows = list(self._windows(record, generator, held_out))
                try:
                    yield from self._cut(record, windows, generator)
                except DataError as error:
                    logger.warning("left out: %s", error)

    def describe(self) -> str:
        """One sentence for a model card."""
        pictures = sum(record.pictures for record in self._records)
        return f"Crops of {len(self._records)} videos with {pictures} pictures, reduced by 1 to {REDUCTIONS[1]:g}."

    def _pass(self, generator: np.random.Generator) -> list[VideoRecord]:
        seen: dict[str, int] = {}
        chosen = []
        for number in generator.permutation(len(self._records)):
            take = Path(self._records[number].name).name[:NAME_START]
            seen[take] = seen.get(take, 0) + 1
            if seen[take] <= ALIKE_TAKES:
                chosen.append(self._records[number])
        return chosen

    def _windows(self, record: VideoRecord, generator: np.random.Generator, held_out: bool) -> Iterator[_Window]:
        """In rising order, without overlap."""
        whole = record.name in self._settings.held_videos
        if whole and not held_out:
            return
        for start, end in record.scenes():
            kept = end if whole else end - int((end - start) * self._settings.held_tail)
            first, last = (start, kept) if whole or not held_out else (kept, end)
            position = first
            while True:
                stride = int(generator.choice(STRIDES))
                position += int(generator.integers(LARGEST_GAP + 1))
                window = _Window(position, stride, self._settings.frames)
                if window.numbers[-1] >= last:
                    break
                changes = record.changes[position + 1 : window.numbers[-1] + 1]
                still = bool(changes) and float(np.mean(changes)) * stride < STILL_CHANGE
                if not still or generator.random() < STILL_SHARE:
                    yield window
                position = window.numbers[-1] + 1

    def _cut(self, record: VideoRecord, windows: list[_Window], generator: np.random.Generator) -> Iterator[Clip]:
        if not windows:
            return
        side = self._settings.side
        request = ClipRequest(self._settings.frames, side)
        crops = 1 + int(record.width * record.height > 500_000) + 2 * int(record.width * record.height > 1_500_000)
        waiting = iter(windows)
        window: _Window | None = next(waiting)
        pictures: list[Planes] = []
        with reopen_video(self._folder / record.name, "yuv420") as reader:
            for number, picture in enumerate(reader):
                assert window is not None
                if number not in window.numbers:
                    continue
                pictures.append(picture.planes)
                if number == window.numbers[-1]:
                    for _ in range(crops):
                        yield mirror_at_random(_reduced_crop(pictures, side, generator), request, generator)
                    pictures = []
                    window = next(waiting, None)
                    if window is None:
                        return


def _fits(record: VideoRecord, side: int) -> bool:
    return min(record.width, record.height) >= side


def _reduced_crop(pictures: list[Planes], side: int, generator: np.random.Generator) -> Clip:
    """The same square of successive pictures, reduced by a random factor; 10-bit samples are rounded to 8."""
    height, width = pictures[0][0].shape
    most = min(height, width) / side
    lowest, highest = min(REDUCTIONS[0], most), min(REDUCTIONS[1], most)
    region = 2 * int(side * np.exp(generator.uniform(np.log(lowest), np.log(highest))) / 2)
    top, left = (2 * int(generator.integers((size - region) // 2 + 1)) for size in (height, width))
    luma = np.stack([planes[0][top : top + region, left : left + region] for planes in pictures])[:, None]
    half = (slice(top // 2, (top + region) // 2), slice(left // 2, (left + region) // 2))
    chroma = np.stack([[plane[half] for plane in planes[1:]] for planes in pictures])
    return Clip((_resized(luma, side), _resized(chroma, side // 2)))


def _resized(planes: NDArray[np.generic], side: int) -> NDArray[np.uint8]:
    samples = torch.from_numpy(planes.astype(np.float32))
    if planes.dtype != np.uint8:
        samples = samples / 4
    if samples.shape[3] != side:
        samples = F.interpolate(samples, size=(side, side), mode="bicubic", antialias=True, align_corners=False)
    resized: NDArray[np.uint8] = samples.round().clamp(0, 255).byte().numpy()
    return resized
