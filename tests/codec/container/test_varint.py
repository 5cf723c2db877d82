from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaleflow.codec.container.varint import (
    LONGEST,
    MalformedVarint,
    read_signed,
    read_varint,
    write_signed,
    write_varint,
)


@given(st.integers(0, 2 ** (7 * LONGEST) - 1), st.binary(max_size=3), st.binary(max_size=3))
def test_unsigned_integers_come_back(value: int, before: bytes, after: bytes) -> None:
    written = write_varint(value)
    assert read_varint(before + written + after, len(before)) == (value, len(before) + len(written))
    assert len(written) == max(1, -(-value.bit_length() // 7))


@given(st.integers(-(2**68), 2**68))
def test_signed_integers_come_back(value: int) -> None:
    written = write_signed(value)
    assert read_signed(written, 0) == (value, len(written))


@pytest.mark.parametrize(("value", "expected"), [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02")])
def test_unsigned_bytes(value: int, expected: str) -> None:
    assert write_varint(value).hex() == expected


@pytest.mark.parametrize(("value", "expected"), [(0, "00"), (-1, "01"), (1, "02"), (-64, "7f"), (64, "8001")])
def test_signed_bytes(value: int, expected: str) -> None:
    assert write_signed(value).hex() == expected


@pytest.mark.parametrize("data", [b"", b"\x80", b"\x80\x00", b"\xff" * 11, b"\x80" * 10])
def test_malformed_integers_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedVarint):
        read_varint(data, 0)


@pytest.mark.parametrize("value", [-1, 2 ** (7 * LONGEST)])
def test_values_out_of_range_are_refused(value: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        write_varint(value)
