"""Validation: real clips through the real bitstream of the frozen model."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from scaleflow.codec.distortion import picture_psnr, weighted_psnr
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.codec.frame_coder import FrameDecoder, FrameEncoder
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import Planes
from scaleflow.codec.video.reader import open_video
from scaleflow.errors import DataError, ScaleFlowError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ValidationPoint:
    """One clip at one quality, from decoded payloads: bits a pixel, PSNR-YUV (6:1:1; of RGB, the mean) in dB."""

    clip: str
    quality: float
    bits_per_pixel: float
    psnr: float


def check_clips(clips: Sequence[Path]) -> None:
    """Begin to read each clip: what cannot be validated on is said before hours of training, not after.

    Raises:
        UsageError: there is no such file, or a raw file's name does not say its form, as in
            ``Beauty_1920x1080_120fps_420_8bit_YUV.yuv``.
        DataError: it cannot be read.
    """
    for clip in clips:
        try:
            open_video(clip, threads=1).close()
        except ScaleFlowError as error:
            raise type(error)(f"validation.clips: {error}") from error


def rate_distortion_points(
    model: VideoModel, clips: Sequence[Path], frames: int, qualities: Sequence[float]
) -> list[ValidationPoint]:
    """Code the first pictures of each clip at each quality; of models with one rate, once.

    Raises:
        DataError: a clip cannot be read, or the decoder does not arrive at the encoder's picture.
    """
    points = []
    for clip in clips:
        with open_video(clip, working_format=model.working_format) as reader:
            properties = reader.properties
            pictures = [picture.planes for picture in islice(reader, frames)]
        for quality in qualities if model.variable_rate else [0.0]:
            bits, psnr = _code(model, pictures, properties.width, properties.height, properties.bit_depth, quality)
            rate = bits / len(pictures) / properties.width / properties.height
            points.append(ValidationPoint(clip.name, quality, rate, psnr))
            logger.info("%s at quality %g: %.4f bpp, %.2f dB", clip.name, quality, rate, psnr)
    return points


def _code(
    model: VideoModel, pictures: list[Planes], width: int, height: int, bit_depth: int, quality: float
) -> tuple[int, float]:
    settings = EncodeSettings(quality=quality)
    encoder = FrameEncoder(model, width=width, height=height, bit_depth=bit_depth)
    decoder = FrameDecoder(model, width=width, height=height, bit_depth=bit_depth)
    bits, psnrs = 0, []
    # the noise of training must not depend on whether there was a validation in between
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        for number, planes in enumerate(pictures):
            coded = encoder.encode(planes, key=number == 0, quality=settings.quality_of(quality, number))
            decoded = decoder.decode(coded.payload, key=coded.key)
            if not all(np.array_equal(ours, theirs) for ours, theirs in zip(coded.planes, decoded, strict=True)):
                raise DataError(f"validation: picture {number} decodes differently from what the encoder has")
            bits += 8 * len(coded.payload)
            psnrs.append(weighted_psnr(picture_psnr(planes, decoded, bit_depth), model.working_format))
    return bits, float(np.mean(psnrs))
