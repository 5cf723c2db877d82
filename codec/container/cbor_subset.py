"""The part of CBOR (RFC 8949) that the file header uses, checked before any general decoder sees it.

A general decoder follows tags into dates, bignums and regular expressions, recurses as deep as the data say and may
allocate by a declared length. None of that is needed here, so it is refused up front.
"""

from __future__ import annotations

from typing import Any

import cbor2

from scaleflow.errors import DataError

DEEPEST = 8
"""Most levels of nesting."""

_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_FALSE, _TRUE, _NULL = 20, 21, 22


def dump(value: Any) -> bytes:
    """Canonical CBOR of integers, byte strings, text, lists, dictionaries, booleans and None."""
    return bytes(cbor2.dumps(value, canonical=True))


def load(data: bytes) -> Any:
    """The one value that ``data`` hold.

    Raises:
        DataError: not well-formed, not in the subset, nested too deeply, or followed by more data.
    """
    end = _skip(data, 0, DEEPEST)
    if end != len(data):
        raise DataError(f"header has {len(data) - end} bytes after its end: the file is damaged")
    try:
        return cbor2.loads(data)
    except (cbor2.CBORDecodeError, ValueError, TypeError) as error:  # TypeError: a key that cannot be hashed
        raise DataError(f"header is not valid CBOR ({error}): the file is damaged") from error


def _skip(data: bytes, position: int, depth: int) -> int:
    """The position after the item at ``position``; every declared length is held against the bytes that are there."""
    if depth < 0:
        raise DataError(f"header is nested deeper than {DEEPEST} levels: the file is damaged")
    if position >= len(data):
        raise DataError("header ends within an item: the file is damaged")
    major, minor = data[position] >> 5, data[position] & 31
    position += 1
    if major == _SIMPLE:
        if minor not in (_FALSE, _TRUE, _NULL):
            raise DataError(f"header holds a CBOR simple value or float ({minor}), which the format does not use")
        return position
    if major == _TAG or minor > 27:
        raise DataError("header holds a CBOR tag or an item of unknown length, which the format does not use")
    value = minor
    if minor >= 24:
        size = 1 << minor - 24
        if position + size > len(data):
            raise DataError("header ends within an item: the file is damaged")
        value = int.from_bytes(data[position : position + size], "big")
        position += size
    if major in (_UNSIGNED, _NEGATIVE):
        return position
    if value > len(data) - position:
        raise DataError(f"header declares {value} bytes or items where {len(data) - position} bytes are left")
    if major in (_BYTES, _TEXT):
        return position + value
    for _ in range(value if major == _ARRAY else 2 * value):
        position = _skip(data, position, depth - 1)
    return position
