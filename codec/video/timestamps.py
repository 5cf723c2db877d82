"""Times of packets and pictures as FFmpeg's own program would have them, whatever the source says."""

from __future__ import annotations

import logging
from fractions import Fraction

log = logging.getLogger(__name__)

LONGEST_JUMP = Fraction(10)
LARGEST_OVERLAP = Fraction(1, 10)
"""Seconds by which decoding times may jump ahead and fall back before their clock is taken to have been set anew."""


class BestEffortTimes:
    """Presentation times of decoded frames, of which a source says them, or only decoding times, or both wrongly.

    It is the estimate that FFmpeg's decoders make (``best_effort_timestamp``): presentation times as long as they were
    no more often out of order than decoding times.
    """

    def __init__(self) -> None:
        self._faulty_pts = self._faulty_dts = 0
        self._last_pts: int | None = None
        self._last_dts: int | None = None

    def next(self, pts: int | None, dts: int | None) -> int | None:
        """The time of the next frame; None where nothing is known."""
        if dts is not None:
            self._faulty_dts += self._last_dts is not None and dts <= self._last_dts
            self._last_dts = dts
        elif pts is not None:
            self._last_dts = pts
        if pts is not None:
            self._faulty_pts += self._last_pts is not None and pts <= self._last_pts
            self._last_pts = pts
        elif dts is not None:
            self._last_pts = dts
        return pts if pts is not None and (dts is None or self._faulty_pts <= self._faulty_dts) else dts


class Continuity:
    """Joins the parts of a stream whose clock was set anew: packets of all its streams are moved alike.

    It is what FFmpeg's program does with formats whose times may jump (MPEG-TS, MPEG-PS, Ogg), see
    ``ts_discontinuity_detect`` in its ``ffmpeg_demux.c``. Times are in seconds.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._expected: dict[int, Fraction] = {}
        self._times: dict[int, Fraction] = {}
        self._last: Fraction | None = None
        self.offset = Fraction(0)
        """Seconds to add to the times of the packet that was seen last, and of those after it."""

    def observe(self, stream: int, dts: Fraction, duration: Fraction) -> Fraction:
        """Seconds to add to the times of a packet, of which the source says these."""
        time = dts + self.offset
        expected = self._expected.get(stream)
        jump = None
        if expected is not None:
            if abs(time - expected) > LONGEST_JUMP or time + LARGEST_OVERLAP < self._times[stream]:
                jump = time - expected
        elif self._last is not None and abs(time - self._last) > LONGEST_JUMP:
            jump = time - self._last
        if jump is not None:
            log.warning("%s: its times jump by %.3f s; what follows is moved to go on", self._source, float(jump))
            self.offset -= jump
            time -= jump
        self._times[stream] = self._last = time
        self._expected[stream] = time + duration
        return self.offset


class RisingTimestamps:
    """Mends the presentation times of pictures in display order.

    A picture without a time comes one duration after the one before. One whose time does not fit between its neighbours
    is put between them, so that no time that was right has to move. Where times fall back and go on from there, what
    follows is moved to go on where the pictures before ended.
    """

    def __init__(self, source: str, frame_rate: Fraction, time_base: Fraction) -> None:
        self._source = source
        self._duration = max(1, round(1 / (frame_rate * time_base)))
        self._last: int | None = None
        self._offset = 0
        self._warned = False

    def needs_following(self, pts: int | None) -> bool:
        """Whether the time of a picture can be judged only beside that of the next one."""
        return (
            pts is not None
            and self._last is not None
            and not self._last < pts + self._offset <= self._last + 5 * self._duration // 4
        )

    def next(self, pts: int | None, following: int | None = None) -> int:
        """The time to use for the next picture, whose source says ``pts`` of it and ``following`` of the one after."""
        self._last = self._choose(pts, following)
        return self._last

    def _choose(self, pts: int | None, following: int | None) -> int:
        if self._last is None:
            return 0 if pts is None else pts
        usual = self._last + self._duration
        if pts is None:
            return usual
        moved = pts + self._offset
        after = None if following is None else following + self._offset
        if moved > self._last and (after is None or not self._last < after < moved):
            return moved
        self._warn(pts)
        if after is not None and after > self._last:
            return min(usual, max(self._last + 1, (self._last + after) // 2))
        if moved <= self._last and (after is None or after > moved):
            self._offset += usual - moved
            return usual
        return self._last + 1

    def _warn(self, pts: int) -> None:
        if not self._warned:
            log.warning("%s: timestamp %d is out of order; such pictures are moved", self._source, pts)
            self._warned = True
