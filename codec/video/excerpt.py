"""A part of a video by time: which pictures and audio packets belong to it, and the times that they get."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from scaleflow.codec.picture import Picture, VideoProperties
from scaleflow.codec.video.audio import AudioPacketData, AudioStream

AUDIO_DELAY = 1.0
"""Seconds that audio may stand behind its pictures in a file, and is still found at the end of an excerpt."""


@dataclass(frozen=True)
class Excerpt:
    """Seconds ``start`` to ``start + duration`` from the first picture, at most ``frames`` pictures."""

    start: float = 0.0
    duration: float | None = None
    frames: int | None = None

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return not self.start and self.duration is None and self.frames is None

    def picture_count(self, total: int | None, frame_rate: Fraction) -> int | None:
        """How many of ``total`` pictures it has, about, where that is known."""
        count = None if total is None else max(0, total - math.floor(self.start * frame_rate))
        if self.duration is not None:
            lasting = math.ceil(self.duration * frame_rate)
            count = lasting if count is None else min(count, lasting)
        if self.frames is not None:
            count = self.frames if count is None else min(count, self.frames)
        return count


class ExcerptClock:
    """Ticks of an excerpt in the time bases of its streams, once the time of the video's first picture is known.

    An excerpt that starts at 0 keeps the times of its source; others are moved to start where the source does.
    """

    def __init__(
        self, excerpt: Excerpt, properties: VideoProperties, audio: Iterable[AudioStream], first_pts: int
    ) -> None:
        time_base = properties.time_base
        origin = first_pts * time_base
        start = Fraction(excerpt.start).limit_denominator(1_000_000)
        self._bases = [stream.time_base for stream in audio]
        # Half a tick of tolerance: times that people write are rounded.
        self.start_pts = math.ceil((origin + start) / time_base - Fraction(1, 2))
        self._start_time = self.start_pts * time_base
        self._end_time: Fraction | None = None
        self.end_pts: int | None = None
        if excerpt.duration is not None:
            end = origin + start + Fraction(excerpt.duration).limit_denominator(1_000_000)
            self.end_pts = max(math.ceil(end / time_base - Fraction(1, 2)), self.start_pts)
            self._end_time = self.end_pts * time_base
        self._cuts_start = excerpt.start > 0
        self._picture_shift = self.start_pts - first_pts if self._cuts_start else 0
        self._shift = self._picture_shift * time_base

    def has_picture(self, pts: int) -> bool:
        """Whether a picture at ``pts`` belongs to it."""
        if self._cuts_start and pts < self.start_pts:
            return False
        return self.end_pts is None or pts < self.end_pts

    def shift_picture(self, pts: int) -> int:
        """The time in the excerpt."""
        return pts - self._picture_shift

    def shift_audio(self, packet: AudioPacketData) -> AudioPacketData | None:
        """The packet with its time in the excerpt; None when it is not part of it."""
        base = self._bases[packet.stream_index]
        time = packet.pts if packet.pts is not None else packet.dts
        if time is None:
            return None if self._cuts_start else packet
        if self._cuts_start and time * base < self._start_time:
            return None
        if self._end_time is not None and time * base >= self._end_time:
            return None
        ticks = round(self._shift / base)
        return replace(
            packet,
            pts=None if packet.pts is None else packet.pts - ticks,
            dts=None if packet.dts is None else packet.dts - ticks,
        )


def cut_excerpt(
    items: Iterable[Picture | AudioPacketData],
    excerpt: Excerpt,
    properties: VideoProperties,
    audio: tuple[AudioStream, ...],
) -> Iterator[Picture | AudioPacketData]:
    """The pictures and audio packets of an excerpt, from those of a whole video."""
    if excerpt.is_all:
        yield from items
        return
    clock: ExcerptClock | None = None
    early: list[AudioPacketData] = []
    count = 0
    for item in items:
        if isinstance(item, AudioPacketData):
            if clock is None:
                early.append(item)  # The time of the first picture, from which times count, is not known yet.
            elif (packet := clock.shift_audio(item)) is not None:
                yield packet
            continue
        if clock is None:
            clock = ExcerptClock(excerpt, properties, audio, item.pts)
            yield from filter(None, map(clock.shift_audio, early))
        if clock.end_pts is not None and item.pts >= clock.end_pts + AUDIO_DELAY / properties.time_base:
            return
        if clock.has_picture(item.pts):
            yield replace(item, pts=clock.shift_picture(item.pts))
            count += 1
            if count == excerpt.frames:
                return
