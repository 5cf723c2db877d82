"""FFmpeg's names of colour tags (as ``ffprobe`` prints them) and the code points of ITU-T H.273 behind them."""

from __future__ import annotations

MATRICES = {
    "gbr": 0,
    "bt709": 1,
    "unknown": 2,
    "fcc": 4,
    "bt470bg": 5,
    "smpte170m": 6,
    "smpte240m": 7,
    "ycgco": 8,
    "bt2020nc": 9,
    "bt2020c": 10,
    "smpte2085": 11,
    "chroma-derived-nc": 12,
    "chroma-derived-c": 13,
    "ictcp": 14,
}
RANGES = {"unknown": 0, "tv": 1, "pc": 2}
PRIMARIES = {
    "bt709": 1,
    "unknown": 2,
    "bt470m": 4,
    "bt470bg": 5,
    "smpte170m": 6,
    "smpte240m": 7,
    "film": 8,
    "bt2020": 9,
    "smpte428": 10,
    "smpte431": 11,
    "smpte432": 12,
    "ebu3213": 22,
}
TRANSFERS = {
    "bt709": 1,
    "unknown": 2,
    "bt470m": 4,
    "bt470bg": 5,
    "smpte170m": 6,
    "smpte240m": 7,
    "linear": 8,
    "log100": 9,
    "log316": 10,
    "iec61966-2-4": 11,
    "bt1361e": 12,
    "iec61966-2-1": 13,
    "bt2020-10": 14,
    "bt2020-12": 15,
    "smpte2084": 16,
    "smpte428": 17,
    "arib-std-b67": 18,
}


def tag_name(tags: dict[str, int], code: int) -> str:
    """The name of a code point; ``"unknown"`` for one that is reserved or unheard of."""
    return next((name for name, value in tags.items() if value == code), "unknown")


def tag_code(tags: dict[str, int], name: str) -> int:
    """The code point of a name; that of ``"unknown"`` for a name that is not in the table."""
    return tags.get(name, tags["unknown"])
