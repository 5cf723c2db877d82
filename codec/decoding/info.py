"""What an ``.sfv`` file holds, without decoding its pictures."""

from __future__ import annotations

import os
from dataclasses import dataclass

from scaleflow.codec.container import DamagedRegion, SfvHeader, SfvReader, measure


@dataclass(frozen=True)
class KeyFrameInfo:
    """``time`` in seconds from the first key frame."""

    frame_number: int
    time: float
    offset: int


@dataclass(frozen=True)
class StreamInfo:
    """Counts and bytes by kind (``intra``, ``inter``, ``audio``); ``duration`` in seconds."""

    header: SfvHeader
    counts: dict[str, int]
    payload_bytes: dict[str, int]
    file_bytes: int
    overhead_bytes: int
    duration: float
    key_frames: tuple[KeyFrameInfo, ...]
    damaged: tuple[DamagedRegion, ...]

    @property
    def pictures(self) -> int:
        """Of both kinds, those included that cannot be decoded."""
        return self.counts["intra"] + self.counts["inter"]

    @property
    def bitrate(self) -> float:
        """Bits a second of the whole file."""
        return 8 * self.file_bytes / self.duration if self.duration else 0.0

    @property
    def bits_per_pixel(self) -> float:
        """Bits of the whole file for each sample of luma."""
        samples = self.header.video.width * self.header.video.height * self.pictures
        return 8 * self.file_bytes / samples if samples else 0.0


def read_info(source: str | os.PathLike[str]) -> StreamInfo:
    """Read all packets of a file and count them.

    Raises:
        UsageError: it cannot be opened.
        DataError: not an ``.sfv`` file.
    """
    with SfvReader(source) as reader:
        video = reader.header.video
        statistics = measure(reader)
        # A pipe whose end is missing has no index to offer.
        keys = reader.key_frames if reader.seekable or not statistics.damaged else ()
        first_pts = min((key.pts for key in keys), default=0)
        duration = 0.0
        if statistics.pts_range is not None:
            low, high = statistics.pts_range
            last = 1 / video.frame_rate
            if reader.last_duration is not None:
                last = reader.last_duration * video.time_base
            duration = float((high - low) * video.time_base + last)
        return StreamInfo(
            header=reader.header,
            counts=statistics.counts,
            payload_bytes=statistics.payload_bytes,
            file_bytes=statistics.file_bytes,
            overhead_bytes=statistics.overhead_bytes,
            duration=duration,
            key_frames=tuple(
                KeyFrameInfo(key.frame_number, float((key.pts - first_pts) * video.time_base), key.offset)
                for key in keys
            ),
            damaged=tuple(statistics.damaged),
        )
