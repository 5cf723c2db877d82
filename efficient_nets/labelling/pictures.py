"""Pictures of a video as networks are shown them: straight from the decoder of an ``.sfv`` file, or from any video."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scaleflow.codec.container import KeyFrame, SfvHeader, SfvReader
from scaleflow.codec.decoding.stream_decoder import Damage, DecodedPicture, Loss, StreamDecoder
from scaleflow.codec.models.capabilities import TellsPictureChange
from scaleflow.codec.models.picture_change import PictureChange
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import VideoProperties
from scaleflow.codec.video.reader import VideoReader, open_video
from scaleflow.codec.video.working_format import rgb_picture
from scaleflow.errors import DataError, UsageError

STREAM_SUFFIX = ".sfv"


@dataclass(frozen=True)
class SeenPicture:
    """A picture.

    Attributes:
        rgb: (H, W, 3), R'G'B' of 8 bits by the colour matrix and range of the video.
        number: in the video, from 0.
        pts: when it is shown, in units of the video's time base.
        change: what the decoder says of how it differs from the one before; None of key pictures, of the first that
            is taken, and where it was not asked for.
    """

    rgb: NDArray[np.uint8]
    number: int
    pts: int
    change: PictureChange | None = None

    def tensor(self) -> Tensor:
        """(3, H, W) in 0..1."""
        return torch.from_numpy(np.ascontiguousarray(self.rgb.transpose(2, 0, 1)).astype(np.float32) / 255)


@dataclass(frozen=True)
class VideoPictures:
    """A part of a video, decoded as it is iterated, once.

    Attributes:
        name: of the file, for messages.
        properties: of the video.
        pictures: in their order; there is at least one.
        total: how many there will be, as far as that is known.
    """

    name: str
    properties: VideoProperties
    pictures: Iterator[SeenPicture]
    total: int | None

    def __iter__(self) -> Iterator[SeenPicture]:
        return self.pictures


@contextmanager
def open_pictures(
    path: Path,
    load: Callable[[SfvHeader], VideoModel],
    *,
    first: int = 0,
    frames: int | None = None,
    changes: bool = False,
) -> Iterator[VideoPictures]:
    """Pictures ``first`` and on of an ``.sfv`` file, or of any video.

    Args:
        load: gives the model that decodes a stream, with its decoder, for the stream's header.
        frames: most pictures.
        changes: the decoder is asked what changed.

    Raises:
        UsageError: there is no such file, or it or its model cannot say what changed.
        DataError: it cannot be decoded. While iterating: it is damaged, or has no picture ``first``.
    """
    if is_stream(path):
        with SfvReader(path) as stream:
            model = load(stream.header)
            if changes and not isinstance(model, TellsPictureChange):
                raise UsageError(f"{path}: its model does not say what changed; the default model does, for fidelity")
            pictures = _of_stream(stream, StreamDecoder(stream.header, model, changes=changes), first)
            yield VideoPictures(str(path), stream.header.video, _part(pictures, path, first, frames), frames)
        return
    if changes:
        raise UsageError(f"{path}: only an {STREAM_SUFFIX} file says what changed: encode the pictures first")
    with open_video(path, working_format="rgb") as reader:
        count = None if reader.frame_count is None else max(0, reader.frame_count - first)
        known = [number for number in (count, frames) if number is not None]
        pictures = islice(_of_video(reader), first, None)
        yield VideoPictures(
            str(path), reader.properties, _part(pictures, path, first, frames), min(known, default=None)
        )


def is_stream(path: Path) -> bool:
    """Whether a file is taken for a stream of ScaleFlow's."""
    return path.suffix.lower() == STREAM_SUFFIX


def _part(pictures: Iterator[SeenPicture], path: Path, first: int, frames: int | None) -> Iterator[SeenPicture]:
    start = next(pictures, None)
    if start is None:
        raise UsageError(f"{path}: has no picture {first}: use a smaller first", fields=("first",))
    # Of the one before it, nothing was seen.
    yield from islice(chain([replace(start, change=None)], pictures), frames)


def _of_video(reader: VideoReader) -> Iterator[SeenPicture]:
    for number, picture in enumerate(reader):
        yield SeenPicture(np.stack(picture.planes, axis=-1).astype(np.uint8, copy=False), number, picture.pts)


def _of_stream(reader: SfvReader, decoder: StreamDecoder, first: int) -> Iterator[SeenPicture]:
    """From picture ``first`` on; decoding starts at the key picture at or before it."""
    start = 0
    if first and reader.seekable:
        before: list[KeyFrame] = [key for key in reader.key_frames if key.frame_number <= first]
        if before:
            start = reader.seek_to_key_frame(before[-1].pts).frame_number
    for event in decoder.decode(reader, from_picture=start):
        if isinstance(event, Damage | Loss):
            raise DataError(f"{reader.name}: {event}: networks are shown whole files only")
        if isinstance(event, DecodedPicture) and event.frame_number >= first:
            rgb = rgb_picture(event.planes, reader.header.video)
            yield SeenPicture(rgb, event.frame_number, event.pts, event.change)
