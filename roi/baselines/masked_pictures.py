"""Pictures beside their masks, and copies of a video whose pictures were changed by them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scaleflow.codec.encoding.region_masks import OpenMasks, note_places
from scaleflow.codec.picture import Picture, VideoProperties
from scaleflow.codec.video.reader import VideoReader
from scaleflow.codec.video.video_writer import VideoWriter
from scaleflow.codec.video.writer import open_output


def pictures_with_masks(reader: VideoReader, masks: OpenMasks) -> Iterator[tuple[Picture, NDArray[np.float32]]]:
    """Each picture with its mask (height, width), 0..1.

    Raises:
        DataError: a picture cannot be read, or has no mask.
    """
    source = masks(reader.properties, reader.frame_count)
    for picture in note_places(reader, reader.properties):
        if isinstance(picture, Picture) and picture.place is not None:
            yield picture, source.mask_at(picture.place.number, picture.place.seconds)


def open_changed_copy(path: Path, properties: VideoProperties) -> VideoWriter:
    """A y4m file in 4:2:0 for pictures on their way to a codec; of times it has the frame rate."""
    pixel_format = "yuv420p" if properties.bit_depth == 8 else "yuv420p10le"
    return open_output(path, replace(properties, pixel_format=pixel_format, rotation=0), overwrite=True)
