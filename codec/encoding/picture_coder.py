"""Codes the pictures of groups one by one, with a decoder beside the encoder where that is asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from scaleflow.codec.distortion import picture_psnr, region_psnr
from scaleflow.codec.encoding.region_masks import InLoopMasks, to_codes
from scaleflow.codec.frame_coder import FrameDecoder, FrameEncoder
from scaleflow.codec.models.picture_order import LatentRefinement, RegionOrder
from scaleflow.codec.models.region_coding import RegionCoding, RegionMask
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import Picture, Planes, VideoProperties
from scaleflow.errors import DataError, UsageError


@dataclass(frozen=True)
class CoderSettings:
    """How all pictures of a stream are coded.

    Attributes:
        verify: compare the decoder's pictures with the encoder's.
        measure: compare them with the source.
        region_coding: what codes regions of interest, where pictures have them.
        refinement: gradient descent on the latents; None for none.
        in_loop_masks: makes the masks of decoded pictures, in place of masks that come with the pictures.
    """

    verify: bool = False
    measure: bool = False
    region_coding: RegionCoding | None = None
    refinement: LatentRefinement | None = None
    in_loop_masks: InLoopMasks | None = None

    def region(self, mask: RegionMask | None) -> RegionOrder | None:
        """What a picture's order says of its mask.

        Raises:
            UsageError: there is a mask, and nothing to code it with.
        """
        if mask is None:
            return None
        if self.region_coding is None:
            raise UsageError("a picture has a region of interest, but nothing says how to code it: set region")
        return RegionOrder(mask, self.region_coding)


@dataclass(frozen=True)
class CodedPicture:
    """A picture as it goes into the file; ``psnr`` of each decoded plane, and within its region, where measured."""

    key: bool
    pts: int
    payload: bytes
    quality: float
    estimated_bits: float
    psnr: tuple[float, ...] | None = None
    region_psnr: tuple[float, ...] | None = None


class PictureCoder:
    """Encodes, and decodes again, in coding order."""

    def __init__(self, model: VideoModel, properties: VideoProperties, settings: CoderSettings) -> None:
        width, height, depth = properties.width, properties.height, properties.bit_depth
        self._encoder = FrameEncoder(model, width=width, height=height, bit_depth=depth)
        decoder = FrameDecoder(model, width=width, height=height, bit_depth=depth)
        self._decoder = decoder if settings.verify or settings.measure else None
        self._settings = settings
        self._properties = properties
        self._shown: Picture | None = None

    def code(self, picture: Picture, *, key: bool, quality: float, region: RegionMask | None = None) -> CodedPicture:
        """Code the next picture, with its region of interest if it has one.

        Raises:
            DataError: the decoder does not arrive at the encoder's picture.
        """
        if self._settings.in_loop_masks is not None:
            looked_at = picture if key or self._shown is None else self._shown
            region = to_codes(self._settings.in_loop_masks.mask_from(looked_at, self._properties))
        coded = self._encoder.encode(
            picture.planes,
            key=key,
            quality=quality,
            region=self._settings.region(region),
            refinement=self._settings.refinement,
        )
        self._shown = replace(picture, planes=coded.planes)
        psnr = psnr_within = None
        if self._decoder is not None:
            time = float(picture.pts * self._properties.time_base)
            try:
                decoded = self._decoder.decode(coded.payload, key=coded.key)
            except DataError as error:
                raise DataError(
                    f"verification failed: the picture at {time:.3f} s cannot be decoded: {error}"
                ) from error
            if self._settings.verify:
                _require_equal(coded.planes, decoded, time)
            if self._settings.measure:
                psnr = picture_psnr(picture.planes, decoded, self._properties.bit_depth)
                if region is not None:
                    psnr_within = region_psnr(picture.planes, decoded, self._properties.bit_depth, region)
        bits = sum(coded.estimated_bits.values())
        return CodedPicture(coded.key, picture.pts, coded.payload, quality, bits, psnr, psnr_within)


def _require_equal(encoded: Planes, decoded: Planes, time: float) -> None:
    for name, ours, theirs in zip(("first", "second", "third"), encoded, decoded, strict=True):
        if not np.array_equal(ours, theirs):
            differing = np.abs(ours.astype(np.int32) - theirs.astype(np.int32))
            raise DataError(
                f"verification failed: the picture at {time:.3f} s decodes differently from what the encoder has, by "
                f"up to {differing.max()} in {np.count_nonzero(differing)} samples of the {name} plane; nothing is kept"
            )
