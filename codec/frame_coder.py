"""Frames in, packets out, and back. Each side holds the reference picture and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeGuard

from scaleflow.codec.models.picture_change import PictureChange
from scaleflow.codec.models.region_coding import RegionMask
from scaleflow.codec.models.video_model import PictureGeometry, Reference, VideoModel
from scaleflow.codec.picture import Planes
from scaleflow.errors import DataError, UsageError


class ChangeTellingModel(VideoModel, Protocol):
    """A model that says where pictures changed."""

    def decode_picture_and_change(
        self, payload: bytes, geometry: PictureGeometry, reference: Reference | None
    ) -> tuple[Reference, PictureChange | None]:
        """As :meth:`scaleflow.codec.models.video_model.VideoModel.decode_picture`; None for a picture that was coded
        alone."""


def says_what_changed(model: VideoModel) -> TypeGuard[ChangeTellingModel]:
    """Whether pictures can be decoded with :class:`scaleflow.codec.models.picture_change.PictureChange`."""
    return hasattr(model, "decode_picture_and_change")


@dataclass(frozen=True)
class CodedFrame:
    """A coded picture: ``planes`` is what the decoder will show, ``estimated_bits`` the ideal code length by kind."""

    key: bool
    payload: bytes
    planes: Planes
    estimated_bits: dict[str, float]


class FrameEncoder:
    """Low-delay encoder: every picture is coded alone or from the one before."""

    def __init__(self, model: VideoModel, *, width: int, height: int, bit_depth: int = 8) -> None:
        self.model = model
        self.geometry = PictureGeometry(width, height, bit_depth)
        self._reference: Reference | None = None

    def encode(self, planes: Planes, *, key: bool, quality: float, region: RegionMask | None = None) -> CodedFrame:
        """Code one picture.

        Args:
            planes: in the model's working format, as described at :class:`scaleflow.codec.picture.Picture`.
            key: code it alone; the first picture always is.
            quality: 0..63; ignored by models of a single rate.
            region: of interest, see :mod:`scaleflow.codec.models.region_coding`; the quality is that of what lies in
                it.
        """
        if not 0 <= quality <= 63:
            raise UsageError(f"quality {quality} is outside 0..63")
        _check_planes(planes, self.geometry, self.model.working_format)
        if region is not None and region.shape != (self.geometry.height, self.geometry.width):
            raise UsageError(
                f"region of shape {region.shape} does not fit pictures of {self.geometry.width}x{self.geometry.height}"
            )
        key = key or self._reference is None
        picture = self.model.encode_picture(planes, self.geometry, None if key else self._reference, quality, region)
        self._reference = picture.reference
        return CodedFrame(key, picture.payload, picture.reference.planes(), picture.estimated_bits)


class FrameDecoder:
    """Inverse of :class:`FrameEncoder`."""

    def __init__(self, model: VideoModel, *, width: int, height: int, bit_depth: int = 8) -> None:
        self.model = model
        self.geometry = PictureGeometry(width, height, bit_depth)
        self._reference: Reference | None = None

    def decode(self, payload: bytes, *, key: bool) -> Planes:
        """Decode one picture; raises :class:`DataError` for damage, or for an inter picture without its reference."""
        if not key and self._reference is None:
            raise DataError("an inter picture came before any key frame: start decoding at a key frame")
        reference = None if key else self._reference
        self._reference = None  # what follows a damaged picture cannot be decoded either
        self._reference = self.model.decode_picture(payload, self.geometry, reference)
        return self._reference.planes()

    def decode_with_change(self, payload: bytes, *, key: bool) -> tuple[Planes, PictureChange | None]:
        """As :meth:`decode`, and where the picture can differ from the one before; None where that is not known.

        Raises:
            UsageError: the model does not say.
        """
        if not key and self._reference is None:
            raise DataError("an inter picture came before any key frame: start decoding at a key frame")
        if not says_what_changed(self.model):
            raise UsageError(f"model {self.model.name} does not say what changed; the default model does")
        reference = None if key else self._reference
        self._reference = None
        decoded, change = self.model.decode_picture_and_change(payload, self.geometry, reference)
        self._reference = decoded
        return decoded.planes(), change

    def reset(self) -> None:
        """Forget the reference, as after damage or a seek."""
        self._reference = None


def _check_planes(planes: Planes, geometry: PictureGeometry, working_format: str) -> None:
    width, height = geometry.width, geometry.height
    chroma = (height, width) if working_format == "rgb" else ((height + 1) // 2, (width + 1) // 2)
    shapes = [plane.shape for plane in planes]
    if shapes != [(height, width), chroma, chroma]:
        raise UsageError(
            f"planes of shapes {shapes} do not make a {width}x{height} {working_format} picture: "
            f"expected {[(height, width), chroma, chroma]}"
        )
