"""What of a source is lost or made up, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av

_TRUSTED = frozenset({"matroska", "webm", "mov", "mp4", "avi", "nut"})
"""Formats whose header says how long they are; others are estimated by their size, or say what was planned."""

_SMALLEST_LOSS = Fraction(1, 4)
"""Seconds; writers round, and leave out the length of last packets."""


@dataclass
class SourceDamage:
    """Damage to one source, counted while it is read.

    Attributes:
        name: of the source.
        damaged_packets: video packets that the decoder refused.
        corrupt_pictures: pictures of which the decoder had to make up some.
        ended: how the source ended before its time, empty where it did not.
    """

    name: str
    damaged_packets: int = 0
    corrupt_pictures: int = 0
    ended: str = ""

    def sentences(self) -> tuple[str, ...]:
        """What there is to say, nothing where there is no damage."""
        found = []
        if self.damaged_packets:
            found.append(f"{self.damaged_packets} video packets are damaged")
        if self.corrupt_pictures:
            found.append(f"{self.corrupt_pictures} pictures are damaged and partly made up by the decoder")
        if self.ended:
            found.append(self.ended)
        return tuple(f"{self.name}: {what}" for what in found)


class PromisedLength:
    """Compares how long a container says that it is with where its packets end."""

    def __init__(self, container: av.container.InputContainer) -> None:
        names = set(container.format.name.split(","))
        self._end: Fraction | None = None
        self._promised: Fraction | None = None
        self.last_byte = 0
        """Position in the file behind the last packet."""
        if container.duration and names & _TRUSTED:
            self._promised = Fraction((container.start_time or 0) + container.duration, av.time_base)

    def observe(self, packet: Any) -> None:
        """Note a packet of any stream."""
        if packet.pos is not None:
            self.last_byte = max(self.last_byte, packet.pos + packet.size)
        time = packet.pts if packet.pts is not None else packet.dts
        if time is None or not packet.time_base:
            return
        end = (time + (packet.duration or 0)) * packet.time_base
        if self._end is None or end > self._end:
            self._end = end

    def missing(self, picture: Fraction) -> str:
        """How much is missing at the end, in words; ``picture`` is how long one lasts in seconds."""
        if self._promised is None or self._end is None:
            return ""
        if self._promised - self._end <= max(_SMALLEST_LOSS, 2 * picture):
            return ""
        return f"ends at {float(self._end):.2f} s of {float(self._promised):.2f} s that its header promises"
