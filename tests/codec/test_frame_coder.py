"""Arrays and payloads that frame coders are given by programs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import scaleflow
from scaleflow.codec.frame_coder import FrameDecoder, FrameEncoder
from scaleflow.errors import DataError, UsageError
from tests.codec.stand_in import StandInModel


def planes_of(depth: int = 8) -> list[Any]:
    dtype = np.uint8 if depth == 8 else np.uint16
    random = np.random.default_rng(3)
    luma = random.integers(0, 1 << depth, (24, 32)).astype(dtype)
    return [luma, *(np.full((12, 16), 1 << (depth - 1), dtype) for _ in range(2))]


@pytest.mark.parametrize(
    ("depth", "change", "message"),
    [
        (8, lambda plane: plane.astype(np.float32) / 255, "plane 0 is ndarray of float32: pictures of 8 bits"),
        (8, lambda plane: np.full(plane.shape, np.nan), "of float64"),
        (8, lambda plane: plane.astype(np.int16), "of int16"),
        (8, lambda plane: plane.astype(np.uint16), "of uint16"),
        (10, lambda plane: plane.astype(np.uint8), "of uint8"),
        (10, lambda plane: plane + np.uint16(1024), "beyond the 1023 of 10 bits"),
        (8, lambda plane: plane[:, :-1], "do not make a 32x24"),
        (8, lambda plane: plane.tolist(), "do not make a 32x24"),
    ],
)
def test_arrays_that_are_no_picture(depth: int, change: Any, message: str) -> None:
    planes = planes_of(depth)
    planes[0] = change(planes[0])
    encoder = FrameEncoder(StandInModel(), width=32, height=24, bit_depth=depth)
    with pytest.raises(UsageError, match=message):
        encoder.encode(tuple(planes), key=True, quality=30.0)


def test_memory_layout_and_byte_order_change_nothing() -> None:
    for depth in (8, 10):
        planes = planes_of(depth)
        expected = FrameEncoder(StandInModel(), width=32, height=24, bit_depth=depth).encode(
            tuple(planes), key=True, quality=30.0
        )
        others = [
            [np.asfortranarray(plane) for plane in planes],
            [np.ascontiguousarray(plane[::-1])[::-1] for plane in planes],
            [plane.astype(plane.dtype.newbyteorder(">")) for plane in planes],
        ]
        for other in others:
            encoder = FrameEncoder(StandInModel(), width=32, height=24, bit_depth=depth)
            assert encoder.encode(tuple(other), key=True, quality=30.0).payload == expected.payload


def test_payloads_are_bytes() -> None:
    decoder = FrameDecoder(StandInModel(), width=32, height=24)
    with pytest.raises(UsageError, match="payload is str, not bytes"):
        decoder.decode("text", key=True)  # type: ignore[arg-type]


def test_damaged_payloads_are_data_errors_or_other_pictures() -> None:
    model = scaleflow.load_model("default", device="cpu")
    encoder = FrameEncoder(model, width=32, height=24)
    key = encoder.encode(tuple(planes_of()), key=True, quality=20.0).payload
    inter = encoder.encode(tuple(planes_of()), key=False, quality=20.0).payload
    random = np.random.default_rng(11)
    refused = 0
    for number in range(40):
        decoder = FrameDecoder(model, width=32, height=24)
        is_key = number % 2 == 0
        if not is_key:
            decoder.decode(key, key=True)
        data = bytearray(key if is_key else inter)
        for _ in range(random.integers(1, 8)):
            if data:
                data[random.integers(len(data))] = random.integers(256)
        data = data[: random.integers(0, len(data) + 1)] + random.bytes(int(random.integers(0, 40)))
        try:
            planes = decoder.decode(bytes(data), key=is_key)
            assert [plane.shape for plane in planes] == [(24, 32), (12, 16), (12, 16)]
        except DataError:
            refused += 1
            with pytest.raises(DataError, match="before any key frame"):
                decoder.decode(inter, key=False)
    assert refused > 0
