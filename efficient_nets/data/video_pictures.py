"""Single pictures of video files, and all of them in their order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path

import av
import numpy as np
import torch
from torch import Tensor

from scaleflow.codec.picture import Picture
from scaleflow.codec.video.input_file import OpenedInput
from scaleflow.codec.video.reader import open_video
from scaleflow.efficient_nets.data.labelled_frames import LabelledFrame
from scaleflow.errors import DataError


@dataclass(frozen=True)
class VideoFrame(LabelledFrame):
    """A picture of a video file, which is ``picture``.

    Attributes:
        number: from 0 on.
        time: at which it is sought, in units of the file.
    """

    number: int = field(kw_only=True)
    time: int = field(kw_only=True)

    def read_picture(self) -> Tensor:
        """See :class:`LabelledFrame`. What cannot be sought is decoded from the start."""
        with open_video(self.picture, working_format="rgb", threads=1) as reader:
            reader.skip_to(self.time)
            found = next(iter(reader), None)
            if found is not None and found.pts == self.time:
                return _tensor(found, reader.properties.bit_depth)
        return next(read_pictures([self]))


def video_frames(path: Path, video: str) -> list[VideoFrame]:
    """All pictures of a video file, without targets.

    Raises:
        DataError: it holds none, or is no video.
    """
    opened = OpenedInput(str(path), str(path))
    try:
        packets = opened.container.demux(opened.container.streams.video[0])
        times = sorted(packet.pts for packet in packets if packet.pts is not None and packet.size)
    except (av.FFmpegError, IndexError) as error:
        raise DataError(f"{path}: is no video that can be read") from error
    finally:
        opened.close()
    if not times:
        raise DataError(f"{path}: holds no pictures whose times are known")
    return [
        VideoFrame(video, f"{number:05}", path, nothing, number=number, time=time) for number, time in enumerate(times)
    ]


def read_pictures(frames: Sequence[LabelledFrame]) -> Iterator[Tensor]:
    """RGB (3, H, W) in 0..1 of frames in their order; those of a video file are decoded once.

    Raises:
        DataError: one cannot be read, or is not in its file.
    """
    for path, group in groupby(frames, lambda frame: frame.picture if isinstance(frame, VideoFrame) else None):
        if path is None:
            yield from (frame.read_picture() for frame in group)
            continue
        wanted = {frame.number for frame in group if isinstance(frame, VideoFrame)}
        last = max(wanted)
        found = -1
        with open_video(path, working_format="rgb", threads=1) as reader:
            for found, picture in enumerate(islice(reader, last + 1)):
                if found in wanted:
                    yield _tensor(picture, reader.properties.bit_depth)
        if found < last:
            raise DataError(f"{path}: only {found + 1} pictures can be decoded; it says that it has more")


def _tensor(picture: Picture, bit_depth: int) -> Tensor:
    return torch.from_numpy(np.stack(picture.planes).astype(np.float32) / (2**bit_depth - 1))


def nothing() -> Tensor:
    """Targets of what is its own target."""
    return torch.empty(0)
