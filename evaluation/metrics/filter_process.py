"""Metrics that are computed by a filter of ffmpeg, on pictures that were matched before.

ffmpeg matches two files by its own rules, and goes on where a picture is missing. So it is not given the files: the
original and the decoded picture travel as one, the decoded below the original, through a single pipe of raw video, and
are cut apart on the other side.
"""

from __future__ import annotations

import subprocess
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scaleflow.codec.picture import Planes
from scaleflow.codec.video.pixel_format import PixelFormat
from scaleflow.errors import DataError
from scaleflow.evaluation.ffmpeg import ffmpeg_failure
from scaleflow.evaluation.metrics.picture_pair import PicturePair

PIXEL_FORMATS = frozenset(f"yuv{chroma}p{depth}" for chroma in ("420", "422", "444") for depth in ("", "10le", "12le"))
"""What the filters take as it is; of others ffmpeg would make one of these without saying so."""


class FilterProcess:
    """A running ffmpeg that measures what it is sent.

    Args:
        program: an ffmpeg that has the filter.
        description: the filter and its options.
        inputs: the order in which the filter takes "original" and "decoded".
        log_name: file that the options tell the filter to write, in the folder that it runs in.
        frame_rate: of the video; filters that look at motion heed it.
    """

    def __init__(
        self, program: Path, description: str, inputs: tuple[str, str], log_name: str, frame_rate: Fraction
    ) -> None:
        self._program, self._description, self._frame_rate = program, description, frame_rate
        self._inputs = "".join(f"[{name}]" for name in inputs)
        self._folder = tempfile.TemporaryDirectory()
        self._log = Path(self._folder.name) / log_name
        self._errors = tempfile.TemporaryFile()
        self._process: subprocess.Popen[bytes] | None = None

    def add(self, pair: PicturePair) -> None:
        """Send the next picture.

        Raises:
            DataError: the filter does not take this format, or ffmpeg has failed.
        """
        pixel_format = pair.form.yuv.pixel_format
        original, decoded = pair.yuv
        if self._process is None:
            name = self._description.partition("=")[0]
            if pixel_format.planar_name not in PIXEL_FORMATS or len(original) != 3:
                raise DataError(f"{name} cannot measure {pixel_format.name}; convert both videos to yuv420p first")
            self._process = self._start(pixel_format, *original[0].shape)
        assert self._process.stdin is not None
        try:
            for plane in _stack(original, decoded, 1 << pixel_format.chroma_shifts[1]):
                self._process.stdin.write(plane.data)
        except OSError:
            self._process.wait()
            raise self._failure() from None

    def finish(self) -> str:
        """What the filter has written, when all pictures have been sent.

        Raises:
            DataError: ffmpeg has failed.
        """
        if self._process is None:
            raise DataError("there is no picture to measure")
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except OSError:
            self._process.wait()
            raise self._failure() from None
        if self._process.wait() or not self._log.is_file():
            raise self._failure()
        return self._log.read_text()

    def close(self) -> None:
        """End ffmpeg, if it still runs, and remove what it wrote."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdin is not None and not self._process.stdin.closed:
                try:
                    self._process.stdin.close()
                except OSError:
                    pass  # What was buffered for a process that has gone.
        self._errors.close()
        self._folder.cleanup()

    def _start(self, pixel_format: PixelFormat, height: int, width: int) -> subprocess.Popen[bytes]:
        offset = _offset(height, 1 << pixel_format.chroma_shifts[1])
        size = f"{width}:{height}:0"
        graph = (
            f"split[one][two];[one]crop={size}:0:exact=1[original];[two]crop={size}:{offset}:exact=1[decoded];"
            f"{self._inputs}{self._description}"
        )
        source = (
            *("-f", "rawvideo", "-pixel_format", pixel_format.planar_name),
            *("-video_size", f"{width}x{2 * offset}", "-framerate", str(self._frame_rate), "-i", "pipe:0"),
        )
        general = ("-hide_banner", "-v", "error")
        command = [str(self._program), *general, *source, "-lavfi", graph, "-f", "null", "-"]
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                cwd=self._folder.name,
            )
        except OSError as error:
            raise DataError(f"{self._program}: cannot be run: {error.strerror}") from error

    def _failure(self) -> DataError:
        self._errors.seek(0)
        code = self._process.returncode if self._process is not None else 0
        return ffmpeg_failure(self._program, code, self._errors.read())


def _offset(height: int, step: int) -> int:
    """The line at which the decoded picture begins: where chroma has a whole line too."""
    return -(-height // step) * step


def _stack(original: Planes, decoded: Planes, step: int) -> list[NDArray[np.generic]]:
    offset = _offset(original[0].shape[0], step)
    stacked = []
    for number, (above, below) in enumerate(zip(original, decoded, strict=True)):
        lines = offset if number == 0 else offset // step
        plane = np.zeros((2 * lines, above.shape[1]), above.dtype)
        plane[: above.shape[0]], plane[lines : lines + below.shape[0]] = above, below
        stacked.append(plane)
    return stacked
