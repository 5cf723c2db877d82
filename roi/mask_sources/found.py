"""Masks that a finder makes of the pictures themselves."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial

from scaleflow.codec.encoding.region_masks import MaskSource
from scaleflow.codec.encoding.request import VideoSource
from scaleflow.codec.picture import Picture, VideoProperties
from scaleflow.codec.video.reader import VideoReader
from scaleflow.errors import UsageError
from scaleflow.roi.finders.neighbours import with_neighbours
from scaleflow.roi.finders.region_finder import RegionFinder
from scaleflow.roi.mask_sources.fitting import Mask, rescale
from scaleflow.roi.mask_sources.sequence import MaskSequence, MaskSteps


def open_found_masks(
    source: VideoSource, finder: RegionFinder, video: VideoProperties, pictures: int | None = None
) -> MaskSource:
    """Masks of the pictures of ``source``, made when they are asked for; the source is read beside whoever codes it.

    Raises:
        UsageError: it can be read only once.
    """
    if not source.can_reopen:
        raise UsageError(
            "finding regions reads the input beside the encoder, which a pipe does not allow: save it to a file first"
        )
    return MaskSequence(os.fspath(source.path), lambda: _find_all(source, finder), pictures)


def find_in(reader: VideoReader, finder: RegionFinder) -> Iterator[tuple[Picture, Callable[[], Mask]]]:
    """Each picture of a video, and what makes its mask, of the picture's size."""
    video = reader.properties
    for picture, neighbour in with_neighbours(reader, video.bit_depth):
        yield picture, partial(_find, finder, picture, neighbour, video)


def _find_all(source: VideoSource, finder: RegionFinder) -> MaskSteps:
    with source.open("yuv420") as reader:
        for _, make in find_in(reader, finder):
            yield make


def _find(finder: RegionFinder, picture: Picture, neighbour: Picture | None, video: VideoProperties) -> Mask:
    return rescale(finder.find(picture, neighbour, video), video.height, video.width)
