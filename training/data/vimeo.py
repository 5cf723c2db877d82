"""Vimeo-90k as its archives unpack: septuplets or triplets of PNG files, and lists of those for training and testing.

Xue et al., "Video Enhancement with Task-Oriented Flow", IJCV 2019.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from scaleflow.errors import DataError, UsageError
from scaleflow.training.data.augmentation import crop_at_random, mirror_at_random
from scaleflow.training.data.clip import Clip, ClipRequest, stack_pictures
from scaleflow.training.data.clip_reader import reopen_video

Part = Literal["train", "test"]


@dataclass(frozen=True)
class _Layout:
    """Names of an archive."""

    archive: str
    prefix: str
    pictures: int


LAYOUTS = (_Layout("vimeo_septuplet", "sep", 7), _Layout("vimeo_triplet", "tri", 3))

MOST_CHECKED = 50
"""Folders of the list, evenly spread, that must be there: a partial archive is found before hours have passed."""


class VimeoSource:
    """A :class:`scaleflow.training.data.clip.ClipSource`: one place for each line of a list."""

    def __init__(self, folder: Path, part: Part = "train") -> None:
        """Open ``folder``, which holds ``sequences`` and the lists.

        Raises:
            UsageError: the folder is not what the archive unpacks to; it says what is expected where.
            DataError: a list names what is not there, or nothing.
        """
        self._folder, self._part = folder, part
        self._layout, listing = _find_layout(folder, part)
        lines = listing.read_text(errors="replace").splitlines()
        self._places = [line.strip() for line in lines if line.strip()]
        if not self._places:
            raise DataError(f"{listing}: names no sequence; unpack {self._layout.archive}.zip again")
        step = max(1, len(self._places) // MOST_CHECKED)
        for place in self._places[::step]:
            self._require(place, listing)

    def __len__(self) -> int:
        return len(self._places)

    def weights(self) -> Sequence[float]:
        """All alike: the set was chosen for its motion."""
        return [1.0] * len(self)

    def file_of(self, index: int) -> Path:
        """See :class:`scaleflow.training.data.clip.ClipSource`."""
        return self._folder / "sequences" / self._places[index]

    def describe(self) -> str:
        """See :class:`scaleflow.training.data.clip.ClipSource`."""
        return f"{len(self)} sequences of {self._layout.archive} ({self._part} list)."

    def read(self, index: int, request: ClipRequest, generator: np.random.Generator) -> Clip:
        """See :class:`scaleflow.training.data.clip.ClipSource`."""
        available = self._layout.pictures
        if request.frames > available:
            raise UsageError(f"{request.frames} pictures are asked for, sequences of {self._folder} have {available}")
        largest = (available - 1) // max(1, request.frames - 1)
        stride = int(generator.integers(1, min(request.stride, largest) + 1))
        first = int(generator.integers(available - (request.frames - 1) * stride))
        folder = self.file_of(index)
        pictures = []
        for number in range(first, first + (request.frames - 1) * stride + 1, stride):
            path = folder / f"im{number + 1}.png"
            with reopen_video(path, request.working_format) as reader:
                pictures.append(next(iter(reader)).planes)
        clip = stack_pictures(pictures, request.working_format)
        try:
            return mirror_at_random(crop_at_random(clip, request, generator), request, generator)
        except DataError as error:
            raise DataError(f"{folder}: {error}") from None

    def _require(self, place: str, listing: Path) -> None:
        folder = self._folder / "sequences" / place
        for number in (1, self._layout.pictures):
            if not (folder / f"im{number}.png").is_file():
                raise DataError(
                    f"{folder}: im{number}.png is missing, though {listing.name} names the sequence: the archive is "
                    f"incomplete; unpack {self._layout.archive}.zip again"
                )


def _find_layout(folder: Path, part: Part) -> tuple[_Layout, Path]:
    for layout in LAYOUTS:
        listing = folder / f"{layout.prefix}_{part}list.txt"
        if listing.is_file():
            if not (folder / "sequences").is_dir():
                raise UsageError(f"{folder}: holds {listing.name} but no folder sequences: unpack the whole archive")
            return layout, listing
    lists = " or ".join(f"{layout.prefix}_{part}list.txt" for layout in LAYOUTS)
    raise UsageError(
        f"{folder}: is no Vimeo-90k: expected {lists} beside a folder sequences/00001/0001 with im1.png, im2.png, ...; "
        "give the folder that vimeo_septuplet.zip or vimeo_triplet.zip unpacks to"
    )
