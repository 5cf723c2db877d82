"""A model that keeps a hash of the symbols of each picture that it decodes."""

from __future__ import annotations

from scaleflow.codec.models.capabilities import require_symbols
from scaleflow.codec.models.picture_order import PictureOrder
from scaleflow.codec.models.video_model import EncodedPicture, PictureGeometry, Precision, Reference, VideoModel
from scaleflow.codec.picture import Planes, WorkingFormat
from scaleflow.entropy.symbol_digest import HashingDecoder


class SymbolHashes:
    """Implements :class:`scaleflow.codec.models.video_model.VideoModel` by another model.

    Attributes:
        hashes: of each picture that was decoded, see :class:`scaleflow.entropy.symbol_digest.SymbolDigest`.

    Raises:
        UsageError: the model does not show its symbols.
    """

    name: str
    weights_hash: str
    working_format: WorkingFormat
    variable_rate: bool
    precision: Precision

    def __init__(self, model: VideoModel) -> None:
        self._model = require_symbols(model)
        self.name, self.weights_hash, self.precision = model.name, model.weights_hash, model.precision
        self.working_format, self.variable_rate = model.working_format, model.variable_rate
        self.hashes: list[str] = []

    def encode_picture(
        self, planes: Planes, geometry: PictureGeometry, reference: Reference | None, order: PictureOrder
    ) -> EncodedPicture:
        """As the model does."""
        return self._model.encode_picture(planes, geometry, reference, order)

    def decode_picture(self, payload: bytes, geometry: PictureGeometry, reference: Reference | None) -> Reference:
        """As the model does; a picture that cannot be decoded leaves no hash."""
        decoder = HashingDecoder(payload)
        decoded = self._model.decode_symbols(decoder, geometry, reference)
        self.hashes.append(decoder.digest.hexdigest())
        return decoded
