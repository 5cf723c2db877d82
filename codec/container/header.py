"""The start of an ``.sfv`` file: magic, version and the header that says how to decode and present what follows."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from typing import Any, TypeVar

from scaleflow.codec.container import cbor_subset
from scaleflow.codec.picture import VideoProperties
from scaleflow.codec.video.audio import LARGEST_EXTRADATA, LONGEST_TEXT, MOST_AUDIO_STREAMS, AudioStream, is_text
from scaleflow.errors import DataError
from scaleflow.stream_mark import MAGIC

VERSION = 1
LARGEST_HEADER = 1 << 20
LARGEST_INT = 2**31 - 1

PRELUDE_SIZE = len(MAGIC) + 1 + 4
"""Bytes before the CBOR header: magic, version, header length."""

_MOST_NAMED = 5
"""Features that a message names."""

KNOWN_FEATURES = frozenset({"presence"})
"""Names that may stand under ``REQUIRED``: what a reader must understand to decode the file. ``presence``: inter
pictures may say which of their latents are present, see :mod:`scaleflow.codec.models.presence`."""


class Key(IntEnum):
    """Keys of the header's map."""

    REQUIRED = 0
    MODEL = 1
    WEIGHTS = 2
    PRECISION = 3
    INTRA_PERIOD = 4
    SOFTWARE = 5
    VIDEO = 6
    AUDIO = 7


class VideoKey(IntEnum):
    """Keys of the map under ``Key.VIDEO``."""

    WIDTH = 1
    HEIGHT = 2
    PIXEL_FORMAT = 3
    BIT_DEPTH = 4
    FRAME_RATE = 5
    TIME_BASE = 6
    COLOR_MATRIX = 7
    COLOR_RANGE = 8
    COLOR_PRIMARIES = 9
    COLOR_TRANSFER = 10
    SAMPLE_ASPECT_RATIO = 11
    ROTATION = 12
    WORKING_FORMAT = 13
    MASTERING_DISPLAY = 14
    CONTENT_LIGHT_LEVEL = 15


class AudioKey(IntEnum):
    """Keys of a map in the array under ``Key.AUDIO``."""

    CODEC = 1
    EXTRADATA = 2
    TIME_BASE = 3
    SAMPLE_RATE = 4
    CHANNEL_LAYOUT = 5
    CHANNELS = 6
    SAMPLE_FORMAT = 7
    LANGUAGE = 8


@dataclass(frozen=True)
class SfvHeader:
    """Everything in a file that holds for all of it.

    ``weights_hash`` is the SHA-256 of the model's weights as 64 hexadecimal digits. ``precision`` names the arithmetic
    in which the encoder made its reference pictures (``"fp32"``, ``"bf16"``). ``intra_period`` is the regular distance
    of key frames in pictures, 0 when there is none. ``features`` are names out of :data:`KNOWN_FEATURES` that payloads
    may make use of.
    """

    model: str
    weights_hash: str
    video: VideoProperties
    precision: str = "fp32"
    intra_period: int = 0
    audio: tuple[AudioStream, ...] = ()
    software: str = ""
    features: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_features(self.features)
        _check_text("model name", self.model, empty=False)
        _check_text("precision", self.precision, empty=False)
        _check_text("software", self.software)
        if len(self.weights_hash) != 64 or set(self.weights_hash) - set("0123456789abcdef"):
            raise DataError(f"weights hash {self.weights_hash!r} is not 64 lower-case hexadecimal digits")
        _check_int("intra period", self.intra_period, 0, LARGEST_INT)
        if len(self.audio) > MOST_AUDIO_STREAMS:
            raise DataError(f"{len(self.audio)} audio streams exceed the {MOST_AUDIO_STREAMS} that a file can hold")
        _check_fields(self.video, VideoKey)
        for stream in self.audio:
            _check_fields(stream, AudioKey)

    def to_bytes(self) -> bytes:
        """The whole start of a file: magic, version, length, CBOR, checksum."""
        body = cbor_subset.dump(_header_to_map(self))
        if len(body) > LARGEST_HEADER:
            raise DataError(f"header of {len(body)} bytes exceeds {LARGEST_HEADER}")
        start = MAGIC + struct.pack("<BI", VERSION, len(body)) + body
        return start + struct.pack("<I", zlib.crc32(start))


