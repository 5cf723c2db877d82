"""A region of interest of a video: where it is, and how it is coded."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from scaleflow.codec.encoding.region_masks import RegionPlaces
from scaleflow.codec.encoding.request import VideoSource
from scaleflow.errors import UsageError
from scaleflow.roi.coding import DEFAULT_MODE, DEFAULT_STRENGTH, RegionMode, RegionSettings
from scaleflow.roi.finders.names import make_finder
from scaleflow.roi.finders.region_finder import RegionFinder
from scaleflow.roi.mask_sources.box_file import read_box_file
from scaleflow.roi.mask_sources.found import open_found_masks
from scaleflow.roi.mask_sources.mask_file import open_mask_file

StrPath = str | os.PathLike[str]


@dataclass(frozen=True)
class Region:
    """A region of interest, on which bits are spent; exactly one of ``masks``, ``boxes`` and ``finder`` is given.

    Attributes:
        masks: a video, a folder or pattern of pictures, or one picture for all; or masks that a program makes
            (:class:`scaleflow.codec.encoding.region_masks.MaskSource`), or what opens them for a video, or what makes
            them while pictures are coded (:class:`scaleflow.roi.mask_sources.in_loop.FinderInLoop`).
        boxes: JSON of boxes, in the vocabulary of COCO or of FFmpeg's filter addroi.
        finder: finds it in the pictures: ``motion``, ``saliency``, or an object that does
            (:class:`scaleflow.roi.finders.region_finder.RegionFinder`).
        mode: ``latent-scaling``, ``learned-scaling``, ``implicit`` or ``both``, see
            :class:`scaleflow.roi.coding.RegionSettings`.
        strength: how many times coarser what lies outside is quantized, 1 to 64; where it is None, what the offsets
            of ``boxes`` amount to, or 8.
        networks: a file of region networks, for the modes that take any; those shipped where it is None.

    Raises:
        UsageError: none or several places are given, or a value is out of range.

    Example:
        >>> import numpy as np, scaleflow
        >>> class LeftHalf:
        ...     def mask_at(self, number, seconds):
        ...         return np.repeat([[1.0, 0.0]], 44, axis=1).repeat(72, axis=0).astype(np.float32)
        >>> region = scaleflow.Region(masks=LeftHalf(), strength=16)
        >>> summary = scaleflow.encode(clip, folder / "region.sfv", quality=30, region=region)
        >>> summary.pictures
        8
    """

    masks: StrPath | RegionPlaces | None = None
    boxes: StrPath | None = None
    finder: str | RegionFinder | None = None
    mode: RegionMode = DEFAULT_MODE
    strength: float | None = None
    networks: StrPath | None = None

    def __post_init__(self) -> None:
        places = {"masks": self.masks, "boxes": self.boxes, "finder": self.finder}
        given = [name for name, value in places.items() if value is not None]
        if len(given) != 1:
            raise UsageError(
                f"{' and '.join(given) or 'none'} of masks, boxes and finder given: a region comes from one of them",
                fields=tuple(places),
            )
        self._settings(DEFAULT_STRENGTH)

    def open(self, source: VideoSource) -> tuple[RegionPlaces, RegionSettings]:
        """Masks of a video, and how what they mark is coded.

        Raises:
            UsageError: the finder is unknown.
            DataError: the file of boxes is malformed.
        """
        if self.boxes is not None:
            box_file = read_box_file(self.boxes)
            return box_file.masks, self._settings(box_file.strength or DEFAULT_STRENGTH)
        return self._open_masks(source), self._settings(DEFAULT_STRENGTH)

    def _open_masks(self, source: VideoSource) -> RegionPlaces:
        if self.finder is not None:
            finder = make_finder(self.finder) if isinstance(self.finder, str) else self.finder
            return partial(open_found_masks, source, finder)
        if isinstance(self.masks, str | os.PathLike):
            return partial(open_mask_file, os.fspath(self.masks))
        assert self.masks is not None
        return self.masks

    def _settings(self, strength: float) -> RegionSettings:
        networks = None if self.networks is None else Path(self.networks)
        return RegionSettings(self.mode, strength if self.strength is None else self.strength, networks)
