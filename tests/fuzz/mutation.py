"""Random changes of bytes and of nested values, of the kinds that break readers."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

INTEGERS = (
    *(0, 1, -1, 2, 3, 7, 16, 23, 24, 255, 256, 65535, 65536),
    *(2**31 - 1, 2**31, -(2**31), 2**32 - 1, 2**32, 2**53, 2**62, 2**62 + 1, 2**63 - 1, 2**64 - 1, -(2**63), -(2**64)),
)
"""Where types, formats and programs have their limits."""

TEXTS = (
    *("", " ", ".", "..", "/", "../x", "/etc/passwd", "a/b", "-", "~", "x" * 255, "x" * 300, "é" * 100, "\u202e", "%s"),
    *(
        "{0}",
        "[/red]",
        "a\nb",
        "\x00",
        "\x1b[31m",
        "default",
        "recurrent",
        "ssf2020",
        "ssf2020-1",
        "ssf2020:/etc/passwd",
    ),
    *(
        "default-2",
        "http://localhost/x",
        "fp32",
        "bf16",
        "fp16",
        "rgb",
        "yuv420",
        "yuv420p",
        "gbrp",
        "gray",
        "gray16le",
    ),
    *(
        "nv12",
        "rgb24",
        "yuv444p10le",
        "pal8",
        "yuvj420p",
        "bayer_rggb8",
        "xyz12le",
        "vaapi",
        "monob",
        "p010le",
        "yaf32le",
    ),
    *("bt709", "bt470bg", "gbr", "smpte170m", "tv", "pc", "unknown", "aac", "pcm_s16le", "flac", "opus", "h264", "5.1"),
    *("stereo", "255 channels", "fltp", "s16", "eng"),
)

VALUES: tuple[Any, ...] = (
    *(None, True, False, *INTEGERS, *TEXTS, b"", b"\x00", b"\xff" * 32, bytes(300)),
    *([], {}, [[]], [{}], [None], [1, 0], [0, 1], [2**31 - 1, 1], [1, 2**31 - 1], [1, 2, 3], [-1, -1], [1.5, 2]),
    *({1: {}}, {"": 0}, [[[[[[[[[]]]]]]]]], [0] * 50, list(range(10)), 0.5, float("inf"), float("nan"), 2**80),
)


def changed_bytes(data: bytes, source: random.Random, most: int = 4) -> bytes:
    """``data`` after a few changes: bits, bytes, pieces that are cut out, repeated or made up, the end cut off."""
    changed = bytearray(data)
    for _ in range(source.randint(1, most)):
        place = source.randrange(len(changed) + 1)
        how = source.randrange(7)
        if how == 0 and place < len(changed):
            changed[place] ^= 1 << source.randrange(8)
        elif how == 1 and place < len(changed):
            changed[place] = source.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF, source.randrange(256)))
        elif how == 2:
            del changed[place : place + source.randint(1, 40)]
        elif how == 3:
            changed[place:place] = source.randbytes(source.randint(1, 9))
        elif how == 4:
            start = source.randrange(len(changed) + 1)
            changed[place:place] = changed[start : start + source.randint(1, 200)]
        elif how == 5:
            changed[place : place + 8] = source.choice((bytes(8), b"\xff" * 8, b"\x80" * 8, b"\x1aSFK", b"\x1aSFE"))
        elif source.random() < 0.3:
            del changed[place:]
    return bytes(changed)


def changed_value(value: Any, source: random.Random, values: tuple[Any, ...] = VALUES) -> Any:
    """A copy of nested lists and dictionaries after one to three changes of their parts."""
    holder = [copy.deepcopy(value)]
    for _ in range(source.choice((1, 1, 1, 2, 3))):
        places = list(_places(holder))
        place, key = source.choice(places[1:] or places)
        _change(place, key, source, values)
        if not holder:
            return source.choice(values)
    return holder[0]


def _places(holder: Any) -> Iterator[tuple[Any, Any]]:
    waiting = [holder]
    while waiting:
        place = waiting.pop()
        items = place.items() if isinstance(place, dict) else enumerate(place) if isinstance(place, list) else ()
        for key, part in items:
            yield place, key
            waiting.append(part)


def _change(place: Any, key: Any, source: random.Random, values: tuple[Any, ...]) -> None:
    part = place[key]
    how = source.randrange(8)
    if how == 0:
        del place[key]
    elif how == 1 and isinstance(place, dict):
        place[source.choice([source.randrange(20), "", "x", -1, 2**64 - 1])] = place.pop(key)
    elif how == 2 and isinstance(place, list):
        place.insert(key, copy.deepcopy(source.choice(values)))
    elif how == 3:
        place[key] = [part]
    elif how == 4 and isinstance(part, int) and not isinstance(part, bool):
        place[key] = _near(part, source)
    elif how == 5 and isinstance(part, str) and part:
        place[key] = _other_text(part, source)
    elif how == 6 and isinstance(part, bytes):
        place[key] = changed_bytes(part, source)
    else:
        place[key] = copy.deepcopy(source.choice(values))


def _near(value: int, source: random.Random) -> int:
    change: Callable[[int], int] = source.choice(
        (lambda v: v + 1, lambda v: v - 1, lambda v: -v, lambda v: 2 * v, lambda v: v << 31, lambda v: v << 60)
    )
    return change(value)


def _other_text(text: str, source: random.Random) -> str:
    place = source.randrange(len(text))
    return source.choice(
        (
            text[:place] + text[place + 1 :],
            text[:place] + chr(ord(text[place]) ^ 1 << source.randrange(6)) + text[place + 1 :],
            text[:place] + source.choice(("", "0", "\n", "é", "/")) + text[place:],
            text.upper(),
        )
    )
