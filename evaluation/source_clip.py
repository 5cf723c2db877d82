"""The pictures that all codecs are given: a clip's first ones, in 4:2:0, in one lossless file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from codec.errors import UsageError
from codec.picture import Picture, VideoProperties
from codec.video.reader import open_video
from codec.video.writer import open_output
from evaluation.rate_point import EvaluatedClip

CLIP_SUFFIXES = frozenset(
    ".264 .265 .avi .flv .h264 .h265 .hevc .ivf .m2ts .m4v .mkv .mov .mp4 .mpg .mxf .nut .obu .ts .webm .wmv .y4m .yuv".split()
)
PICTURE_SUFFIXES = frozenset(".bmp .jpeg .jpg .png .ppm .tif .tiff .webp".split())


@dataclass(frozen=True)
class SourceClip:
    """A clip that is ready to be coded: ``lossless`` is the y4m file that all codecs read."""

    clip: EvaluatedClip
    lossless: Path


def find_clips(places: Sequence[Path]) -> list[Path]:
    """Files as they are; of a folder the videos in it and the folders of pictures, or the folder itself if it holds pictures.

    Raises:
        UsageError: a place does not exist or holds no clip, or two clips have one name.
    """
    found: list[Path] = []
    for place in places:
        if not place.exists():
            raise UsageError(f"{place}: no such file or folder")
        here = [place] if place.is_file() or _holds_pictures(place) else _clips_below(place)
        if not here:
            raise UsageError(f"{place}: holds no video and no folder of pictures")
        found += here
    names = [path.name for path in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"two clips are named {twice[0]}: results are kept by name, rename one")
    return found


def _clips_below(folder: Path) -> list[Path]:
    return [
        path
        for path in sorted(folder.iterdir())
        if not path.name.startswith(".")
        and (path.suffix.lower() in CLIP_SUFFIXES if path.is_file() else _holds_pictures(path))
    ]


def _holds_pictures(path: Path) -> bool:
    return path.is_dir() and any(entry.suffix.lower() in PICTURE_SUFFIXES for entry in path.iterdir())


def prepare_clip(path: Path, frames: int | None, folder: Path) -> SourceClip:
    """Write the first pictures of a clip to a y4m file in ``folder``, at the clip's mean rate.

    Chroma of 4:2:2, 4:4:4 and RGB sources is reduced to 4:2:0 here, once, as the codecs would; 10 bits stay.

    Raises:
        UsageError, DataError: the clip cannot be read.
    """
    lossless = folder / f"{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]}-{frames}.y4m"
    with open_video(path, threads=1) as reader:
        source = reader.properties
        properties = _constant_rate(source)
        content = hashlib.sha256(repr((source.width, source.height, source.bit_depth, source.frame_rate)).encode())
        count = 0
        with open_output(lossless, properties, overwrite=True) as writer:
            for picture in islice(reader, frames):
                for plane in picture.planes:
                    content.update(plane.tobytes())
                writer.write(Picture(picture.planes, count))
                count += 1
    clip = EvaluatedClip(
        name=path.name,
        path=str(path),
        content=content.hexdigest(),
        width=source.width,
        height=source.height,
        frames=count,
        frame_rate=float(source.frame_rate),
        bit_depth=source.bit_depth,
    )
    return SourceClip(clip, lossless)


def _constant_rate(source: VideoProperties) -> VideoProperties:
    """As y4m can hold it: 4:2:0, upright as stored, one picture each tick."""
    suffix = "" if source.bit_depth == 8 else "10le"
    return replace(
        source,
        pixel_format=f"yuv420p{suffix}",
        time_base=1 / source.frame_rate,
        rotation=0,
        working_format="yuv420",
    )
