"""Whether labels fit the pictures that they are of, before hours are spent on coding these."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from scaleflow.efficient_nets.data.picture_file import picture_size
from scaleflow.efficient_nets.data.video_pictures import VideoFrame
from scaleflow.errors import DataError
from scaleflow.evaluation.task_rate_distortion.labelled_clips import LabelledClip


def check_labels(clips: Sequence[LabelledClip]) -> None:
    """Read all labels once, and the sizes of the pictures.

    Maps of classes may be larger or smaller than their pictures, but must show the same: their sides must have the
    same ratio, but for a sample of rounding.

    Raises:
        DataError: a label cannot be read or is of another picture, or pictures that are coded as one clip differ in
            size.
    """
    for clip in clips:
        first: tuple[int, int] | None = None
        for frame in clip.frames:
            if isinstance(frame, VideoFrame):
                continue
            width, height = picture_size(frame.picture)
            first = first or (width, height)
            if (width, height) != first:
                raise DataError(
                    f"{frame.picture}: has {width}x{height} samples, {clip.frames[0].picture} {first[0]}x{first[1]}: "
                    "pictures that are coded as one clip must have one size"
                )
            target = frame.target()
            if target.dtype != torch.uint8 or target.ndim != 2:
                continue
            lines, columns = target.shape
            if abs(columns * height - lines * width) > max(width, height):
                raise DataError(
                    f"{frame.picture}: has {width}x{height} samples, its label {columns}x{lines}, which is of another "
                    "aspect ratio: they are not of one picture"
                )
