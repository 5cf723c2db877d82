"""Photographs: single pictures are cut from them for the intra stage, and clips are rendered of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from scaleflow.codec.video.color import ColorCoding, quantize, rgb_to_yuv
from scaleflow.errors import DataError, UsageError
from scaleflow.training.data.augmentation import mirror_at_random
from scaleflow.training.data.clip import Clip, ClipRequest
from scaleflow.training.data.clip_reader import reopen_video
from scaleflow.training.data.picture_folder import PictureFolder

LARGEST_REDUCTION = 2.0
"""Of pictures for the intra stage; they are expected to be sharp as they lie in the folder."""

_CODING = ColorCoding(matrix="bt709", full_range=False)


class Photographs(PictureFolder):
    """A :class:`scaleflow.training.data.clip.ClipSource` of single pictures, cut from the photographs of a folder.

    All are held in memory once they were read: a folder of hundreds of megapixels is not meant.
    """

    def describe(self) -> str:
        """See :class:`scaleflow.training.data.clip.ClipSource`."""
        return f"{len(self)} photographs, reduced by 1 to {LARGEST_REDUCTION:g}."

    def read(self, index: int, request: ClipRequest, generator: np.random.Generator) -> Clip:
        """See :class:`scaleflow.training.data.clip.ClipSource`."""
        if request.frames != 1 or request.working_format != "yuv420":
            raise UsageError(f"{self._folder}: photographs serve the intra stage in yuv420 only")
        picture = load_picture(self._paths[index])
        height, width = picture.shape[1:]
        largest = min(LARGEST_REDUCTION, min(height, width) / request.crop)
        if largest < 1:
            raise DataError(f"{self._paths[index]}: {width}x{height} are too small for crops of {request.crop}")
        side = int(request.crop * np.exp(generator.uniform(0, np.log(largest))))
        top, left = (int(generator.integers(size - side + 1)) for size in (height, width))
        cut = picture[None, :, top : top + side, left : left + side].float()
        sharp = _resize(cut, request.crop) if side > request.crop else cut
        return mirror_at_random(to_clip(sharp), request, generator)


@cache
def load_picture(path: Path) -> Tensor:
    """A picture as uint8 Y, Cb, Cr of full size, (3, H, W), limited range.

    Raises:
        DataError: it cannot be read.
    """
    with reopen_video(path, "rgb") as reader:
        planes = [plane.astype(np.float32) for plane in next(iter(reader)).planes]
    channels = rgb_to_yuv(planes[0], planes[1], planes[2], _CODING, 8, 255)
    return torch.from_numpy(np.stack([quantize(channel, 8) for channel in channels]))


def to_clip(pictures: Tensor) -> Clip:
    """Pictures in Y, Cb, Cr of full size, float (T, 3, H, W), to 4:2:0 of 8 bits, chroma reduced by area."""
    return Clip((_to_bytes(pictures[:, :1]), _to_bytes(F.avg_pool2d(pictures[:, 1:], 2))))


def _resize(pictures: Tensor, side: int) -> Tensor:
    return F.interpolate(pictures, size=(side, side), mode="bicubic", antialias=True, align_corners=False)


def _to_bytes(planes: Tensor) -> NDArray[np.uint8]:
    rounded: NDArray[np.uint8] = planes.round().clamp(0, 255).byte().numpy()
    return rounded
