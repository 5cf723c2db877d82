"""What the name of a raw file says of its form, as the names of test sequences do.

Known are those of UVG (``Beauty_1920x1080_120fps_420_8bit_YUV.yuv``), of JCT-VC (``BasketballDrive_1920x1080_50.yuv``),
of MCL-JCV (``videoSRC01_1920x1080_30.yuv``) and of derf's collection (``foreman_cif.yuv``), and FFmpeg's names of pixel
formats (``clip_640x360_25fps_yuv422p10le.yuv``).
"""

from __future__ import annotations

import os
import re
from fractions import Fraction
from pathlib import Path

from scaleflow.codec.video.raw_format import RawVideoFormat
from scaleflow.errors import UsageError

RAW_SUFFIX = ".yuv"
_Y4M = b"YUV4MPEG2"

_SIZE = re.compile(r"(?<!\d)(\d{2,5})x(\d{2,5})(?!\d)")
_FRAME_RATE = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)(?:fps|hz)", re.IGNORECASE)
_NUMBER_AFTER_SIZE = re.compile(r"\d{2,5}x\d{2,5}p?_(?!4[0-4]{2}[_.])(\d+(?:\.\d+)?)(?=[_.])")
_PIXEL_FORMAT = re.compile(r"yuvj?4[0-4]{2}p(?:\d+le)?|nv12|p010le", re.IGNORECASE)
_CHROMA = re.compile(r"(?:_|\b)(420|422|444)(?=_|p|\b)")
_BITS = re.compile(r"(?<!\d)(\d{1,2})bits?", re.IGNORECASE)
_NAMED_SIZES = {"qcif": (176, 144), "cif": (352, 288), "4cif": (704, 576), "sif": (352, 240)}


def raw_format_of_name(path: str, frame_rate: Fraction | None = None) -> RawVideoFormat:
    """The form of a ``.yuv`` file from its name; 4:2:0 of 8 bits unless it says otherwise.

    Args:
        path: only its last part matters.
        frame_rate: replaces what the name says.

    Raises:
        UsageError: the name does not say the size, or no frame rate is known.
    """
    name = Path(path).name
    size = _size(name)
    if size is None:
        raise UsageError(
            f"{path}: raw video has no header, and this name does not say its size as in clip_1920x1080_50fps.yuv: "
            "give its raw format (size, frame_rate and pixel_format), or rename it",
            fields=("size", "frame_rate", "pixel_format"),
        )
    rate = frame_rate or _rate(name)
    if rate is None:
        raise UsageError(
            f"{path}: raw video has no header, and this name does not say its frame rate: give frame_rate",
            fields=("frame_rate",),
        )
    try:
        return RawVideoFormat(*size, rate, _pixel_format(name))
    except UsageError as error:
        raise UsageError(f"{path}: its name says no form of video: {error}") from None


def is_raw_file(path: str) -> bool:
    """Whether a name is that of a file of raw samples; a y4m stream says its form itself, whatever its name."""
    if not path.lower().endswith(RAW_SUFFIX) or not os.path.exists(path) or os.path.isdir(path):
        return False
    if not os.path.isfile(path):
        return True  # a pipe cannot be looked into
    try:
        with open(path, "rb") as file:
            return file.read(len(_Y4M)) != _Y4M
    except OSError:
        return False


def _size(name: str) -> tuple[int, int] | None:
    if match := _SIZE.search(name):
        return int(match[1]), int(match[2])
    words = re.split(r"[_.\-]", name.lower())
    return next((size for word, size in _NAMED_SIZES.items() if word in words), None)


def _rate(name: str) -> Fraction | None:
    match = _FRAME_RATE.search(name) or _NUMBER_AFTER_SIZE.search(name)
    return Fraction(match[1]).limit_denominator(1001) if match and Fraction(match[1]) > 0 else None


def _pixel_format(name: str) -> str:
    if match := _PIXEL_FORMAT.search(name):
        return match[0].lower()
    chroma = match[1] if (match := _CHROMA.search(name)) else "420"
    bits = int(match[1]) if (match := _BITS.search(name)) else 8
    return f"yuv{chroma}p" if bits == 8 else f"yuv{chroma}p{bits}le"
