"""What an ``.sfv`` file consists of, counted from its packets."""

from __future__ import annotations

from dataclasses import dataclass, field

from scaleflow.codec.container.packet import DamagedRegion, VideoPacket
from scaleflow.codec.container.reader import SfvReader


@dataclass
class SfvStatistics:
    """Counts and bytes by kind (``intra``, ``inter``, ``audio``) and what else there is to say about a file.

    ``counts`` are pictures and audio packets, ``payload_bytes`` their payloads alone; ``pts_range`` spans the pictures,
    with estimated times behind damage.
    """

    counts: dict[str, int] = field(default_factory=lambda: {"intra": 0, "inter": 0, "audio": 0})
    payload_bytes: dict[str, int] = field(default_factory=lambda: {"intra": 0, "inter": 0, "audio": 0})
    file_bytes: int = 0
    pts_range: tuple[int, int] | None = None
    damaged: list[DamagedRegion] = field(default_factory=list)

    @property
    def damaged_bytes(self) -> int:
        """Bytes in regions that cannot be used."""
        return sum(region.length for region in self.damaged)

    @property
    def overhead_bytes(self) -> int:
        """Bytes of the container itself: header, packet heads, checksums, index."""
        return self.file_bytes - sum(self.payload_bytes.values()) - self.damaged_bytes


MOST_REGIONS = 1000
"""Damaged regions that are kept; a file of nothing but damage must not fill the memory."""


def measure(reader: SfvReader) -> SfvStatistics:
    """Read all packets that are left in ``reader`` and count them."""
    statistics = SfvStatistics()
    for item in reader:
        if isinstance(item, DamagedRegion):
            if len(statistics.damaged) < MOST_REGIONS:
                statistics.damaged.append(item)
            continue
        kind = item.kind if isinstance(item, VideoPacket) else "audio"
        statistics.counts[kind] += 1
        statistics.payload_bytes[kind] += len(item.payload)
        if isinstance(item, VideoPacket):
            low, high = statistics.pts_range or (item.pts, item.pts)
            statistics.pts_range = min(low, item.pts), max(high, item.pts)
    statistics.file_bytes = reader.position
    return statistics
