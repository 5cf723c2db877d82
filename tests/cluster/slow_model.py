"""A stand-in that takes its time, so that what codes with it can be stopped in the middle."""

from __future__ import annotations

import time
from dataclasses import dataclass

from scaleflow.codec.models.picture_order import PictureOrder
from scaleflow.codec.models.video_model import EncodedPicture, PictureGeometry, Reference
from scaleflow.codec.picture import Planes
from tests.codec.stand_in import StandInModel


@dataclass
class SlowModel(StandInModel):
    """The stand-in's pictures, each after a tenth of a second."""

    def encode_picture(
        self, planes: Planes, geometry: PictureGeometry, reference: Reference | None, order: PictureOrder
    ) -> EncodedPicture:
        time.sleep(0.1)
        return super().encode_picture(planes, geometry, reference, order)
