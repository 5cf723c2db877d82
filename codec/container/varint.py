"""Variable-length integers: LEB128, and zigzag for signed values."""

from __future__ import annotations

LONGEST = 10
"""Most bytes one integer may take: 70 bits, enough for any difference of two 64-bit timestamps."""


class MalformedVarint(ValueError):
    """The bytes are not an integer in its shortest form, or end within it."""


class IncompleteVarint(MalformedVarint):
    """The data end within an integer."""


def write_varint(value: int) -> bytes:
    """LEB128 of an integer in 0..2**70 - 1: seven bits a byte, lowest first, high bit set on all but the last."""
    if not 0 <= value < 1 << 7 * LONGEST:
        raise ValueError(f"{value} does not fit in {7 * LONGEST} bits")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """The integer at ``position`` and the position after it.

    Raises:
        IncompleteVarint: the data end within it.
        MalformedVarint: it is longer than ``LONGEST`` bytes, or not in its shortest form.
    """
    value = 0
    for count, byte in enumerate(data[position : position + LONGEST]):
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            if byte == 0 and count > 0:
                raise MalformedVarint("integer with superfluous zero bytes")
            return value, position + count + 1
    if len(data) - position >= LONGEST:
        raise MalformedVarint(f"integer longer than {LONGEST} bytes")
    raise IncompleteVarint("data end within an integer")


def write_signed(value: int) -> bytes:
    """Zigzag (0, -1, 1, -2, ... become 0, 1, 2, 3, ...) and LEB128."""
    return write_varint(2 * value if value >= 0 else -2 * value - 1)


def read_signed(data: bytes, position: int) -> tuple[int, int]:
    """The zigzag integer at ``position`` and the position after it; raises like :func:`read_varint`."""
    value, position = read_varint(data, position)
    return (value >> 1) ^ -(value & 1), position
