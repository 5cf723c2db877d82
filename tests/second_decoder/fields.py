"""Numbers and checksums of a file: docs/bitstream.md, "Conventions"."""

from __future__ import annotations

import zlib

LARGEST = 1 << 62


class Damage(Exception):
    """Bytes that the specification does not allow."""


class Fields:
    """Takes one field after the other from bytes.

    Args:
        data: the bytes.
        position: of the first field.
        end: where the bytes that may be taken end.
    """

    def __init__(self, data: bytes, position: int = 0, end: int | None = None) -> None:
        self.data, self.position = data, position
        self.end = len(data) if end is None else min(end, len(data))

    @property
    def left(self) -> int:
        """Bytes that are left."""
        return self.end - self.position

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        if size > self.left:
            raise Damage(f"{size} bytes at {self.position}: only {self.left} are left")
        self.position += size
        return self.data[self.position - size : self.position]

    def unsigned(self, size: int) -> int:
        """The next u8, u16 or u32."""
        return int.from_bytes(self.take(size), "little")

    def varint(self) -> int:
        """The next unsigned integer in LEB128."""
        value = 0
        for place in range(10):
            byte = self.unsigned(1)
            value |= (byte & 127) << 7 * place
            if byte < 128:
                if byte == 0 and place > 0:
                    raise Damage(f"varint before {self.position}: not in its shortest form")
                return value
        raise Damage(f"varint before {self.position}: longer than 10 bytes")

    def svarint(self) -> int:
        """The next signed integer."""
        value = self.varint()
        return -(value + 1) // 2 if value % 2 else value // 2

    def checksum_of(self, start: int, bits: int) -> None:
        """Compares the next u16 or u32 with the CRC of the bytes from ``start`` to here."""
        expected = zlib.crc32(self.data[start : self.position]) % (1 << bits)
        if self.unsigned(bits // 8) != expected:
            raise Damage(f"bytes from {start} to {self.position}: wrong checksum")


def checked(value: int) -> int:
    """A time, number of a picture or place in the file, if it is one."""
    if abs(value) > LARGEST:
        raise Damage(f"{value} is beyond 2^62")
    return value