def header_size(prelude: bytes) -> int:
    """Size in bytes of the whole start of a file, from its first ``PRELUDE_SIZE`` bytes.

    Raises:
        DataError: not an ``.sfv`` file, another version, truncated, or an absurd length.
    """
    if not prelude:
        raise DataError("the file is empty")
    if prelude[: len(MAGIC)] != MAGIC[: len(prelude)]:
        if prelude[1:4] == MAGIC[1:4]:
            raise DataError(
                "the .sfv signature is damaged: the file was changed in transfer, copy it again in binary mode"
            )
        raise DataError("not an .sfv file")
    if len(prelude) > len(MAGIC) and prelude[len(MAGIC)] != VERSION:
        found = prelude[len(MAGIC)]
        raise DataError(f".sfv version {found}, this reader knows {VERSION}: update scaleflow")
    if len(prelude) < PRELUDE_SIZE:
        raise DataError(f"truncated header: the file ends after {len(prelude)} bytes")
    (length,) = struct.unpack_from("<I", prelude, len(MAGIC) + 1)
    if length > LARGEST_HEADER:
        raise DataError(f"header length {length} exceeds {LARGEST_HEADER}: the file is damaged")
    return PRELUDE_SIZE + int(length) + 4


def parse_header(data: bytes) -> SfvHeader:
    """The header from the whole start of a file.

    Raises:
        DataError: truncated, damaged, out of range, or in need of something that this reader does not know.
    """
    size = header_size(data[:PRELUDE_SIZE])
    if len(data) < size:
        raise DataError(f"truncated header: the file ends after {len(data)} of {size} bytes")
    (checksum,) = struct.unpack_from("<I", data, size - 4)
    if zlib.crc32(data[: size - 4]) != checksum:
        raise DataError("header checksum is wrong: the file is damaged")
    return _header_from_map(_as_map("header", cbor_subset.load(data[PRELUDE_SIZE : size - 4])))


_DEFAULTS: dict[str, Any] = {
    "bit_depth": 8,
    "color_matrix": "unknown",
    "color_range": "unknown",
    "color_primaries": "unknown",
    "color_transfer": "unknown",
    "sample_aspect_ratio": Fraction(1),
    "rotation": 0,
    "working_format": "yuv420",
    "mastering_display": (),
    "content_light_level": (),
    "extradata": b"",
    "channel_layout": "",
    "sample_format": "",
    "language": "",
}
"""Values that are left out of the file, by field; the header's bytes count in the rate of a short clip."""

_FRACTIONS = frozenset({"frame_rate", "time_base", "sample_aspect_ratio"})
_INTEGERS = frozenset({"width", "height", "bit_depth", "rotation", "sample_rate", "channels"})
_BYTES = frozenset({"extradata"})
_NUMBERS = frozenset({"mastering_display", "content_light_level"})
"""Arrays of integers, left out where they are empty."""


def _header_to_map(header: SfvHeader) -> dict[int, Any]:
    entries: dict[int, Any] = {
        int(Key.MODEL): header.model,
        int(Key.WEIGHTS): bytes.fromhex(header.weights_hash),
        int(Key.PRECISION): header.precision,
        int(Key.INTRA_PERIOD): header.intra_period,
        int(Key.SOFTWARE): header.software,
        int(Key.VIDEO): _fields_to_map(header.video, VideoKey),
    }
    if header.features:
        entries[int(Key.REQUIRED)] = list(header.features)
    if header.audio:
        entries[int(Key.AUDIO)] = [_fields_to_map(stream, AudioKey) for stream in header.audio]
    return entries


def _fields_to_map(fields: object, keys: type[IntEnum]) -> dict[int, Any]:
    """The map of a dataclass whose fields are named as the keys are, without what equals its default."""
    entries: dict[int, Any] = {}
    for key in keys:
        value = getattr(fields, key.name.lower())
        if value != _DEFAULTS.get(key.name.lower()):
            if isinstance(value, Fraction):
                value = [value.numerator, value.denominator]
            entries[int(key)] = list(value) if isinstance(value, tuple) else value
    return entries


def _header_from_map(entries: dict[Any, Any]) -> SfvHeader:
    features = tuple(_get(entries, Key.REQUIRED, list, "required features", []))
    _check_features(features)
    weights = _get(entries, Key.WEIGHTS, bytes, "weights hash")
    audio = _get(entries, Key.AUDIO, list, "audio streams", [])
    if len(audio) > MOST_AUDIO_STREAMS:
        raise DataError(f"header names {len(audio)} audio streams, more than {MOST_AUDIO_STREAMS}")
    return SfvHeader(
        model=_get(entries, Key.MODEL, str, "model name"),
        weights_hash=weights.hex(),
        video=VideoProperties(**_fields_from_map(_get(entries, Key.VIDEO, dict, "video properties"), VideoKey)),
        precision=_get(entries, Key.PRECISION, str, "precision"),
        intra_period=_get(entries, Key.INTRA_PERIOD, int, "intra period"),
        audio=tuple(AudioStream(**_fields_from_map(_as_map("audio stream", entry), AudioKey)) for entry in audio),
        software=_get(entries, Key.SOFTWARE, str, "software", ""),
        features=features,
    )


