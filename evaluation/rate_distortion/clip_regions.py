"""Regions of interest of the clips of a sweep: masks that are there, or that are found in the pictures as they are."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

from scaleflow.codec.encoding.request import VideoSource
from scaleflow.errors import UsageError
from scaleflow.evaluation.rate_distortion.clip_files import ClipFile
from scaleflow.evaluation.rate_distortion.clip_masks import find_masks
from scaleflow.evaluation.rate_distortion.source_clip import ContentHash, open_clip
from scaleflow.roi.finders.region_finder import RegionFinder
from scaleflow.roi.make_masks import make_masks

MASKS_FOLDER = "masks"
"""Within the results folder: masks that were found, by what they were found in and by what."""


class ClipRegions(Protocol):
    """Says where the masks of clips are."""

    def masks_of(self, clips: Sequence[tuple[ClipFile, int]], results: Path) -> dict[str, Path]:
        """The masks of each clip, by its name.

        Args:
            clips: each with the most pictures that are coded of it.
            results: folder for masks that are made.

        Raises:
            UsageError, DataError: there are none, or none can be made.
        """


@dataclass(frozen=True)
class GivenRegions:
    """Masks that are there: ``place`` is that of :func:`scaleflow.evaluation.rate_distortion.clip_masks.find_masks`."""

    place: str

    def masks_of(self, clips: Sequence[tuple[ClipFile, int]], results: Path) -> dict[str, Path]:
        """See :class:`ClipRegions`."""
        return find_masks(self.place, [clip for clip, _ in clips])


@dataclass(frozen=True)
class FoundRegions:
    """What a finder finds in the pictures as they are: a mask of each picture, found in that picture, not dilated.

    Masks are kept in the results folder, and are made once for the same pictures and finder.

    Attributes:
        finder: makes them.
        identity: of the finder, such as its name, the hash of its network's file, and its classes.
    """

    finder: RegionFinder
    identity: str

    def masks_of(self, clips: Sequence[tuple[ClipFile, int]], results: Path) -> dict[str, Path]:
        """See :class:`ClipRegions`."""
        folder = results / MASKS_FOLDER
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{folder}: cannot be made: {error.strerror}") from error
        return {clip.name: self._masks(clip, frames, folder) for clip, frames in clips}

    def _masks(self, clip: ClipFile, frames: int, folder: Path) -> Path:
        identity = repr((_content(clip, frames), self.identity))
        path = folder / f"{hashlib.sha256(identity.encode()).hexdigest()[:20]}.mkv"
        if path.is_symlink():
            path.unlink()
        if not path.is_file():
            make_masks(VideoSource(clip.path, clip.raw, clip.frame_rate, threads=1), path, self.finder, frames=frames)
        return path


def _content(clip: ClipFile, frames: int) -> str:
    """Hash of the pictures, as :class:`scaleflow.evaluation.rate_distortion.point.EvaluatedClip` has it."""
    with open_clip(clip) as reader:
        content = ContentHash(reader.properties)
        for picture in islice(reader, frames):
            content.add(picture.planes)
    return content.digest()
