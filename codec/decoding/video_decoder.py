"""Pictures of an ``.sfv`` file one after the other, for programs: times, seeking, NumPy or PyTorch."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scaleflow.codec.container import SfvReader
from scaleflow.codec.decoding.stream_decoder import Damage, DecodedPicture, StreamDecoder
from scaleflow.codec.decoding.stream_model import check_weights, load_stream_model
from scaleflow.codec.models.registry import choose_device
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import VideoProperties
from scaleflow.codec.video.working_format import rgb_picture
from scaleflow.errors import DataError, UsageError
from scaleflow.limits import DEFAULT_MAX_PIXELS, check_limit, check_picture_size

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class VideoFrame:
    """A decoded picture.

    Attributes:
        planes: luma (H, W) and two chroma planes (ceil(H / 2), ceil(W / 2)), or R, G and B of models that work in RGB;
            ``uint8``, or ``uint16`` of 10-bit streams.
        seconds: when it is shown, from the first picture of the file on.
        number: of the picture in the file, from 0.
        repeated: whether it stands in for a picture that was damaged.
        properties: size, bit depth and colour of the video.
        device: where :meth:`tensor` puts it.

    Example:
        >>> import scaleflow
        >>> with scaleflow.open_decoder(coded) as decoder:
        ...     print(next(decoder))
        VideoFrame(number=0, seconds=0, 88x72, repeated=False)
    """

    planes: tuple[NDArray[np.generic], ...]
    seconds: float
    number: int
    repeated: bool
    properties: VideoProperties
    device: torch.device

    def rgb(self) -> NDArray[np.uint8]:
        """R'G'B' of shape (H, W, 3), 0..255, by the colour matrix and range of the video."""
        return rgb_picture(self.planes, self.properties)

    def tensor(self) -> Tensor:
        """R'G'B' as a ``uint8`` tensor of shape (3, H, W), 0..255, on the device."""
        return torch.from_numpy(np.ascontiguousarray(self.rgb().transpose(2, 0, 1))).to(self.device)

    def __repr__(self) -> str:
        shape = f"{self.properties.width}x{self.properties.height}"
        return f"VideoFrame(number={self.number}, seconds={self.seconds:.6g}, {shape}, repeated={self.repeated})"


