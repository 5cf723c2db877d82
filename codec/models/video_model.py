"""What the frame coder needs of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from scaleflow.codec.models.picture_order import PictureOrder
from scaleflow.codec.picture import Planes, WorkingFormat

Precision = Literal["fp32", "bf16"]
"""Arithmetic of the transforms; entropy coding is exact in either."""


@dataclass(frozen=True)
class PictureGeometry:
    """Size in samples and bit depth of the pictures of a stream."""

    width: int
    height: int
    bit_depth: int = 8

    @property
    def largest_code(self) -> int:
        """Highest code value of a sample."""
        return (1 << self.bit_depth) - 1


class Reference(Protocol):
    """Everything that coding the next picture needs of the one before, as the decoder has it."""

    def planes(self) -> Planes:
        """The decoded picture."""


@dataclass(frozen=True)
class EncodedPicture:
    """A coded picture.

    ``payload`` is what the decoder gets; ``reference`` what it will have; ``estimated_bits`` the ideal code length by
    kind of symbol under the frozen tables.
    """

    payload: bytes
    reference: Reference
    estimated_bits: dict[str, float]


class VideoModel(Protocol):
    """A codec with its weights. Stateless: pictures go in beside the reference they are predicted from.

    What a model may do beyond this is said in :mod:`scaleflow.codec.models.capabilities`.
    """

    name: str
    weights_hash: str
    working_format: WorkingFormat
    variable_rate: bool
    precision: Precision

    def encode_picture(
        self,
        planes: Planes,
        geometry: PictureGeometry,
        reference: Reference | None,
        order: PictureOrder,
    ) -> EncodedPicture:
        """Code one picture as ordered; intra when ``reference`` is None.

        Raises:
            UsageError: the order asks for what the model cannot do: a region of interest, or refinement.
        """

    def decode_picture(self, payload: bytes, geometry: PictureGeometry, reference: Reference | None) -> Reference:
        """Inverse of :meth:`encode_picture`. Raises :class:`scaleflow.errors.DataError` when the payload is
        damaged."""
