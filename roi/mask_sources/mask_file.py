"""Masks in files: a video of masks, a folder or pattern of pictures, or one picture for all."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from scaleflow.codec.encoding.region_masks import MaskSource
from scaleflow.codec.picture import VideoProperties
from scaleflow.codec.video.color import gray_to_rgb_level
from scaleflow.codec.video.picture_sequence import PICTURE_SUFFIXES
from scaleflow.codec.video.reader import SourcePicture, open_video
from scaleflow.codec.video.working_format import color_coding
from scaleflow.errors import UsageError
from scaleflow.limits import DEFAULT_MAX_PIXELS
from scaleflow.roi.mask_sources.fitting import Mask, check_aspect, rescale
from scaleflow.roi.mask_sources.sequence import MaskSequence, MaskSteps

logger = logging.getLogger(__name__)

PALETTE = "pal8"


def open_mask_file(path: str | os.PathLike[str], video: VideoProperties, pictures: int | None = None) -> MaskSource:
    """Masks for the pictures of a video, in their order; a single picture file is the mask of all.

    White is inside, black is outside, grey is in between. Of a picture with a palette that has colours, as annotations
    of several objects are, all that is not black is inside; of one in RGB, the largest of the three counts.

    Args:
        path: a video, or a folder, printf pattern or glob pattern of pictures, or a picture.
        video: that the masks are for; they may be of another size.
        pictures: that it has, about, where that is known.

    Raises:
        UsageError: there is no such file.
        DataError: it holds no pictures, or they have another aspect ratio.
    """
    name = os.fspath(path)
    if name == "-":
        raise UsageError("masks are read from files, not from standard input")
    with open_video(name, max_pixels=_most_pixels(video)) as reader:
        masks = reader.properties
        check_aspect(name, masks.width, masks.height, video)
        first = mask_values(next(reader.samples()), masks)
    if 0 < first.max() < 1.5 / 255:
        logger.warning("%s: its masks hold 0 and 1 of 255, next to nothing: write 255 for what is inside", name)
    if _is_still(name):
        return StillMask(rescale(first, video.height, video.width))
    return MaskSequence(name, lambda: _read(name, video), pictures)


class StillMask:
    """Implements :class:`scaleflow.codec.encoding.region_masks.MaskSource`: one mask for all pictures."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask

    def mask_at(self, number: int, seconds: float) -> Mask:
        """The mask."""
        return self._mask


def mask_values(sample: SourcePicture, properties: VideoProperties) -> Mask:
    """What the samples of a picture of a video with these properties say as a mask."""
    pixel_format = sample.pixel_format
    if pixel_format.family == "rgb":
        colors = np.stack(sample.planes)
        if pixel_format.name == PALETTE and (colors != colors[0]).any():
            return colors.any(0).astype(np.float32)
        return colors.max(0).astype(np.float32) / np.float32((1 << pixel_format.bit_depth) - 1)
    coding = color_coding(replace(properties, pixel_format=pixel_format.name))
    luma = sample.planes[0].astype(np.float32)
    return gray_to_rgb_level(luma, coding.full_range, pixel_format.bit_depth, 1).clip(0, 1)


def _read(name: str, video: VideoProperties) -> MaskSteps:
    with open_video(name, max_pixels=_most_pixels(video)) as reader:
        for sample in reader.samples():
            yield partial(_mask, sample, reader.properties, video)


def _most_pixels(video: VideoProperties) -> int:
    """Masks may be as large as their video, which has been let in."""
    return max(DEFAULT_MAX_PIXELS, video.width * video.height)


def _mask(sample: SourcePicture, properties: VideoProperties, video: VideoProperties) -> Mask:
    return rescale(mask_values(sample, properties), video.height, video.width)


def _is_still(name: str) -> bool:
    path = Path(name)
    return path.is_file() and path.suffix.lower() in PICTURE_SUFFIXES
