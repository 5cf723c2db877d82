"""A model that costs no time: quantised differences, compressed by zlib."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

import numpy as np
import torch

from scaleflow.codec.models.picture_order import PictureOrder
from scaleflow.codec.models.video_model import EncodedPicture, PictureGeometry, Precision, Reference
from scaleflow.codec.picture import Planes, WorkingFormat
from scaleflow.errors import DataError

STEP_UNIT = 64


@dataclass(frozen=True)
class StandInReference:
    """The decoded planes."""

    decoded: Planes

    def planes(self) -> Planes:
        return self.decoded


@dataclass
class StandInModel:
    """Implements :class:`scaleflow.codec.models.video_model.VideoModel`; its step is 2^((63 - quality) / 9), in
    64ths."""

    name: str = "default"
    """That of the model for which it stands in: a stream's name leads to no other."""
    weights_hash: str = "ab" * 32
    working_format: WorkingFormat = "yuv420"
    variable_rate: bool = True
    precision: Precision = "fp32"
    region_cell: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    drifts: bool = False
    """Whether the decoder arrives at other pictures than the encoder, as a broken model's would."""
    fails_at: int | None = None
    """The number of the encoded picture at which a bug shows."""
    encoded: int = field(default=0)

    def encode_picture(
        self,
        planes: Planes,
        geometry: PictureGeometry,
        reference: Reference | None,
        order: PictureOrder,
    ) -> EncodedPicture:
        if self.encoded == self.fails_at:
            raise DataError("the stand-in fails here")
        self.encoded += 1
        step = round(STEP_UNIT * 2 ** ((63 - order.quality) / 9))
        predictions = _predictions(geometry, reference, planes)
        levels = [
            np.rint((plane.astype(np.float64) - prediction) * STEP_UNIT / step).astype(np.int16)
            for plane, prediction in zip(planes, predictions, strict=True)
        ]
        if order.region is not None:  # only what lies inside is coded
            region = order.region.mask
            half = region[::2, ::2]
            levels = [level * (mask > 127) for level, mask in zip(levels, (region, half, half), strict=True)]
        packed = zlib.compress(b"".join(level.tobytes() for level in levels), 1)
        payload = step.to_bytes(4, "big") + packed
        decoded = _reconstruct(levels, predictions, step, geometry)
        return EncodedPicture(payload, StandInReference(decoded), {"all": 8.0 * len(payload)})

    def decode_picture(self, payload: bytes, geometry: PictureGeometry, reference: Reference | None) -> Reference:
        try:
            levels = np.frombuffer(zlib.decompress(payload[4:]), np.int16)
        except zlib.error as error:
            raise DataError(f"damaged picture: {error}") from error
        shapes = _shapes(geometry)
        sizes = np.cumsum([height * width for height, width in shapes])
        if levels.size != sizes[-1]:
            raise DataError("damaged picture: too short")
        step = int.from_bytes(payload[:4], "big") + 2 * STEP_UNIT * self.drifts
        parts = [part.reshape(shape) for part, shape in zip(np.split(levels, sizes[:-1]), shapes, strict=True)]
        predictions = _predictions(geometry, reference, None)
        return StandInReference(_reconstruct(parts, predictions, step, geometry))


class SizeModel(StandInModel):
    """Payloads of nothing, as long as a codec's might be: proportional to what changed, doubling in 11 qualities."""

    def encode_picture(
        self,
        planes: Planes,
        geometry: PictureGeometry,
        reference: Reference | None,
        order: PictureOrder,
    ) -> EncodedPicture:
        predictions = _predictions(geometry, reference, planes)
        change = np.mean(np.abs(planes[0].astype(np.float64) - predictions[0])) + 0.5
        size = round(planes[0].size * change / 200 * 2 ** ((order.quality - 32) / 11))
        return EncodedPicture(bytes(size), StandInReference(planes), {"all": 8.0 * size})


def _shapes(geometry: PictureGeometry) -> list[tuple[int, int]]:
    half = ((geometry.height + 1) // 2, (geometry.width + 1) // 2)
    return [(geometry.height, geometry.width), half, half]


def _predictions(geometry: PictureGeometry, reference: Reference | None, planes: Planes | None) -> list[np.ndarray]:
    if reference is None:
        return [np.full(shape, 1 << (geometry.bit_depth - 1), np.int32) for shape in _shapes(geometry)]
    return [plane.astype(np.int32) for plane in reference.planes()]


def _reconstruct(
    levels: list[np.ndarray], predictions: list[np.ndarray], step: int, geometry: PictureGeometry
) -> Planes:
    dtype = np.uint8 if geometry.bit_depth == 8 else np.uint16
    return tuple(
        np.clip(prediction + np.rint(level * (step / STEP_UNIT)), 0, geometry.largest_code).astype(dtype)
        for level, prediction in zip(levels, predictions, strict=True)
    )
