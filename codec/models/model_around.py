"""A model that is another one, but for what a subclass does otherwise."""

from __future__ import annotations

from scaleflow.codec.models.picture_order import PictureOrder
from scaleflow.codec.models.video_model import EncodedPicture, PictureGeometry, Precision, Reference, VideoModel
from scaleflow.codec.picture import Planes, WorkingFormat


class ModelAround:
    """Implements all of :class:`scaleflow.codec.models.video_model.VideoModel` but the decoding of pictures."""

    name: str
    weights_hash: str
    working_format: WorkingFormat
    variable_rate: bool
    precision: Precision

    def __init__(self, model: VideoModel) -> None:
        self._inner = model
        self.name, self.weights_hash, self.precision = model.name, model.weights_hash, model.precision
        self.working_format, self.variable_rate = model.working_format, model.variable_rate

    def encode_picture(
        self, planes: Planes, geometry: PictureGeometry, reference: Reference | None, order: PictureOrder
    ) -> EncodedPicture:
        """As the model does."""
        return self._inner.encode_picture(planes, geometry, reference, order)
