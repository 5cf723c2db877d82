"""What moves otherwise than the camera does."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.ndimage import grey_closing, grey_dilation, median_filter
from torch import Tensor

from scaleflow.codec.models.motion_estimation import BLOCK, match_blocks
from scaleflow.codec.picture import Picture, VideoProperties
from scaleflow.roi.finders.global_motion import global_motion

SHORT_SIDE = 240
"""Pictures are reduced by whole numbers to about this: motion of regions needs no finer vectors, and those of noise
grow fewer."""

SMOOTHNESS = 16.0
"""Price of irregular vectors, see :func:`scaleflow.codec.models.motion_estimation.match_blocks`."""

LEAST_TEXTURE = 2.0
"""Mean absolute gradient in code values; vectors of blocks with less are arbitrary."""

STILL, MOVING = 3.0, 6.0
"""Standard deviations of the camera's vectors up to which a block is outside, and from which on it is inside."""

LEAST_MOTION = 0.75
"""Samples of the reduced picture that count as none, however still the rest is."""


class MotionFinder:
    """Implements :class:`scaleflow.roi.finders.region_finder.RegionFinder` by the codec's own block matching.

    From the vectors the motion of the camera is taken away; what is left is compared with how well that explains the
    rest, graded between two thresholds, closed over gaps and widened by one block. Blocks without texture, and those
    that the camera has only just uncovered at the border, have no vectors to speak of and count as still.
    """

    def find(self, picture: Picture, neighbour: Picture | None, video: VideoProperties) -> NDArray[np.float32]:
        """See :class:`scaleflow.roi.finders.region_finder.RegionFinder`; a picture that stands alone has no region."""
        if neighbour is None:
            return np.zeros((video.height, video.width), np.float32)
        factor = max(1, round(min(video.height, video.width) / SHORT_SIDE))
        current, reference = (_reduced_luma(p, factor, video.bit_depth) for p in (picture, neighbour))
        with torch.inference_mode():
            vectors = match_blocks(current, reference, SMOOTHNESS)[0].permute(1, 2, 0).double().numpy()
        texture = _texture(current)
        followed, deviation = global_motion(vectors, texture)
        own = np.linalg.norm(vectors - followed, axis=2) * texture * _inside(followed)
        still, moving = (max(times * deviation, LEAST_MOTION * times / STILL) for times in (STILL, MOVING))
        graded = ((own - still) / (moving - still)).clip(0, 1).astype(np.float32)
        cleaned = grey_dilation(grey_closing(median_filter(graded, 3), 3), 3)
        blocks = torch.from_numpy(cleaned)[None, None]
        samples = F.interpolate(blocks, scale_factor=float(BLOCK * factor), mode="bilinear")
        return samples[0, 0, : video.height, : video.width].contiguous().numpy()


def _reduced_luma(picture: Picture, factor: int, bit_depth: int) -> Tensor:
    """Luma in the range of 8 bits, (1, 1, H, W), reduced, and padded to what block matching takes."""
    luma = torch.from_numpy(picture.planes[0].astype(np.float32))[None, None] / 2.0 ** (bit_depth - 8)
    reduced = F.avg_pool2d(luma, factor, ceil_mode=True)
    height, width = reduced.shape[2:]
    return F.pad(reduced, (0, -width % 16, 0, -height % 16), mode="replicate")


def _texture(luma: Tensor) -> NDArray[np.float64]:
    """1 for blocks with enough texture in both directions to be followed, else 0."""
    across = F.pad((luma[..., 1:] - luma[..., :-1]).abs(), (0, 1))
    down = F.pad((luma[..., 1:, :] - luma[..., :-1, :]).abs(), (0, 0, 0, 1))
    weaker = torch.minimum(F.avg_pool2d(across, BLOCK), F.avg_pool2d(down, BLOCK))
    return (weaker[0, 0] >= LEAST_TEXTURE).double().numpy()


def _inside(vectors: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether blocks that follow these vectors lie wholly within the other picture."""
    rows, columns = np.mgrid[0 : vectors.shape[0], 0 : vectors.shape[1]]
    inside = np.ones(vectors.shape[:2], np.bool_)
    for positions, axis in ((columns, 0), (rows, 1)):
        found = positions + vectors[:, :, axis] / BLOCK
        inside &= (found >= 0) & (found <= positions.max())
    return inside
