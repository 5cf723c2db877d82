"""Writing numbered picture files."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from fractions import Fraction
from pathlib import Path

import av
import av.error

from scaleflow.codec.picture import Planes, VideoProperties
from scaleflow.codec.video.color import ColorCoding
from scaleflow.codec.video.color_tags import PRIMARIES, TRANSFERS, tag_code
from scaleflow.codec.video.frame_planes import frame_from_planes
from scaleflow.codec.video.numbered_names import NumberedName, has_printf_number
from scaleflow.codec.video.pixel_format import PixelFormat, describe_pixel_format
from scaleflow.codec.video.video_writer import EvenTimingCheck, VideoWriter
from scaleflow.codec.video.working_format import from_working
from scaleflow.errors import DataError, UsageError
from scaleflow.output_file import write_failure
from scaleflow.output_folder import clear_folder
from scaleflow.partial_file import open_partial_folder, unlock
from scaleflow.replaced_files import holds_replaced_files, place_files, put_back_files

log = logging.getLogger(__name__)

FOLDER_PATTERN = "frame_%06d.png"
_CODECS = {".png": "png", ".bmp": "bmp", ".tif": "tiff", ".tiff": "tiff", ".jpg": "mjpeg", ".jpeg": "mjpeg"}
_JPEG_LAYOUT, _JPEG_CODING = "yuvj444p", ColorCoding("bt470bg", full_range=True)
_DEEP_FORMATS = {"png": ("gray16be", "rgb48be"), "tiff": ("gray16le", "rgb48le")}


def is_picture_output(path: str) -> bool:
    """Whether an output path asks for picture files: a folder, a name that ends in ``/``, or a printf pattern."""
    return path.endswith(("/", os.sep)) or os.path.isdir(path) or has_printf_number(path)


class PictureWriter(VideoWriter):
    """One file a picture, numbered from 1, in the folder or after the pattern ``path``; no audio.

    PNG (also TIFF) holds 8 bit as 8 and more as 16, grey as grey; JPEG is written at its best quality. The files are
    collected in a hidden folder and moved to their place when all are complete. Only files of the very names that are
    written are replaced, all of them or none; whatever else lies in the folder stays.
    """

    def __init__(self, path: str, properties: VideoProperties, overwrite: bool) -> None:
        self._folder, pattern = _split(path)
        self._names = NumberedName(pattern)
        self._overwrite = overwrite
        codec = _CODECS.get(Path(pattern).suffix.lower())
        if codec is None:
            raise UsageError(f"{path}: pictures can be written as {', '.join(_CODECS)}")
        self._codec = codec
        self._layout = _layout(codec, properties)
        super().__init__(path, properties, describe_pixel_format(self._layout))
        self._check_folder()
        self._timing = EvenTimingCheck(path, properties)
        if properties.rotation:
            log.warning("%s: pictures have no place for the rotation of %d degrees", path, properties.rotation)
        self._is_new = not self._folder.exists()
        try:
            self._folder.mkdir(exist_ok=True)
        except OSError as error:
            raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
        # Within the folder: its parent may be another disk, or not ours to write.
        self._partial, self._lock = open_partial_folder(self._folder / pattern)
        self._holds_partial = True
        try:
            self._clear_left_over()
            self._check_names()
        except BaseException as error:
            self._abort()
            if isinstance(error, OSError):
                raise write_failure(path, error) from error
            raise

    def _clear_left_over(self) -> None:
        """Take away what a process left that was killed, and put back what it had begun to replace."""
        count = put_back_files(self._partial, self._folder)
        if count:
            log.warning("%s: %d pictures are back that an interrupted run had begun to replace", self.name, count)
        if holds_replaced_files(self._partial):
            raise DataError(f"{self._partial}: holds pictures of an interrupted run that cannot be put back; move them")
        clear_folder(self._partial)

    def _check_folder(self) -> None:
        folder = self._folder
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{folder}: exists and is no folder")
        if not folder.exists() and not folder.parent.is_dir():
            raise UsageError(f"{folder}: the folder {folder.parent} does not exist; create it first")

    def _check_names(self) -> None:
        existing = self._numbered()
        if existing and not self._overwrite:
            raise UsageError(
                f"{existing[0]}: exists already; choose another folder or pass overwrite=True", fields=("overwrite",)
            )

    def _numbered(self) -> list[Path]:
        """What lies under names that this pattern makes, in the order of their numbers."""
        if not self._folder.is_dir():
            return []
        found = [(self._names.number_of(file.name), file) for file in self._folder.iterdir()]
        return [file for number, file in sorted((number, file) for number, file in found if number is not None)]

    def _write_planes(self, planes: Planes, pts: int) -> None:
        self._timing.observe(pts)
        file = self._partial / self._names.name_of(self._count + 1)
        try:
            file.write_bytes(self._encode(planes))
        except OSError as error:
            if isinstance(error, av.error.FFmpegError):
                raise
            raise write_failure(self.name, error) from error

    def _encode(self, planes: Planes) -> bytes:
        if self._codec == "mjpeg":
            planes = from_working(planes, describe_pixel_format(_JPEG_LAYOUT), _JPEG_CODING, "rgb", 8)
            frame = frame_from_planes(planes, _JPEG_LAYOUT)
        else:
            frame = frame_from_planes(planes, self._layout)
        encoder = av.CodecContext.create(self._codec, "w")
        assert isinstance(encoder, av.VideoCodecContext)
        encoder.width, encoder.height = self.properties.width, self.properties.height
        encoder.pix_fmt = frame.format.name
        encoder.time_base = Fraction(1, 25)
        encoder.sample_aspect_ratio = self.properties.sample_aspect_ratio
        encoder.color_primaries = tag_code(PRIMARIES, self.properties.color_primaries)
        encoder.color_trc = tag_code(TRANSFERS, self.properties.color_transfer)
        if self._codec == "mjpeg":
            encoder.color_range = frame.color_range = 2
            encoder.options = {"qmin": "1", "qmax": "1"}
        elif self._codec == "png":
            encoder.options = {"compression_level": "3", "pred": "mixed"}
        try:
            return b"".join(bytes(packet) for part in (frame, None) for packet in encoder.encode(part))
        except av.error.FFmpegError as error:
            raise DataError(f"{self.name}: the picture cannot be encoded as {self._codec}: {error.strerror}") from error

    def _finish(self) -> None:
        names = [self._names.name_of(number + 1) for number in range(self._count)]
        try:
            place_files(self._partial, self._folder, names, self._overwrite)
        except OSError as error:
            raise write_failure(self.name, error) from error
        self._abort()
        left = [file for file in self._numbered() if file.name not in set(names)]
        if left:
            log.warning(
                "%s: %d pictures of another sequence stay beside the new ones, from %s on; "
                "remove them before the folder is read as one video",
                self.name,
                len(left),
                left[0].name,
            )

    def _abort(self) -> None:
        if not self._holds_partial:
            return
        self._holds_partial = False
        if not holds_replaced_files(self._partial):
            shutil.rmtree(self._partial, ignore_errors=True)
        unlock(self._lock)
        if self._is_new:
            with contextlib.suppress(OSError):
                self._folder.rmdir()  # Of an output that failed; others are not empty.


def _split(path: str) -> tuple[Path, str]:
    if has_printf_number(path) and not os.path.isdir(path):
        return Path(path).parent, os.path.basename(path)
    return Path(path), FOLDER_PATTERN


def _layout(codec: str, properties: VideoProperties) -> str:
    source: PixelFormat = describe_pixel_format(properties.pixel_format)
    is_gray = source.family == "gray"
    if properties.bit_depth > 8 and codec in _DEEP_FORMATS:
        return _DEEP_FORMATS[codec][0 if is_gray else 1]
    if is_gray and codec != "mjpeg":
        return "gray"
    return "bgr24" if codec == "bmp" else "rgb24"
