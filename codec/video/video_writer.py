"""What every kind of video output has in common."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from types import TracebackType

from scaleflow.codec.picture import Picture, Planes, VideoProperties
from scaleflow.codec.video.audio import AudioPacketData
from scaleflow.codec.video.pixel_format import PixelFormat
from scaleflow.codec.video.working_format import color_coding, from_working
from scaleflow.errors import DataError

log = logging.getLogger(__name__)


class VideoWriter(ABC):
    """A video being written. A context manager that completes the output, or removes it when an exception passes.

    Pictures are given in the working format and bit depth of ``properties``, in display order.
    """

    def __init__(self, name: str, properties: VideoProperties, target: PixelFormat) -> None:
        self.name = name
        self.properties = properties
        self.last_duration: int | None = None
        """How long the last picture is shown, in units of the time base, where that is not as usual."""
        self._target = target
        self._coding = color_coding(properties)
        self._count = 0
        self._closed = False

    def write(self, picture: Picture) -> None:
        """Write one picture.

        Raises:
            DataError: its size is not that of the video, or writing fails. The output is then to be closed as aborted.
        """
        height, width = picture.planes[0].shape
        properties = self.properties
        if (width, height) != (properties.width, properties.height):
            raise DataError(
                f"{self.name}: picture {self._count} is {width}x{height}, "
                f"the video {properties.width}x{properties.height}"
            )
        planes = from_working(
            picture.planes, self._target, self._coding, properties.working_format, properties.bit_depth
        )
        self._write_planes(planes, picture.pts)
        self._count += 1

    def write_audio(self, packet: AudioPacketData) -> None:  # noqa: B027 - most outputs have no audio.
        """Write one audio packet; outputs without audio drop it."""

    def close(self, aborted: bool = False) -> None:
        """Complete the output and give it its name, or remove it where ``aborted``. Safe to call twice.

        Raises:
            DataError: no picture was written, or the end cannot be written. The output is removed.
        """
        if self._closed:
            return
        self._closed = True
        if aborted:
            self._abort()
            return
        try:
            if not self._count:
                raise DataError(f"{self.name}: there is no picture to write")
            self._finish()
        except BaseException:
            self._abort()
            raise

    @abstractmethod
    def _write_planes(self, planes: Planes, pts: int) -> None:
        """Write a picture in the target format."""

    @abstractmethod
    def _finish(self) -> None:
        """Complete the output."""

    @abstractmethod
    def _abort(self) -> None:
        """Remove the output. Must not raise, and may follow a failed :meth:`_finish`."""

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(aborted=kind is not None)


class EvenTimingCheck:
    """Warns once when pictures are not evenly spaced and the output can only say a frame rate."""

    def __init__(self, name: str, properties: VideoProperties) -> None:
        self._name = name
        self._properties = properties
        self._first: int | None = None
        self._count = 0
        self._warned = False

    def observe(self, pts: int) -> None:
        """Note the time of the next picture."""
        if self._first is None:
            self._first = pts
        properties = self._properties
        expected = self._count / (properties.frame_rate * properties.time_base)
        self._count += 1
        if not self._warned and abs(pts - self._first - expected) * properties.time_base * properties.frame_rate > 1:
            self._warned = True
            log.warning("%s: holds a constant frame rate only; the varying times of the source are lost", self._name)
