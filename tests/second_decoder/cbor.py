"""The subset of CBOR that headers are written in: docs/bitstream.md, "Header", and RFC 8949."""

from __future__ import annotations

from typing import Any

from tests.second_decoder.fields import Damage, Fields

DEEPEST = 8


def read_map(data: bytes) -> dict[Any, Any]:
    """The one map that ``data`` holds."""
    fields = Fields(data)
    value = _item(fields, 1)
    if fields.left or not isinstance(value, dict):
        raise Damage("the header is not one map")
    return value


def _item(fields: Fields, depth: int) -> Any:
    major, short = divmod(fields.unsigned(1), 32)
    if major in (4, 5) and depth > DEEPEST:
        raise Damage(f"CBOR nested deeper than {DEEPEST}")
    if major == 7:
        if short not in (20, 21, 22):
            raise Damage(f"CBOR simple value {short}: only booleans and null are allowed")
        return {20: False, 21: True, 22: None}[short]
    number = _argument(fields, short)
    if major == 0:
        return number
    if major == 1:
        return -1 - number
    if major == 2:
        return fields.take(number)
    if major == 3:
        return _text(fields.take(number))
    if major == 4:
        return [_item(fields, depth + 1) for _ in range(number)]
    if major == 5:
        return _pairs(fields, number, depth)
    raise Damage("CBOR tag: none is allowed")


def _argument(fields: Fields, short: int) -> int:
    if short < 24:
        return short
    if short > 27:
        raise Damage("CBOR of indefinite length")
    return int.from_bytes(fields.take(1 << short - 24), "big")


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise Damage("CBOR text is not UTF-8") from None


def _pairs(fields: Fields, count: int, depth: int) -> dict[Any, Any]:
    result: dict[Any, Any] = {}
    for _ in range(count):
        key = _item(fields, depth + 1)
        if isinstance(key, list | dict):
            raise Damage("CBOR key that is an array or a map")
        result[key] = _item(fields, depth + 1)
    return result
