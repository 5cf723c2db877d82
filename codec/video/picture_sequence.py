"""Folders and patterns of picture files, read as a video."""

from __future__ import annotations

import glob
import logging
import os
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

from scaleflow.codec.video.audio import AudioStream
from scaleflow.codec.video.container_source import FALLBACK_FRAME_RATE, ContainerSource
from scaleflow.errors import DataError, UsageError

log = logging.getLogger(__name__)

PICTURE_SUFFIXES = frozenset(
    ".png .jpg .jpeg .bmp .tif .tiff .webp .ppm .pgm .pnm .pam .exr .dpx .jp2 .tga .sgi .avif .jxl".split()
)
_PRINTF_NUMBER = re.compile(r"%(?:0?\d*)d")


def is_picture_sequence(path: str) -> bool:
    """Whether a path names several pictures: a folder, or a printf (%06d) or glob pattern that is no file itself."""
    if os.path.isdir(path):
        return True
    if os.path.exists(path):
        return False
    return has_printf_number(path) or glob.has_magic(os.path.basename(path))


def has_printf_number(path: str) -> bool:
    """Whether the file name holds a number field such as ``%06d``."""
    return bool(_PRINTF_NUMBER.search(os.path.basename(path)))


def printf_expression(name: str) -> re.Pattern[str]:
    """A regular expression for the file names that a printf pattern makes; its group 1 is the number."""
    match = _PRINTF_NUMBER.search(name)
    if match is None:
        raise UsageError(f"{name}: the pattern has no number field such as %06d")
    before, after = name[: match.start()].replace("%%", "%"), name[match.end() :].replace("%%", "%")
    return re.compile(re.escape(before) + r"(\d+)" + re.escape(after))


def list_pictures(path: str) -> list[Path]:
    """Files of a folder, printf pattern or glob pattern, in the order of the numbers in their names.

    Raises:
        DataError: there are none.
        UsageError: the folder does not exist.
    """
    if os.path.isdir(path):
        files = [file for file in Path(path).iterdir() if file.suffix.lower() in PICTURE_SUFFIXES]
        files.sort(key=_natural_key)
        what = "the folder holds no pictures (PNG, JPEG, ...)"
    elif has_printf_number(path):
        folder = Path(path).parent
        if not folder.is_dir():
            raise UsageError(f"{folder}: there is no such folder")
        expression = printf_expression(os.path.basename(path))
        numbered = [(int(match[1]), file) for file in folder.iterdir() if (match := expression.fullmatch(file.name))]
        numbered.sort()
        if numbered and numbered[-1][0] - numbered[0][0] + 1 != len(numbered):
            log.warning("%s: numbers are missing; the pictures are taken as consecutive", path)
        files, what = [file for _, file in numbered], "no file matches the pattern"
    else:
        files = sorted((Path(file) for file in glob.glob(path)), key=_natural_key)
        what = "no file matches the pattern"
    files = [file for file in files if file.is_file()]
    if not files:
        raise DataError(f"{path}: {what}")
    return files


def _natural_key(file: Path) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", file.name)
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]


class PictureSequence:
    """A :class:`~scaleflow.codec.video.frame_source.FrameSource` over picture files, one picture each, at a constant
    rate."""

    audio_streams: tuple[AudioStream, ...] = ()

    def __init__(self, path: str, frame_rate: Fraction | None = None) -> None:
        self.name = path
        self._files = list_pictures(path)
        self.frame_count: int | None = len(self._files)
        self.frame_rate = frame_rate or FALLBACK_FRAME_RATE
        self.time_base = 1 / self.frame_rate
        self.sample_aspect_ratio = Fraction(1)
        self.color_primaries = 2
        self.color_transfer = 2
        self.chroma_is_centered = False

    def items(self) -> Iterator[av.VideoFrame]:
        """One frame a file; the first also tells what the pictures have in common."""
        for number, file in enumerate(self._files):
            frame = self._decode(file, first=number == 0)
            frame.pts = number
            yield frame

    def _decode(self, file: Path, first: bool) -> av.VideoFrame:
        # Opened here and not by FFmpeg, which would take a '%' in the name for a pattern.
        try:
            stream = file.open("rb")
        except OSError as error:
            raise DataError(f"{file}: cannot be read: {error.strerror}") from error
        with stream:
            source = ContainerSource(stream, name=str(file), threads=1)
            try:
                frame = next((item for item in source.items() if isinstance(item, av.VideoFrame)), None)
                if frame is None:
                    raise DataError(f"{file}: holds no picture that can be decoded")
                if first:
                    self.sample_aspect_ratio = source.sample_aspect_ratio
                    self.color_primaries = source.color_primaries
                    self.color_transfer = source.color_transfer
                    self.chroma_is_centered = source.chroma_is_centered
                return frame
            finally:
                source.close()

    def close(self) -> None:
        """Nothing stays open between pictures."""
