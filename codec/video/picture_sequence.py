"""Folders and patterns of picture files, read as a video."""

from __future__ import annotations

import glob
import itertools
import logging
import os
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av

from scaleflow.codec.video.audio import AudioStream
from scaleflow.codec.video.container_crop import Crop
from scaleflow.codec.video.container_source import FALLBACK_FRAME_RATE, ContainerSource
from scaleflow.codec.video.numbered_names import NumberedName, has_printf_number
from scaleflow.codec.video.pixel_format import describe_pixel_format
from scaleflow.codec.video.source_damage import SourceDamage
from scaleflow.errors import DataError, UsageError
from scaleflow.limits import DEFAULT_MAX_PIXELS

log = logging.getLogger(__name__)

PICTURE_SUFFIXES = frozenset(
    ".png .jpg .jpeg .bmp .tif .tiff .webp .ppm .pgm .pnm .pam .exr .dpx .jp2 .tga .sgi .avif .jxl".split()
)
STILL_SUFFIXES = PICTURE_SUFFIXES - {".avif", ".webp"}
"""Of files that are one picture, whatever else they hold; the others may be animations."""


def is_picture_sequence(path: str) -> bool:
    """Whether a path names several pictures: a folder, or a printf (%06d) or glob pattern that is no file itself."""
    if os.path.isdir(path):
        return True
    if os.path.exists(path):
        return False
    return has_printf_number(path) or glob.has_magic(os.path.basename(path))


def list_pictures(path: str) -> list[Path]:
    """Files of a folder, printf pattern or glob pattern, in the order of the numbers in their names.

    Hidden files (``.DS_Store``, ``._f001.png``) are no pictures, unless a pattern names them.

    Raises:
        DataError: there are none.
        UsageError: the folder does not exist.
    """
    if os.path.isdir(path):
        files = [file for file in Path(path).iterdir() if file.suffix.lower() in PICTURE_SUFFIXES]
        files = sorted((file for file in files if not file.name.startswith(".")), key=_natural_key)
        what = "the folder holds no pictures (PNG, JPEG, ...)"
    elif has_printf_number(path):
        folder = Path(path).parent
        if not folder.is_dir():
            raise UsageError(f"{folder}: there is no such folder")
        names = NumberedName(os.path.basename(path))
        numbered = [(number, file) for file in folder.iterdir() if (number := names.match(file.name)) is not None]
        files, what = [file for _, file in sorted(numbered)], "no file matches the pattern"
    else:
        # Brackets in the names of folders are no patterns.
        pattern = os.path.join(glob.escape(os.path.dirname(path)), os.path.basename(path))
        files = sorted((Path(file) for file in glob.glob(pattern)), key=_natural_key)
        what = "no file matches the pattern"
    files = [file for file in files if file.is_file()]
    if not files:
        raise DataError(f"{path}: {what}")
    _warn_of_gaps(path, files)
    return files


def _warn_of_gaps(path: str, files: list[Path]) -> None:
    """Say where numbers are missing in names that differ in one number only."""
    parts = [re.split(r"(\d+)", file.name) for file in files]
    for place in range(1, len(parts[0]), 2):
        others = {(*part[:place], *part[place + 1 :]) for part in parts}
        numbers = sorted({int(part[place]) for part in parts if place < len(part)})
        if len(others) == 1 and len(numbers) > 1:
            missing = numbers[-1] - numbers[0] + 1 - len(numbers)
            if missing:
                first = next(a + 1 for a, b in itertools.pairwise(numbers) if b > a + 1)
                log.warning(
                    "%s: %d numbers are missing, the first %d; the pictures are taken as consecutive",
                    path,
                    missing,
                    first,
                )
            return


def _natural_key(file: Path) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", file.name)
    return [(1, int(part), "") if place % 2 else (0, 0, part) for place, part in enumerate(parts)]


class PictureSequence:
    """A :class:`~scaleflow.codec.video.frame_source.FrameSource` over picture files, one picture each, at a constant
    rate."""

    audio_streams: tuple[AudioStream, ...] = ()

    def __init__(self, path: str, frame_rate: Fraction | None = None, max_pixels: int = DEFAULT_MAX_PIXELS) -> None:
        self.name = path
        self._max_pixels = max_pixels
        self._files = list_pictures(path)
        self.frame_count: int | None = len(self._files)
        self.frame_rate = frame_rate or FALLBACK_FRAME_RATE
        self.time_base = 1 / self.frame_rate
        self.sample_aspect_ratio = Fraction(1)
        self.color_primaries = 2
        self.color_transfer = 2
        self.chroma_is_centered = False
        self.crop = Crop()
        self.has_even_times = True
        self.last_duration: int | None = None
        self.damage = SourceDamage(path)

    def items(self) -> Iterator[av.VideoFrame]:
        """One frame a file; the first also tells what the pictures have in common."""
        for number, file in enumerate(self._files):
            frame = self._decode(file, first=number == 0)
            frame.pts = number
            yield frame

    def colored_format(self) -> str | None:
        """The pixel format of the first picture that is not grey; None where all are."""
        for file in self._files:
            with file.open("rb") as stream:
                source = self._open(stream, file)
                name = source.pixel_format
                source.close()
            if name is not None and describe_pixel_format(name).family != "gray":
                return name
        return None

    def _open(self, stream: BinaryIO, file: Path) -> ContainerSource:
        return ContainerSource(stream, name=str(file), threads=1, still=True, max_pixels=self._max_pixels)

    def _decode(self, file: Path, first: bool) -> av.VideoFrame:
        # Opened here and not by FFmpeg, which would take a '%' in the name for a pattern.
        try:
            stream = file.open("rb")
        except OSError as error:
            raise DataError(f"{file}: cannot be read: {error.strerror}") from error
        with stream:
            source = self._open(stream, file)
            try:
                frame = next((item for item in source.items() if isinstance(item, av.VideoFrame)), None)
                if frame is None:
                    raise DataError(f"{file}: holds no picture that can be decoded")
                if first:
                    self.sample_aspect_ratio = source.sample_aspect_ratio
                    self.color_primaries = source.color_primaries
                    self.color_transfer = source.color_transfer
                    self.chroma_is_centered = source.chroma_is_centered
                self.damage.damaged_packets += source.damage.damaged_packets
                self.damage.corrupt_pictures += source.damage.corrupt_pictures
                return frame
            finally:
                source.close()

    def close(self) -> None:
        """Nothing stays open between pictures."""
