"""The pictures that all codecs are given: a clip's first ones, in 4:2:0, in one lossless file."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from scaleflow.codec.picture import Picture, Planes, VideoProperties
from scaleflow.codec.video.reader import VideoReader, open_video
from scaleflow.codec.video.writer import open_output
from scaleflow.errors import UsageError
from scaleflow.evaluation.rate_distortion.clip_change import ClipChange
from scaleflow.evaluation.rate_distortion.clip_files import ClipFile
from scaleflow.evaluation.rate_distortion.clip_masks import WrittenMasks, open_masks_at
from scaleflow.evaluation.rate_distortion.point import EvaluatedClip
from scaleflow.json_values import plain_text


@dataclass(frozen=True)
class SourceClip:
    """A clip that is ready to be coded.

    Attributes:
        lossless: the y4m file that all codecs read.
        masks: the folder of masks that codecs of regions of interest are given.
    """

    clip: EvaluatedClip
    lossless: Path
    masks: Path | None = None

    def remove(self) -> None:
        """Delete both."""
        self.lossless.unlink(missing_ok=True)
        if self.masks is not None:
            shutil.rmtree(self.masks, ignore_errors=True)


class ContentHash:
    """Identity of pictures: of their samples in 4:2:0, their size, bit depth and rate."""

    def __init__(self, properties: VideoProperties) -> None:
        form = (properties.width, properties.height, properties.bit_depth, properties.frame_rate)
        self._hash = hashlib.sha256(repr(form).encode())

    def add(self, planes: Planes) -> None:
        """The next picture."""
        for plane in planes:
            self._hash.update(plane.tobytes())

    def digest(self) -> str:
        """Of all pictures so far, in hexadecimal digits."""
        return self._hash.hexdigest()


def open_clip(source: ClipFile) -> VideoReader:
    """Its pictures in 4:2:0. Raises as :func:`scaleflow.codec.video.open_video`."""
    return open_video(str(source.path), raw=source.raw, frame_rate=source.frame_rate, threads=1)


def prepare_clip(
    source: ClipFile, frames: int, folder: Path, masks: Path | None = None, change: ClipChange | None = None
) -> SourceClip:
    """Write the first pictures of a clip to a y4m file in ``folder``, at the clip's mean rate, and their masks.

    Chroma of 4:2:2, 4:4:4 and RGB sources is reduced to 4:2:0 here, once for all codecs; 10 bits stay. ``change`` is
    what is done to all pictures before.

    Raises:
        UsageError, DataError: the clip or its masks cannot be read, or masks do not go with the change.
    """
    change = change or ClipChange()
    if masks is not None and str(change):
        raise UsageError(f"{source.name}: masks are of pictures as they are, not of those after {change}")
    lossless = folder / f"{hashlib.sha256(os.fsencode(source.path.resolve())).hexdigest()[:16]}.y4m"
    written = None if masks is None else WrittenMasks(lossless.with_suffix(".masks"))
    with open_clip(source) as reader:
        found = reader.properties
        width, height = change.size(found.width, found.height) if str(change) else (found.width, found.height)
        found = replace(found, width=width, height=height)
        content = ContentHash(found)
        count = first_pts = 0
        opened = None if masks is None else open_masks_at(masks)(found, reader.frame_count)
        with open_output(lossless, _constant_rate(found), overwrite=True) as writer:
            for picture in islice(reader, frames):
                first_pts = picture.pts if not count else first_pts
                planes = change.apply(picture.planes) if str(change) else picture.planes
                content.add(planes)
                writer.write(Picture(planes, count))
                if written is not None and opened is not None:
                    written.write(opened.mask_at(count, float((picture.pts - first_pts) * found.time_base)))
                count += 1
    clip = EvaluatedClip(
        name=source.name,
        path=plain_text(str(source.origin or source.path)),
        content=content.digest(),
        width=found.width,
        height=found.height,
        frames=count,
        frame_rate=float(found.frame_rate),
        bit_depth=found.bit_depth,
        masks="" if written is None else written.content.digest(),
        masks_path="" if masks is None else plain_text(str(masks)),
        change=str(change),
    )
    return SourceClip(clip, lossless, None if written is None else written.folder)


def _constant_rate(source: VideoProperties) -> VideoProperties:
    """As y4m can hold it: 4:2:0, as stored, one picture each tick."""
    suffix = "" if source.bit_depth == 8 else "10le"
    return replace(
        source,
        pixel_format=f"yuv420p{suffix}",
        time_base=1 / source.frame_rate,
        rotation=0,
        working_format="yuv420",
    )
