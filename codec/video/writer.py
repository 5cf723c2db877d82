"""Opening a video output by its name."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from scaleflow.codec.picture import VideoProperties
from scaleflow.codec.video.audio import AudioStream
from scaleflow.codec.video.container_writer import ContainerWriter
from scaleflow.codec.video.picture_writer import PictureWriter, is_picture_output
from scaleflow.codec.video.plane_writer import raw_writer, y4m_writer
from scaleflow.codec.video.video_encoding import CONTAINERS, choose_encoding
from scaleflow.codec.video.video_writer import VideoWriter
from scaleflow.errors import UsageError
from scaleflow.output_file import open_output_file

log = logging.getLogger(__name__)

_UNCOMPRESSED = {"y4m": y4m_writer, "yuv": raw_writer, "rgb": raw_writer, "raw": raw_writer}
_PICTURES = "pictures"
OUTPUT_FORMATS = (*CONTAINERS, *_UNCOMPRESSED, _PICTURES)
"""Values of ``format`` for :func:`open_output`."""


def open_output(
    path: str | os.PathLike[str],
    properties: VideoProperties,
    *,
    lossless: bool = False,
    format: str | None = None,
    overwrite: bool = False,
    audio: Sequence[AudioStream] = (),
) -> VideoWriter:
    """Open an output that takes pictures in the working format of ``properties``.

    Args:
        path: its extension says the form: mp4, m4v, mov, mkv, webm, y4m, yuv. A folder, a name that ends in ``/`` or a
            printf pattern (``out/%06d.png``) gets pictures. ``-`` is standard output, y4m unless ``format`` says other.
        properties: of the source; the output gets its pixel format where possible, its tags and its time base.
        lossless: FFV1 in mkv, x264 with quantiser 0 in mp4 and mov, lossless VP9 in webm. Other forms always are.
        format: one of :data:`OUTPUT_FORMATS`, instead of the extension.
        overwrite: replace what is there already.
        audio: streams whose packets will be given to ``write_audio``; the order is that of ``stream_index``.

    Raises:
        UsageError: the form is unknown, the output exists or cannot be created, or cannot hold this video losslessly.
    """
    name = os.fspath(path)
    kind = _kind(name, format)
    if audio and kind not in CONTAINERS:
        log.warning("%s: has no place for audio, which is left out", name)
    if kind == _PICTURES:
        return PictureWriter(name, properties, overwrite)
    encoding = None if kind in _UNCOMPRESSED else choose_encoding(CONTAINERS[kind], properties, lossless)
    output = open_output_file(name, overwrite)
    try:
        if encoding is None:
            return _UNCOMPRESSED[kind](output, properties)
        return ContainerWriter(output, CONTAINERS[kind], properties, encoding, audio)
    except BaseException:
        output.abort()  # Whatever a writer finds wrong with the video, nothing stays of its file.
        raise


def _kind(path: str, format: str | None) -> str:
    if format is not None:
        if format not in OUTPUT_FORMATS:
            raise UsageError(f"output format {format!r} is not one of {', '.join(OUTPUT_FORMATS)}")
        return format
    if path == "-":
        return "y4m"
    if is_picture_output(path):
        return _PICTURES
    extension = Path(path).suffix.lower().lstrip(".")
    if extension not in OUTPUT_FORMATS or extension == _PICTURES:
        raise UsageError(
            f"{path}: cannot tell the form of output from its name; end it in .mp4, .mov, .mkv, .webm, .y4m or .yuv, "
            "or in / for a folder of pictures"
        )
    return extension
