"""Values as people type them."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from scaleflow.errors import UsageError

LARGEST_FRAME_RATE = 1_000_000

_MULTIPLES = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}


def parse_bitrate(text: str) -> float:
    """Bits a second from ``800k``, ``1.5M`` or ``250000``."""
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)([kmg]?)", text.strip().lower())
    if match is None:
        raise UsageError(f"--bitrate {text!r} is not a number of bits a second such as 800k or 1.5M")
    return float(match[1]) * _MULTIPLES[match[2]]


def parse_size(text: str) -> tuple[int, int]:
    """Width and height from ``352x288``."""
    match = re.fullmatch(r"(\d{1,9})[xX](\d{1,9})", text.strip())
    if match is None:
        raise UsageError(f"--size {text!r} is not WIDTHxHEIGHT such as 352x288")
    return int(match[1]), int(match[2])


def parse_frame_rate(text: str) -> Fraction:
    """Frames a second from ``25``, ``29.97`` or ``30000/1001``."""
    try:
        rate = Fraction(text.strip()).limit_denominator(1_000_000)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= LARGEST_FRAME_RATE:
        raise UsageError(f"--fps {text[:40]!r} is not a frame rate such as 25, 29.97 or 30000/1001")
    return rate


def parse_times(text: str) -> tuple[float, ...]:
    """Seconds from ``1.5,3``."""
    times = _numbers(text)
    if times is None or any(time < 0 for time in times):
        raise UsageError(f"--key-at {text!r} is not a list of times in seconds such as 1.5,3")
    return times


def parse_cascade(text: str) -> tuple[float, ...]:
    """Differences of quality from ``-2,0,-2,6``."""
    offsets = _numbers(text)
    if offsets is None:
        raise UsageError(f"--quality-cascade {text!r} is not a list of numbers such as -2,0,-2,6")
    return offsets


def _numbers(text: str) -> tuple[float, ...] | None:
    """Finite numbers between commas; None where there is anything else."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        return None
    return numbers if all(math.isfinite(number) for number in numbers) else None


def seconds_text(seconds: float) -> str:
    """Minutes and seconds, with hours where there are any."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def bitrate_text(bits_per_second: float) -> str:
    """A bitrate with three digits and its unit."""
    for unit, size in (("Gbit/s", 1e9), ("Mbit/s", 1e6), ("kbit/s", 1e3)):
        if bits_per_second >= size:
            return f"{bits_per_second / size:.4g} {unit}"
    return f"{bits_per_second:.4g} bit/s"


def size_text(size: int) -> str:
    """Bytes with a decimal unit."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.4g} {unit}"
    return f"{size} bytes"


def parse_sizes(text: str | None) -> tuple[tuple[int, int], ...]:
    """Several of them with commas between, for networks; none where None. Raises :class:`UsageError`."""
    sizes = tuple(parse_size(part) for part in text.split(",")) if text is not None else ()
    for width, height in sizes:
        if min(width, height) < 32:
            raise UsageError(f"--size {width}x{height}: 32 and more are needed")
    return sizes
