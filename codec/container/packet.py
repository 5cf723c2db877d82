"""What a reader delivers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

VideoKind = Literal["intra", "inter"]
PacketKind = Literal["intra", "inter", "audio", "end"]


@dataclass(frozen=True)
class VideoPacket:
    """One coded picture.

    ``offset`` is where its packet starts in the file. ``decodable`` is False when a picture that this one is predicted
    from was lost; ``pts`` and ``frame_number`` are then estimates.
    """

    kind: VideoKind
    pts: int
    payload: bytes
    offset: int
    frame_number: int
    decodable: bool = True


@dataclass(frozen=True)
class AudioPacket:
    """One copied audio packet, times in units of its stream's time base and None where the source had none.

    Bit 0 of ``flags`` says that it is a key frame. ``timed`` is False when damage before it made its time an estimate.
    """

    stream_index: int
    pts: int | None
    dts: int | None
    duration: int | None
    flags: int
    payload: bytes
    offset: int = 0
    timed: bool = True


@dataclass(frozen=True)
class DamagedRegion:
    """Bytes that cannot be used, or pictures that are not there.

    ``kind`` is what the packet seemed to be, None when its head is unreadable; ``pts`` the time at which the first lost
    picture was expected, None when that is unknown or no picture is concerned.
    """

    offset: int
    length: int
    reason: str
    kind: PacketKind | None = None
    pts: int | None = None