class VideoDecoder(Iterator["VideoFrame"]):
    """Decodes an ``.sfv`` file picture by picture; an iterator and a context manager, in constant memory.

    Args:
        source: an ``.sfv`` file; ``-`` is standard input, in which one cannot seek.
        model: what decodes, where it is loaded already; otherwise the model that the file names is loaded.
        weights: a weights file, where the file was not encoded with the shipped weights.
        weights_folder: a folder of weights files, among which those of an older file are found by their hash.
        device: ``cpu``, ``cuda``, ``cuda:n``, or ``auto``: CUDA where there is one. A model that is given stays where
            it is; this is then only where tensors are put.
        tolerate_damage: show pictures between the good ones around where some are damaged, and log it, in place of
            raising.
        shown_by: makes of the model one that shows its pictures otherwise, such as
            :func:`scaleflow.adversarial.perceptual_codec.decoder_of` gives.
        max_pixels: largest picture, in samples of luma.

    Raises:
        UsageError: the file cannot be opened, or the device is not there.
        DataError: it is no ``.sfv`` file, was encoded with other weights, or has larger pictures. While iterating: it
            is damaged.

    Example:
        >>> import scaleflow
        >>> with scaleflow.open_decoder(coded) as decoder:
        ...     brightness = {frame.seconds: float(frame.planes[0].mean()) for frame in decoder}
        >>> len(brightness), decoder.frame_rate
        (8, Fraction(20, 1))
    """

    def __init__(
        self,
        source: str | os.PathLike[str],
        *,
        model: VideoModel | None = None,
        weights: str | os.PathLike[str] | None = None,
        weights_folder: str | os.PathLike[str] | None = None,
        device: str = "cpu",
        tolerate_damage: bool = False,
        shown_by: Callable[[VideoModel], VideoModel] | None = None,
        max_pixels: int = DEFAULT_MAX_PIXELS,
    ) -> None:
        check_limit("max_pixels", max_pixels)
        self._max_pixels = max_pixels
        self.device = choose_device(device)
        self.tolerate_damage = tolerate_damage
        self._reader = SfvReader(source)
        try:
            header = self._reader.header
            check_picture_size(header.video.width, header.video.height, max_pixels, self._reader.name)
            chosen = model or load_stream_model(header, device=device, weights=weights, weights_folder=weights_folder)
            self.model = chosen if shown_by is None else shown_by(chosen)
            check_weights(header, self.model)
        except BaseException:
            self._reader.close()
            raise
        self.properties: VideoProperties = header.video
        self._first_pts: int | None = None
        self._pictures = self._decode(0)

    @property
    def width(self) -> int:
        """Samples of luma in a row."""
        return self.properties.width

    @property
    def height(self) -> int:
        """Rows of luma."""
        return self.properties.height

    @property
    def frame_rate(self) -> Fraction:
        """Pictures a second; with a variable rate the one that the source gave."""
        return self.properties.frame_rate

    @property
    def key_frame_seconds(self) -> tuple[float, ...]:
        """When key frames are shown: places that are sought without decoding pictures before.

        Raises:
            UsageError: the input is a pipe that has not been read to its end.
        """
        return tuple(self._seconds(key.pts) for key in self._reader.key_frames)

    def seek(self, seconds: float) -> None:
        """Go on with the picture that is shown at a time: the last one that begins at or before it.

        Args:
            seconds: from the first picture on; beyond the end, the last picture is next.

        Raises:
            UsageError: the time is negative or not finite, or the input is a pipe.
            DataError: the file holds no key frame.
        """
        if not (math.isfinite(seconds) and seconds >= 0):
            raise UsageError(f"seconds = {seconds:g} is no time from the first picture on: give 0 or more")
        wanted = Fraction(seconds).limit_denominator(1_000_000) / self.properties.time_base
        # Half a tick of tolerance: times that people write are rounded.
        pts = self._origin() + math.floor(wanted + Fraction(1, 2))
        key = self._reader.seek_to_key_frame(pts)
        self._pictures = _from(self._decode(key.frame_number), pts)

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def __iter__(self) -> VideoDecoder:
        return self

    def __next__(self) -> VideoFrame:
        picture = next(self._pictures)
        if self._first_pts is None:
            self._first_pts = picture.pts
        return VideoFrame(
            picture.planes,
            self._seconds(picture.pts),
            picture.frame_number,
            picture.repeated,
            self.properties,
            self.device,
        )

    def __enter__(self) -> VideoDecoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _decode(self, number: int) -> Iterator[DecodedPicture]:
        decoder = StreamDecoder(self._reader.header, self.model, max_pixels=self._max_pixels)
        for event in decoder.decode(self._reader, from_picture=number):
            if isinstance(event, DecodedPicture):
                yield event
            elif isinstance(event, Damage):
                if not self.tolerate_damage:
                    raise DataError(f"{self._reader.name}: {event}")
                logger.warning("%s: %s", self._reader.name, event)

    def _origin(self) -> int:
        if self._first_pts is None:
            keys = self._reader.key_frames
            if not len(keys):
                raise DataError(f"{self._reader.name}: holds no key frame")
            self._first_pts = keys[0].pts
        return self._first_pts

    def _seconds(self, pts: int) -> float:
        return float((pts - self._origin()) * self.properties.time_base)


def _from(pictures: Iterator[DecodedPicture], pts: int) -> Iterator[DecodedPicture]:
    """Pictures from the one on that is shown at ``pts``."""
    latest: DecodedPicture | None = None
    for picture in pictures:
        if picture.pts > pts:
            if latest is not None:
                yield latest
            yield picture
            break
        latest = picture
    else:
        if latest is not None:
            yield latest
    yield from pictures
