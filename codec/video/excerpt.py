"""A part of a video by time: which pictures and audio packets belong to it, and the times that they get."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from scaleflow.codec.picture import Picture, VideoProperties
from scaleflow.codec.video.audio import AudioPacketData, AudioStream

LONGEST_INTERLEAVING = 10
"""Seconds that audio may stand before or behind its pictures in a file, and still be found for an excerpt."""


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
        self._time_base = time_base
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

    def end_at(self, pts: int) -> None:
        """End it where the picture after its last one is shown."""
        self.end_pts = pts
        self._end_time = pts * self._time_base

    def audio_time(self, packet: AudioPacketData) -> Fraction | None:
        """Seconds at which a packet begins in the source; None where it does not say."""
        time = packet.pts if packet.pts is not None else packet.dts
        return None if time is None else time * self._bases[packet.stream_index]

    def shift_audio(self, packet: AudioPacketData) -> AudioPacketData | None:
        """The packet with its time in the excerpt; None when it is not part of it."""
        time = self.audio_time(packet)
        if time is None:
            return None if self._cuts_start else packet
        if self._cuts_start and time < self._start_time:
            return None
        if self._end_time is not None and time >= self._end_time:
            return None
        ticks = round(self._shift / self._bases[packet.stream_index])
        return replace(
            packet,
            pts=None if packet.pts is None else packet.pts - ticks,
            dts=None if packet.dts is None else packet.dts - ticks,
        )


class ExcerptCutter:
    """Decides in the order of a file what belongs to an excerpt, so that its audio ends where its pictures do.

    Where the excerpt has a number of pictures, its end is known only when they have come: audio that stands before them
    in the file waits for them.
    """

    def __init__(
        self, excerpt: Excerpt, clock: ExcerptClock, properties: VideoProperties, audio: Iterable[AudioStream]
    ) -> None:
        self._clock = clock
        self._frames = excerpt.frames
        self._count = 0
        self._picture_ticks = max(1, round(1 / (properties.frame_rate * properties.time_base)))
        self._delay = LONGEST_INTERLEAVING / properties.time_base
        self._time_base = properties.time_base
        self._unfinished = set(range(len(tuple(audio))))
        self._waiting: list[AudioPacketData] = []
        self._last_pts: int | None = None
        self._is_past = False

    @property
    def is_full(self) -> bool:
        """Whether it has all its pictures by number."""
        return self._count == self._frames

    @property
    def is_done(self) -> bool:
        """Whether nothing that follows belongs to it."""
        has_end = self.is_full or self._clock.end_pts is not None
        is_past = self.is_full or self._is_past
        return has_end and (self._is_past or (is_past and not self._unfinished))

    def take_picture(self, pts: int) -> tuple[bool, list[AudioPacketData]]:
        """Whether the next picture belongs to it, and the audio that can now be told to belong to it."""
        clock = self._clock
        if self.is_full:
            self.pass_picture(pts)
            return False, self._release()
        end = clock.end_pts
        if end is not None and pts >= end:
            self.pass_picture(pts)
            return False, self._release()
        if not clock.has_picture(pts):
            return False, []
        self._count += 1
        self._last_pts = pts
        return True, self._release()

    def pass_picture(self, pts: int) -> None:
        """Note a picture that is not taken since it is behind the end."""
        clock = self._clock
        if self.is_full and self._last_pts is not None and pts > self._last_pts:
            if clock.end_pts is None or pts < clock.end_pts:
                clock.end_at(pts)
        if clock.end_pts is not None and (pts >= clock.end_pts + self._delay or not self._unfinished):
            self._is_past = True

    def take_audio(self, packet: AudioPacketData) -> list[AudioPacketData]:
        """The audio that can be told to belong to it, after one more packet."""
        self._waiting.append(packet)
        return self._release()

    def finish(self) -> list[AudioPacketData]:
        """The rest of the audio, when nothing follows."""
        if self.is_full and self._clock.end_pts is None and self._last_pts is not None:
            self._clock.end_at(self._last_pts + self._picture_ticks)
        waiting, self._waiting = self._waiting, []
        return self._shifted(waiting)

    def _release(self) -> list[AudioPacketData]:
        clock = self._clock
        if self._frames is None or clock.end_pts is not None:
            ready, self._waiting = self._waiting, []
            if clock.end_pts is not None:
                for packet in ready:
                    time = clock.audio_time(packet)
                    if time is not None and time >= clock.end_pts * self._time_base:
                        self._unfinished.discard(packet.stream_index)
            return self._shifted(ready)
        if self._last_pts is None:
            return []
        # The excerpt ends later than its last picture begins.
        reached = self._last_pts * self._time_base
        ready = []
        waiting: list[AudioPacketData] = []
        for packet in self._waiting:
            time = clock.audio_time(packet)
            (ready if time is None or time <= reached else waiting).append(packet)
        self._waiting = waiting
        return self._shifted(ready)

    def _shifted(self, packets: list[AudioPacketData]) -> list[AudioPacketData]:
        return [shifted for packet in packets if (shifted := self._clock.shift_audio(packet)) is not None]


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
    cutter: ExcerptCutter | None = None
    early: list[AudioPacketData] = []
    for item in items:
        if isinstance(item, AudioPacketData):
            if cutter is None:
                early.append(item)  # The time of the first picture, from which times count, is not known yet.
            else:
                yield from cutter.take_audio(item)
        else:
            if clock is None or cutter is None:
                clock = ExcerptClock(excerpt, properties, audio, item.pts)
                cutter = ExcerptCutter(excerpt, clock, properties, audio)
                for packet in early:
                    yield from cutter.take_audio(packet)
            belongs, packets = cutter.take_picture(item.pts)
            yield from packets
            if belongs:
                yield replace(item, pts=clock.shift_picture(item.pts))
        if cutter is not None and cutter.is_done:
            break
    if cutter is not None:
        yield from cutter.finish()
