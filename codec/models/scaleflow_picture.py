"""Pictures of the default model as tensors: packed and padded before coding, and as references after it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from scaleflow.codec.models.bin_width_map import BinWidthMap
from scaleflow.codec.models.presence import CellMask, FailedTrials, InterPresence
from scaleflow.codec.models.quality_symbol import QualityState
from scaleflow.codec.models.scaleflow import ScaleFlowConfig
from scaleflow.codec.models.transforms import SAMPLE_RANGE, pack_planes, unpack_planes
from scaleflow.codec.models.video_model import PictureGeometry
from scaleflow.codec.picture import Planes

CELL = 16
"""Pictures are padded to a multiple of this, one position of the latents."""


@dataclass(frozen=True)
class ScaleFlowReference:
    """The decoded picture, and what the next picture's priors see: latents, quality, bin widths if there is a map, and
    what was present if it is an inter picture that says so. ``failed`` is what an encoder remembers."""

    packed: Tensor
    motion: Tensor
    residual: Tensor
    quality: QualityState
    geometry: PictureGeometry
    widths: BinWidthMap | None
    presence: InterPresence | None = None
    failed: FailedTrials | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the latents."""
        return self.motion.shape[2], self.motion.shape[3]

    @property
    def said_present(self) -> tuple[CellMask | None, CellMask | None]:
        """Where motion and residual are present, as far as the picture says so."""
        return (None, None) if self.presence is None else (self.presence.motion, self.presence.residual)

    def planes(self) -> Planes:
        """Luma and two chroma planes in code values."""
        return planes_of(self.packed, self.geometry)


def planes_of(packed: Tensor, geometry: PictureGeometry) -> Planes:
    """Luma and two chroma planes in code values, rounded, of a packed picture (1, 6, H, W)."""
    luma, chroma = unpack_planes(packed)
    width, height, largest = geometry.width, geometry.height, geometry.largest_code
    kind = torch.uint8 if geometry.bit_depth == 8 else torch.int32
    codes = [(plane * largest).round().clamp(0, largest).to(kind).cpu().numpy() for plane in (luma[0], chroma[0])]
    half = (slice(0, (height + 1) // 2), slice(0, (width + 1) // 2))
    planes = (codes[0][0, :height, :width], codes[1][0][half], codes[1][1][half])
    dtype = np.uint8 if geometry.bit_depth == 8 else np.uint16
    return tuple(np.ascontiguousarray(plane, dtype=dtype) for plane in planes)


def rounded_to_depth(decoded: Tensor, geometry: PictureGeometry, parts: int = 1) -> Tensor:
    """A packed picture as both sides keep it: within range, rounded to whole code values or to ``parts`` of one."""
    largest = geometry.largest_code * parts
    codes = ((decoded.float() / SAMPLE_RANGE + 0.5) * largest).round().clamp(0, largest)
    return (codes / largest - 0.5) * SAMPLE_RANGE


def cells_of(geometry: PictureGeometry) -> tuple[int, int]:
    """Rows and columns of the latents of a picture."""
    return -(-geometry.height // CELL), -(-geometry.width // CELL)


def pack_picture(planes: Planes, geometry: PictureGeometry, device: torch.device) -> Tensor:
    """Code values to a packed picture, (1, 6, H, W), padded to whole cells by repeating the border."""
    height, width = (cells * CELL for cells in cells_of(geometry))
    luma, chroma = (
        torch.from_numpy(np.stack(part).astype(np.float32)).to(device)[None] / geometry.largest_code
        for part in (planes[:1], planes[1:])
    )
    luma = F.pad(luma, (0, width - luma.shape[3], 0, height - luma.shape[2]), mode="replicate")
    chroma = F.pad(chroma, (0, width // 2 - chroma.shape[3], 0, height // 2 - chroma.shape[2]), mode="replicate")
    return pack_planes(luma, chroma).contiguous(memory_format=torch.channels_last)


def reference_of(
    decoded: Tensor,
    latents: tuple[Tensor, Tensor] | None,
    config: ScaleFlowConfig,
    quality: QualityState,
    geometry: PictureGeometry,
    widths: BinWidthMap | None,
    presence: InterPresence | None = None,
    failed: FailedTrials | None = None,
) -> ScaleFlowReference:
    """The decoded picture as both sides keep it: rounded to the bit depth.

    Args:
        decoded: packed, (1, 6, H, W).
        latents: of motion and residual in fixed point; None for a picture coded alone, after which they are zeros.
        config: says how many channels these have.
        quality, geometry, widths, presence: of the picture.
        failed: what the encoder remembers of it.
    """
    if latents is None:
        size = decoded.shape[2] // 8, decoded.shape[3] // 8
        channels = config.motion_latents, config.residual_latents
        motion, residual = (torch.zeros(1, n, *size, dtype=torch.float64, device=decoded.device) for n in channels)
    else:
        motion, residual = latents
    packed = rounded_to_depth(decoded, geometry)
    said = presence if quality.has_presence else None
    return ScaleFlowReference(packed, motion, residual, quality, geometry, widths, said, failed)
