"""Which clips to measure: files, folders, and data sets by name."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from scaleflow.codec.video.picture_sequence import PICTURE_SUFFIXES
from scaleflow.codec.video.raw_format import RawVideoFormat
from scaleflow.codec.video.raw_name import is_raw_file, raw_format_of_name
from scaleflow.errors import UsageError
from scaleflow.evaluation.datasets import DATASETS, open_dataset
from scaleflow.json_values import is_plain_text

VIDEO_SUFFIXES = frozenset(
    (
        ".264 .265 .avi .flv .gif .h264 .h265 .hevc .ivf .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mxf .nut .obu .ogv .ts "
        ".webm .wmv .y4m .yuv"
    ).split()
)
"""Files of a folder that are taken for videos."""


@dataclass(frozen=True)
class ClipFile:
    """A video and how to open it: ``open_video(path, raw=raw, frame_rate=frame_rate)``.

    Attributes:
        name: by which results are kept.
        path: of a file or of a folder of pictures.
        raw: form of a raw file, None of others.
        frame_rate: of pictures, which have no times.
        origin: where they lie, of a folder of links to pictures; None of others.
    """

    name: str
    path: Path
    raw: RawVideoFormat | None = None
    frame_rate: Fraction | None = None
    origin: Path | None = None


def find_clips(places: Sequence[str], *, frame_rate: Fraction | None = None, partial: bool = False) -> list[ClipFile]:
    """The clips at the given places, each under a name of its own.

    Args:
        places: a file; a folder, of which all videos and folders of pictures in it are taken, or itself where it holds
            pictures; or ``NAME:FOLDER`` for a data set of :mod:`scaleflow.evaluation.datasets`, such as
            ``uvg:videos/uvg``.
        frame_rate: of pictures and of raw files whose names do not say it.
        partial: data sets may lack clips.

    Raises:
        UsageError: a place does not exist or holds no clip, or two clips have one name, or one that is no text.
        DataError: a data set is not what it should be.
    """
    found: list[ClipFile] = []
    for place in places:
        name, separator, folder = place.partition(":")
        if separator and name.lower() in DATASETS and not Path(place).exists():
            found += [
                ClipFile(clip.path.name, clip.path, clip.raw, clip.frame_rate)
                for clip in open_dataset(name, Path(folder), partial=partial)
            ]
        else:
            found += [clip_file(path, frame_rate) for path in _paths_at(Path(place))]
    for clip in found:
        if not is_plain_text(clip.name):
            raise UsageError(
                f"{clip.name!r}: results are kept by names, and this one holds control characters or is not UTF-8: "
                "rename the clip"
            )
    twice = [name for name, count in Counter(clip.name for clip in found).items() if count > 1]
    if twice:
        raise UsageError(f"two clips are named {twice[0]}; results are kept by name: rename one, or name it once")
    for clip in found:
        _check_name(clip.path)
    return found


def _check_name(path: Path) -> None:
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode(errors="backslashreplace")
        raise UsageError(f"{shown}: its name is no UTF-8, in which results are kept: rename it") from None


def _paths_at(place: Path) -> list[Path]:
    if not place.is_file() and not place.is_dir():
        raise UsageError(f"{place}: no such file or folder (data sets are given as NAME:FOLDER: {', '.join(DATASETS)})")
    if place.is_file() or _holds_pictures(place):
        return [place]
    found = [
        path
        for path in sorted(place.iterdir())
        if not path.name.startswith(".")
        and (path.suffix.lower() in VIDEO_SUFFIXES if path.is_file() else _holds_pictures(path))
    ]
    if not found:
        raise UsageError(f"{place}: holds no video and no folder of pictures")
    return found


def _holds_pictures(path: Path) -> bool:
    return path.is_dir() and any(entry.suffix.lower() in PICTURE_SUFFIXES for entry in path.iterdir())


def clip_file(path: Path, frame_rate: Fraction | None) -> ClipFile:
    """A file or a folder of pictures; ``frame_rate`` as in :func:`find_clips`."""
    if path.is_file() and is_raw_file(str(path)):
        return ClipFile(path.name, path, raw=raw_format_of_name(str(path), frame_rate))
    return ClipFile(path.name, path, frame_rate=frame_rate if path.is_dir() else None)
