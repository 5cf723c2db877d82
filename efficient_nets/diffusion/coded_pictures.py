"""Pictures beside what ScaleFlow's codec makes of them, in RGB."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.codec.frame_coder import FrameEncoder
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import Planes
from scaleflow.codec.video.color import ColorCoding
from scaleflow.codec.video.pixel_format import describe_pixel_format
from scaleflow.codec.video.working_format import to_working

RgbPicture = NDArray[np.uint8]
"""(3, height, width)."""


def code_pictures(
    pictures: Iterable[Planes], model: VideoModel, quality: float, coding: ColorCoding
) -> Iterator[tuple[RgbPicture, RgbPicture]]:
    """Original and decoded picture of each of successive ones, the first being a key picture, as ``encode`` codes them.

    Args:
        pictures: 4:2:0 planes of 8 bits, as the model's working format has them.
        model: the codec.
        quality: 0..63, of inter pictures; that of the key picture is higher, as usual.
        coding: how the planes are to be read as colours.
    """
    settings = EncodeSettings(quality=quality)
    encoder: FrameEncoder | None = None
    for number, planes in enumerate(pictures):
        if encoder is None:
            height, width = planes[0].shape
            encoder = FrameEncoder(model, width=width, height=height)
        coded = encoder.encode(planes, key=not number, quality=settings.quality_of(quality, number))
        yield _rgb(planes, coding), _rgb(coded.planes, coding)


def _rgb(planes: Planes, coding: ColorCoding) -> RgbPicture:
    converted = to_working(planes, describe_pixel_format("yuv420p"), coding, "rgb", 8)
    return np.stack([plane.astype(np.uint8, copy=False) for plane in converted])
