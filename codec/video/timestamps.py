"""Presentation times that always rise, whatever the source says."""

from __future__ import annotations

import logging
from fractions import Fraction

log = logging.getLogger(__name__)


class RisingTimestamps:
    """Mends the presentation times of pictures in display order.

    A picture without a time comes one nominal duration after the one before; one that is not later than the one before
    comes one unit after it, so that no time that was right has to move.
    """

    def __init__(self, source: str, frame_rate: Fraction, time_base: Fraction) -> None:
        self._source = source
        self._duration = max(1, round(1 / (frame_rate * time_base)))
        self._last: int | None = None
        self._warned = False

    def next(self, pts: int | None) -> int:
        """The time to use for the next picture, of which the source says ``pts``."""
        if self._last is None:
            self._last = 0 if pts is None else pts
        elif pts is None:
            self._last += self._duration
        elif pts > self._last:
            self._last = pts
        else:
            if not self._warned:
                log.warning(
                    "%s: timestamp %d does not rise above %d; such pictures are moved", self._source, pts, self._last
                )
                self._warned = True
            self._last += 1
        return self._last
