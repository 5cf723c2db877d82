"""Blur what is not of interest before coding: details that are gone cost nothing, in any codec."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from scaleflow.codec.distortion import weights_of_plane
from scaleflow.codec.encoding.file import encode_file
from scaleflow.codec.encoding.region_masks import OpenMasks
from scaleflow.codec.encoding.request import VideoSource
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import Picture, Planes
from scaleflow.errors import UsageError
from scaleflow.roi.baselines.masked_pictures import open_changed_copy, pictures_with_masks

DEFAULT_BLUR = 4.0
MOST_BLUR = 64.0


def check_blur(sigma: float) -> None:
    """Raises :class:`UsageError` where a standard deviation is none, in samples of luma."""
    if not (math.isfinite(sigma) and 0 < sigma <= MOST_BLUR):
        raise UsageError(f"sigma {sigma:g} is not above 0 and at most {MOST_BLUR:g} samples", fields=("sigma",))


def encode_blurred(
    source: VideoSource,
    destination: Path,
    model: VideoModel,
    settings: EncodeSettings,
    masks: OpenMasks,
    sigma: float = DEFAULT_BLUR,
) -> None:
    """Encode a video that is blurred outside its regions of interest, as
    :func:`scaleflow.codec.encoding.file.encode_file` does.

    Args:
        sigma: standard deviation of the blur in samples of luma.
    """
    check_blur(sigma)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "blurred.y4m"
        blur_background(source, masks, copy, sigma)
        encode_file(copy, destination, model, settings)


def blur_background(source: VideoSource, masks: OpenMasks, destination: Path, sigma: float) -> None:
    """Write a copy of a video, as y4m, that is blurred outside its regions of interest.

    Raises:
        DataError: the video or a mask cannot be read.
    """
    with source.open("yuv420") as reader, open_changed_copy(destination, reader.properties) as writer:
        for picture, mask in pictures_with_masks(reader, masks):
            writer.write(Picture(blur_outside(picture.planes, mask, sigma), picture.pts))


def blur_outside(planes: Planes, mask: NDArray[np.float32], sigma: float) -> Planes:
    """Planes with their samples outside the mask replaced by a Gaussian mean around them.

    Samples inside stay what they are. From the region's edge outwards the mask is feathered by a Gaussian of the same
    width, so that no edge is made.

    Args:
        mask: (height, width) of luma, 0..1.
        sigma: standard deviation in samples of luma.
    """
    covered = np.ones_like(mask)
    changed = []
    for plane in planes:
        scale = plane.shape[0] / mask.shape[0]
        inside = weights_of_plane(mask, plane.shape) / weights_of_plane(covered, plane.shape)
        # at a straight edge a blurred mask is a half
        kept = np.maximum(inside, np.minimum(1, 2 * gaussian_filter(inside, sigma * scale)))
        samples = plane.astype(np.float32)
        mixed = kept * samples + (1 - kept) * gaussian_filter(samples, sigma * scale)
        changed.append(mixed.round().astype(plane.dtype))
    return tuple(changed)
