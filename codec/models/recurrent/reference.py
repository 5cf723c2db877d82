"""What coding the next picture needs of the one before, as the decoder of the recurrent model has it."""

from __future__ import annotations

from dataclasses import dataclass

from scaleflow.codec.models.quality_symbol import QualityState
from scaleflow.codec.models.recurrent.frozen_latents import ExactContext
from scaleflow.codec.models.recurrent.network import CodecState
from scaleflow.codec.models.scaleflow_picture import planes_of
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
        return planes_of(self.state.first.packed, self.geometry)
