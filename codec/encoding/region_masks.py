"""Masks that come with the pictures of a video: where a region of interest is, picture by picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from scaleflow.codec.encoding.key_frames import PlannedItem, PlannedPicture
from scaleflow.codec.models.region_coding import RegionMask
from scaleflow.codec.picture import Picture, SourcePlace, VideoProperties
from scaleflow.codec.video.audio import AudioPacketData


@runtime_checkable
class MaskSource(Protocol):
    """Masks of a video, asked for in any order."""

    def mask_at(self, number: int, seconds: float) -> NDArray[np.float32]:
        """Of the picture's (height, width), 0..1, for the picture of that number and time from the video's first.

        Raises:
            DataError: there is none, or it cannot be read.
        """


OpenMasks = Callable[[VideoProperties, int | None], MaskSource]
"""Opens masks for a video once it is known: its properties, and how many pictures it has, about, or None."""


@runtime_checkable
class InLoopMasks(Protocol):
    """Masks that are made while pictures are coded, of what the decoder has shown by then.

    The same picture must give the same mask. Where several workers code, each has a copy, made by pickling.
    """

    def mask_from(self, picture: Picture, video: VideoProperties) -> NDArray[np.float32]:
        """For the next picture to code, of its (height, width), 0..1.

        Args:
            picture: the one before it, as the decoder shows it; of a key frame, which depends on no picture before it,
                the picture itself.
            video: how samples are to be read.
        """


RegionPlaces = MaskSource | OpenMasks | InLoopMasks
"""All that says to an encoder where regions of interest are."""


def note_places(
    items: Iterable[Picture | AudioPacketData], properties: VideoProperties
) -> Iterator[Picture | AudioPacketData]:
    """Note where in the source each picture stands, before parts of it are cut away."""
    number, first_pts = 0, 0
    for item in items:
        if isinstance(item, Picture):
            first_pts = item.pts if not number else first_pts
            seconds = float((item.pts - first_pts) * properties.time_base)
            item = replace(item, place=SourcePlace(number, seconds, item.pts))
            number += 1
        yield item


class RegionMasks:
    """Gives planned pictures their masks."""

    def __init__(self, source: MaskSource) -> None:
        self._source = source

    def attach(self, items: Iterable[PlannedItem]) -> Iterator[PlannedItem]:
        """Fetch the mask of each picture that :func:`note_places` saw."""
        for item in items:
            if isinstance(item, PlannedPicture) and item.picture.place is not None:
                place = item.picture.place
                item = replace(item, region=to_codes(self._source.mask_at(place.number, place.seconds)))
            yield item


def to_codes(mask: NDArray[np.float32]) -> RegionMask:
    """A mask of 0..1 in the 256 steps in which coders see it."""
    codes: RegionMask = (mask.clip(0, 1) * np.float32(255)).round().astype(np.uint8)
    return codes
