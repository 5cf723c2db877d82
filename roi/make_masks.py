"""Masks of a video into a file, to look at, to mend, and to code with."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from os.path import samefile
from pathlib import Path

import numpy as np

from scaleflow.codec.encoding.region_masks import to_codes
from scaleflow.codec.encoding.request import VideoSource, check_destination
from scaleflow.codec.picture import Picture, VideoProperties
from scaleflow.codec.video.picture_sequence import is_picture_sequence
from scaleflow.codec.video.picture_writer import is_picture_output
from scaleflow.codec.video.writer import open_output
from scaleflow.errors import UsageError
from scaleflow.roi.finders.region_finder import RegionFinder
from scaleflow.roi.mask_sources.fitting import Mask
from scaleflow.roi.mask_sources.found import find_in


@dataclass(frozen=True)
class MakingProgress:
    """Masks made so far, of about ``total`` where that is known; ``share`` is how much of the last one is inside."""

    masks: int
    total: int | None
    seconds: float
    share: float


@dataclass(frozen=True)
class MadeMasks:
    """How many masks were made, how much of them is inside on average, and what of the source was found damaged."""

    masks: int
    mean_share: float
    seconds: float
    damage: tuple[str, ...] = ()


def make_masks(
    source: VideoSource,
    destination: str | os.PathLike[str],
    finder: RegionFinder,
    *,
    frames: int | None = None,
    overwrite: bool = False,
    progress: Callable[[MakingProgress], None] | None = None,
) -> MadeMasks:
    """Write what a finder finds in each picture: a grey video without loss, with the times of the source.

    Args:
        source: a video; ``-`` is standard input.
        destination: a video or a folder or pattern of pictures, see :func:`scaleflow.codec.video.writer.open_output`.
        finder: makes the masks.
        frames: most pictures, from the first on.
        overwrite: replace what is there.
        progress: called after each mask.

    Raises:
        UsageError: the output exists, cannot be made, or holds no grey without loss.
        DataError: the source cannot be read, or writing fails. Nothing is left.
    """
    if frames is not None and frames < 1:
        raise UsageError(f"frames {frames} is not at least 1", fields=("frames",))
    check_masks_output(source, destination, overwrite)
    started, count, total_share = time.monotonic(), 0, 0.0
    with source.open("yuv420") as reader:
        total = reader.frame_count if frames is None else min(frames, reader.frame_count or frames)
        properties = _of_masks(reader.properties)
        with open_output(destination, properties, lossless=True, overwrite=overwrite) as output:
            for picture, make in islice(find_in(reader, finder), frames):
                mask = make()
                count, share = count + 1, float(mask.mean())
                total_share += share
                output.write(_gray_picture(mask, picture.pts))
                if progress is not None:
                    progress(MakingProgress(count, total, time.monotonic() - started, share))
        damage = reader.damage.sentences()
    return MadeMasks(count, total_share / count, time.monotonic() - started, damage)


def check_masks_output(source: VideoSource, destination: str | os.PathLike[str], overwrite: bool) -> None:
    """Refuse an output that exists, has no folder, or is the input, before anything is loaded.

    Raises:
        UsageError: says which, and the remedy.
    """
    target = os.fspath(destination)
    if not is_picture_output(target):
        check_destination(source.path, destination, overwrite)
        return
    folders = [Path(path) if os.path.isdir(path) else Path(path).parent for path in (target, os.fspath(source.path))]
    if is_picture_sequence(os.fspath(source.path)) and all(map(Path.is_dir, folders)) and samefile(*folders):
        raise UsageError(f"{target}: is where the pictures of the input lie; choose another folder")


def _of_masks(video: VideoProperties) -> VideoProperties:
    return replace(
        video,
        pixel_format="gray",
        bit_depth=8,
        color_matrix="unknown",
        color_range="pc",
        color_primaries="unknown",
        color_transfer="unknown",
    )


def _gray_picture(mask: Mask, pts: int) -> Picture:
    codes = to_codes(mask)
    chroma = np.full(((codes.shape[0] + 1) // 2, (codes.shape[1] + 1) // 2), 128, np.uint8)
    return Picture((codes, chroma, chroma), pts)
