"""A model that keeps a hash of the symbols of each picture that it decodes."""

from __future__ import annotations

from scaleflow.codec.models.capabilities import require_symbols
from scaleflow.codec.models.model_around import ModelAround
from scaleflow.codec.models.video_model import PictureGeometry, Reference, VideoModel
from scaleflow.entropy.symbol_digest import HashingDecoder


class SymbolHashes(ModelAround):
    """Implements :class:`scaleflow.codec.models.video_model.VideoModel` by another model.

    Attributes:
        hashes: of each picture that was decoded, see :class:`scaleflow.entropy.symbol_digest.SymbolDigest`.

    Raises:
        UsageError: the model does not show its symbols.
    """

    def __init__(self, model: VideoModel) -> None:
        super().__init__(model)
        self._model = require_symbols(model)
        self.hashes: list[str] = []

    def decode_picture(self, payload: bytes, geometry: PictureGeometry, reference: Reference | None) -> Reference:
        """As the model does; a picture that cannot be decoded leaves no hash."""
        decoder = HashingDecoder(payload)
        decoded = self._model.decode_symbols(decoder, geometry, reference)
        self.hashes.append(decoder.digest.hexdigest())
        return decoded
