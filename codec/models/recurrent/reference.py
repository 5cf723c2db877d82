"""What coding the next picture needs of the one before, as the decoder of the recurrent model has it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scaleflow.codec.models.quality_symbol import QualityState
from scaleflow.codec.models.recurrent.frozen_latents import ExactContext
from scaleflow.codec.models.recurrent.network import CodecState
from scaleflow.codec.models.transforms import SAMPLE_RANGE, unpack_planes
from scaleflow.codec.models.video_model import PictureGeometry
from scaleflow.codec.picture import Planes


@dataclass(frozen=True)
class RecurrentReference:
    """Implements :class:`scaleflow.codec.models.video_model.Reference`.

    ``state`` is what networks see; its symbol contexts are not used, since the exact ones are ``motion`` and
    ``residual``. ``absent`` says of motion and residual whether nothing was written of them.
    """

    state: CodecState
    motion: ExactContext
    residual: ExactContext
    quality: QualityState
    absent: tuple[bool, bool]
    geometry: PictureGeometry

    def planes(self) -> Planes:
        """Luma and two chroma planes in code values."""
        luma, chroma = unpack_planes(self.state.first.packed)
        width, height, largest = self.geometry.width, self.geometry.height, self.geometry.largest_code
        kind = torch.uint8 if self.geometry.bit_depth == 8 else torch.int32
        codes = [(plane * largest).round().clamp(0, largest).to(kind).cpu().numpy() for plane in (luma[0], chroma[0])]
        half = (slice(0, (height + 1) // 2), slice(0, (width + 1) // 2))
        planes = (codes[0][0, :height, :width], codes[1][0][half], codes[1][1][half])
        dtype = np.uint8 if self.geometry.bit_depth == 8 else np.uint16
        return tuple(np.ascontiguousarray(plane, dtype=dtype) for plane in planes)


def rounded_to_depth(decoded: Tensor, geometry: PictureGeometry) -> Tensor:
    """A packed picture as both sides keep it: within range, rounded to the bit depth."""
    largest = geometry.largest_code
    codes = ((decoded.float() / SAMPLE_RANGE + 0.5) * largest).round().clamp(0, largest)
    return (codes / largest - 0.5) * SAMPLE_RANGE
