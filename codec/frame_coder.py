"""Frames in, packets out, and back. Each side holds the reference picture and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scaleflow.codec.models.capabilities import require_picture_change
from scaleflow.codec.models.picture_change import PictureChange
from scaleflow.codec.models.picture_order import LatentRefinement, PictureOrder, RegionOrder
from scaleflow.codec.models.video_model import PictureGeometry, Reference, VideoModel
from scaleflow.codec.picture import Planes
from scaleflow.errors import DataError, UsageError


@dataclass(frozen=True)
class CodedFrame:
    """A coded picture: ``planes`` is what the decoder will show, ``estimated_bits`` the ideal code length by kind."""

    key: bool
    payload: bytes
    planes: Planes
    estimated_bits: dict[str, float]


class FrameEncoder:
    """Low-delay encoder: every picture is coded alone or from the one before.

    Args:
        model: what :func:`scaleflow.load_model` gave.
        width, height: of the pictures, in samples of luma.
        bit_depth: 8 or 10.

    Example:
        >>> import numpy as np, scaleflow
        >>> model = scaleflow.load_model("default")
        >>> grey = np.full((48, 64), 90, np.uint8), *[np.full((24, 32), 128, np.uint8)] * 2
        >>> encoder = scaleflow.FrameEncoder(model, width=64, height=48)
        >>> first = encoder.encode(grey, key=True, quality=40.0)
        >>> second = encoder.encode(grey, key=False, quality=40.0)
        >>> first.key, second.key, second.planes[0].shape
        (True, False, (48, 64))
    """

    def __init__(self, model: VideoModel, *, width: int, height: int, bit_depth: int = 8) -> None:
        self.model = model
        self.geometry = PictureGeometry(width, height, bit_depth)
        self._reference: Reference | None = None

    def encode(
        self,
        planes: Planes,
        *,
        key: bool,
        quality: float,
        region: RegionOrder | None = None,
        refinement: LatentRefinement | None = None,
    ) -> CodedFrame:
        """Code one picture.

        Args:
            planes: in the model's working format, as described at :class:`scaleflow.codec.picture.Picture`.
            key: code it alone; the first picture always is.
            quality: 0..63; ignored by models of a single rate.
            region: of interest, and what codes it; the quality is that of what lies in it.
            refinement: gradient descent on the picture's latents.

        Raises:
            UsageError: a value is out of range or does not fit, or the model cannot do what is asked for.
        """
        order = PictureOrder(quality, region, refinement)
        planes = _checked_planes(planes, self.geometry, self.model.working_format)
        if region is not None and region.mask.shape != (self.geometry.height, self.geometry.width):
            size = f"{self.geometry.width}x{self.geometry.height}"
            raise UsageError(f"region of shape {region.mask.shape} does not fit pictures of {size}")
        key = key or self._reference is None
        picture = self.model.encode_picture(planes, self.geometry, None if key else self._reference, order)
        self._reference = picture.reference
        return CodedFrame(key, picture.payload, picture.reference.planes(), picture.estimated_bits)


class FrameDecoder:
    """Inverse of :class:`FrameEncoder`, made with the same model, size and bit depth.

    Example:
        >>> import numpy as np, scaleflow
        >>> model = scaleflow.load_model("default")
        >>> grey = np.full((48, 64), 90, np.uint8), *[np.full((24, 32), 128, np.uint8)] * 2
        >>> coded = scaleflow.FrameEncoder(model, width=64, height=48).encode(grey, key=True, quality=40.0)
        >>> planes = scaleflow.FrameDecoder(model, width=64, height=48).decode(coded.payload, key=True)
        >>> all((ours == theirs).all() for ours, theirs in zip(planes, coded.planes))
        True
    """

    def __init__(self, model: VideoModel, *, width: int, height: int, bit_depth: int = 8) -> None:
        self.model = model
        self.geometry = PictureGeometry(width, height, bit_depth)
        self._reference: Reference | None = None

    def decode(self, payload: bytes, *, key: bool) -> Planes:
        """Decode one picture; raises :class:`DataError` for damage, or for an inter picture without its reference."""
        if not key and self._reference is None:
            raise DataError("an inter picture came before any key frame: start decoding at a key frame")
        payload = _checked_payload(payload)
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
        model = require_picture_change(self.model)
        reference = None if key else self._reference
        self._reference = None
        decoded, change = model.decode_picture_and_change(_checked_payload(payload), self.geometry, reference)
        self._reference = decoded
        return decoded.planes(), change

    def reset(self) -> None:
        """Forget the reference, as after damage or a seek."""
        self._reference = None


def _checked_planes(planes: Planes, geometry: PictureGeometry, working_format: str) -> Planes:
    """The planes in one piece of memory each and in the machine's byte order, as models take them.

    Raises:
        UsageError: they are not of the shapes, type or range of the picture.
    """
    width, height, depth = geometry.width, geometry.height, geometry.bit_depth
    chroma = (height, width) if working_format == "rgb" else ((height + 1) // 2, (width + 1) // 2)
    shapes = [getattr(plane, "shape", None) for plane in planes]
    if shapes != [(height, width), chroma, chroma]:
        raise UsageError(
            f"planes of shapes {shapes} do not make a {width}x{height} {working_format} picture: "
            f"expected {[(height, width), chroma, chroma]}"
        )
    wanted = np.dtype(np.uint8 if depth == 8 else np.uint16)
    checked = []
    for number, plane in enumerate(planes):
        dtype = getattr(plane, "dtype", None)
        if not isinstance(plane, np.ndarray) or plane.dtype.newbyteorder("=") != wanted:
            raise UsageError(
                f"plane {number} is {type(plane).__name__} of {dtype}: pictures of {depth} bits are NumPy arrays of "
                f"{wanted}; round, clip and convert them first"
            )
        if depth > 8 and int(plane.max()) >= 1 << depth:
            raise UsageError(f"plane {number} holds {int(plane.max())}, beyond the {(1 << depth) - 1} of {depth} bits")
        checked.append(np.ascontiguousarray(plane, wanted))
    return tuple(checked)


def _checked_payload(payload: bytes) -> bytes:
    if not isinstance(payload, bytes | bytearray | memoryview):
        raise UsageError(f"payload is {type(payload).__name__}, not bytes")
    return bytes(payload)
