"""What a file says of itself: docs/bitstream.md, "Header"."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tests.second_decoder.cbor import read_map
from tests.second_decoder.fields import Damage, Fields

SIGNATURE = bytes.fromhex("93 53 46 56 0D 0A 1A 0A")
VERSION = 1
LONGEST_MAP = 1 << 20
FEATURES = {"presence"}


@dataclass(frozen=True)
class Video:
    """Key 6, in the order of its table."""

    width: int
    height: int
    pixel_format: str
    bits: int
    frame_rate: Fraction
    time_base: Fraction
    colour: tuple[str, str, str, str]
    sample_aspect_ratio: Fraction
    rotation: int
    planes: str
    mastering_display: tuple[int, ...] | None
    light_levels: tuple[int, ...] | None

    def regular_time(self, picture: int) -> int:
        """R(n): where pictures are regular, the time of picture n, counted from that of picture 0."""
        return math.floor(picture / (self.frame_rate * self.time_base) + Fraction(1, 2))


@dataclass(frozen=True)
class Audio:
    """One map under key 7, in the order of its table."""

    codec: str
    extradata: bytes
    time_base: Fraction
    sample_rate: int
    layout: str
    channels: int
    sample_format: str
    language: str


@dataclass(frozen=True)
class Header:
    """The whole map; ``size`` is that of the header in bytes."""

    features: frozenset[str]
    model: str
    weights_hash: bytes
    precision: str
    intra_period: int
    writer: str
    video: Video
    audio: tuple[Audio, ...]
    size: int


def read_header(data: bytes) -> Header:
    """The header at the start of a file."""
    fields = Fields(data)
    if fields.take(8) != SIGNATURE:
        raise Damage("no .sfv file: wrong signature")
    if (version := fields.unsigned(1)) != VERSION:
        raise Damage(f"version {version} is unknown")
    length = fields.unsigned(4)
    if length > LONGEST_MAP:
        raise Damage(f"a header of {length} bytes is too long")
    content = fields.take(length)
    fields.checksum_of(0, 32)
    entries = _Entries(read_map(content))
    features = entries.array(0, _text(1), None, [])
    if unknown := set(features) - FEATURES:
        raise Damage(f"features {sorted(unknown)} are unknown")
    return Header(
        features=frozenset(features),
        model=entries.one(1, _text(1)),
        weights_hash=entries.one(2, _bytes(32, 32)),
        precision=entries.one(3, _text(1)),
        intra_period=entries.one(4, _integer(0, 2**31 - 1)),
        writer=entries.one(5, _text(0), ""),
        video=_video(_Entries(entries.one(6, _map))),
        audio=tuple(_audio(_Entries(one)) for one in entries.array(7, _map, 16, [])),
        size=fields.position,
    )


def _video(entries: _Entries) -> Video:
    any_u32 = _integer(0, 2**32 - 1)
    display = entries.array(14, any_u32, 10, None)
    levels = entries.array(15, any_u32, 2, None)
    if (display and len(display) != 10) or (levels and len(levels) != 2):
        raise Damage("mastering display or light levels: too few numbers")
    matrix, colour_range, primaries, transfer = (entries.one(key, _text(1), "unknown") for key in (7, 8, 9, 10))
    return Video(
        width=entries.one(1, _integer(1, 16384)),
        height=entries.one(2, _integer(1, 16384)),
        pixel_format=entries.one(3, _text(1)),
        bits=entries.one(4, _among(8, 10), 8),
        frame_rate=entries.one(5, _rational),
        time_base=entries.one(6, _rational),
        colour=(matrix, colour_range, primaries, transfer),
        sample_aspect_ratio=entries.one(11, _rational, Fraction(1)),
        rotation=entries.one(12, _among(0, 90, 180, 270), 0),
        planes=entries.one(13, _among("yuv420", "rgb"), "yuv420"),
        mastering_display=None if display is None else tuple(display),
        light_levels=None if levels is None else tuple(levels),
    )


def _audio(entries: _Entries) -> Audio:
    return Audio(
        codec=entries.one(1, _text(1)),
        extradata=entries.one(2, _bytes(0, 1 << 19), b""),
        time_base=entries.one(3, _rational),
        sample_rate=entries.one(4, _integer(1, 10**7)),
        layout=entries.one(5, _text(0), ""),
        channels=entries.one(6, _integer(1, 255)),
        sample_format=entries.one(7, _text(0), ""),
        language=entries.one(8, _text(0), ""),
    )


class _Entries:
    """Values of a map by their keys; keys that nobody asks for are ignored."""

    def __init__(self, content: dict[Any, Any]) -> None:
        self._content = content

    def one(self, key: int, read: Callable[[Any], Any], *absent: Any) -> Any:
        """A value, or ``absent``; without that, it must be there."""
        if key in self._content:
            return read(self._content[key])
        if absent:
            return absent[0]
        raise Damage(f"header: key {key} is missing")

    def array(self, key: int, read: Callable[[Any], Any], most: int | None, absent: Any) -> Any:
        """The values of an array."""
        if key not in self._content:
            return absent
        values = self._content[key]
        if not isinstance(values, list) or (most is not None and len(values) > most):
            raise Damage(f"header: key {key} is no array of at most {most}")
        return [read(value) for value in values]


def _integer(least: int, most: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if type(value) is not int or not least <= value <= most:
            raise Damage(f"header: {value!r} is no integer of {least} to {most}")
        return value

    return read


def _text(shortest: int) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str) or not shortest <= len(value) <= 255 or not value.isprintable():
            raise Damage(f"header: {value!r} is no text of {shortest} to 255 printable characters")
        return value

    return read


def _bytes(shortest: int, longest: int) -> Callable[[Any], bytes]:
    def read(value: Any) -> bytes:
        if not isinstance(value, bytes) or not shortest <= len(value) <= longest:
            raise Damage(f"header: {value!r} is no string of {shortest} to {longest} bytes")
        return value

    return read


def _among(*known: Any) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if type(value) is not type(known[0]) or value not in known:
            raise Damage(f"header: {value!r} is none of {known}")
        return value

    return read


def _rational(value: Any) -> Fraction:
    if not isinstance(value, list) or len(value) != 2:
        raise Damage(f"header: {value!r} is no rational")
    part = _integer(1, 2**31 - 1)
    return Fraction(part(value[0]), part(value[1]))


def _map(value: Any) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise Damage(f"header: {value!r} is no map")
    return value