def _fields_from_map(entries: dict[Any, Any], keys: type[IntEnum]) -> dict[str, Any]:
    """Inverse of :func:`_fields_to_map`, each value of the type that its field has."""
    values: dict[str, Any] = {}
    for key in keys:
        field = key.name.lower()
        name, default = field.replace("_", " "), _DEFAULTS.get(field)
        if field in _FRACTIONS:
            values[field] = _get_fraction(entries, key, name, default)
        elif field in _INTEGERS:
            values[field] = _get(entries, key, int, name, default)
        elif field in _BYTES:
            values[field] = _get(entries, key, bytes, name, default)
        elif field in _NUMBERS:
            values[field] = _get_numbers(entries, key, name)
        else:
            values[field] = _get(entries, key, str, name, default)
    return values


_Value = TypeVar("_Value", int, str, bytes, list[Any], dict[Any, Any])


def _get(entries: dict[Any, Any], key: int, kind: type[_Value], name: str, default: _Value | None = None) -> _Value:
    value = entries.get(int(key), default)
    if value is None:
        raise DataError(f"header lacks the {name}: the file is damaged or not from a ScaleFlow encoder")
    if not isinstance(value, kind) or isinstance(value, bool):
        raise DataError(f"header has {_short(value)} as {name}, not {kind.__name__}")
    return value


def _get_fraction(entries: dict[Any, Any], key: int, name: str, default: Fraction | None) -> Fraction:
    if default is not None and int(key) not in entries:
        return default
    pair = _get(entries, key, list, name)
    if len(pair) != 2 or any(not isinstance(part, int) or isinstance(part, bool) for part in pair):
        raise DataError(f"header has {_short(pair)} as {name}, not two integers")
    for part in pair:
        _check_int(name, part, 1, LARGEST_INT)
    return Fraction(pair[0], pair[1])


def _get_numbers(entries: dict[Any, Any], key: int, name: str) -> tuple[int, ...]:
    numbers = _get(entries, key, list, name, [])
    if any(not isinstance(number, int) or isinstance(number, bool) for number in numbers):
        raise DataError(f"header has {_short(numbers)} as {name}, not integers")
    return tuple(numbers)


def _as_map(name: str, value: Any) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise DataError(f"{name} is {_short(value)}, not a map: the file is damaged")
    return value


def _check_features(features: tuple[Any, ...]) -> None:
    unknown = [name for name in features if not isinstance(name, str) or name not in KNOWN_FEATURES]
    if unknown:
        shown = [name if isinstance(name, str) and is_text(name) else _short(name) for name in unknown[:_MOST_NAMED]]
        shown += ["..."] * (len(unknown) > _MOST_NAMED)
        raise DataError(f"the file needs {', '.join(shown)}, which this reader does not know: update scaleflow")


def _check_text(name: str, text: str, *, empty: bool = True) -> None:
    if len(text) > LONGEST_TEXT or not text.isprintable() or not (text or empty):
        raise DataError(f"{name} {_short(text)} is not 1 to {LONGEST_TEXT} printable characters")


def _check_int(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise DataError(f"{name} {_short(value)} is outside {low}..{high}")


def _check_fields(fields: object, keys: type[IntEnum]) -> None:
    """Hold the texts, fractions and byte strings of a dataclass against what the format can express."""
    for key in keys:
        field = key.name.lower()
        value, name = getattr(fields, field), field.replace("_", " ")
        if field in _FRACTIONS:
            _check_fraction(name, value)
        elif field in _BYTES:
            if len(value) > LARGEST_EXTRADATA:
                raise DataError(f"{name} of {len(value)} bytes exceed {LARGEST_EXTRADATA}")
        elif field not in _INTEGERS and field not in _NUMBERS:
            _check_text(name, value, empty=_DEFAULTS.get(field) == "")


def _check_fraction(name: str, value: Fraction) -> None:
    _check_int(f"numerator of the {name}", value.numerator, 1, LARGEST_INT)
    _check_int(f"denominator of the {name}", value.denominator, 1, LARGEST_INT)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
