"""How packets of each kind stand in an ``.sfv`` file.

A packet is head, body and CRC-32 of both. Key frame and end packets start with a marker that a scan can find. Inter
pictures are small (a few hundred bytes at low rates), so that up to sixteen share one packet.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from dataclasses import dataclass

from scaleflow.codec.container.packet import PacketKind
from scaleflow.codec.container.varint import (
    LONGEST,
    IncompleteVarint,
    MalformedVarint,
    read_signed,
    read_varint,
    write_signed,
    write_varint,
)
from scaleflow.codec.picture import VideoProperties

KEY_MARKER = b"\x1aSFK"
END_MARKER = b"\x1aSFE"
MARKER_PREFIX = KEY_MARKER[:3]
TAG_PATTERN = 0x80
TAG_KIND = 0x60
TAG_INTER = 0x20
TAG_AUDIO = 0x40
TAG_TIMES = 0x10
TAG_COUNT = 0x0F

MOST_PICTURES = 16
"""Most inter pictures in one packet; also one more than the highest audio stream index."""

LARGEST_VIDEO_PAYLOAD = 256 << 20
LARGEST_AUDIO_PAYLOAD = 16 << 20
LARGEST_INDEX = 256 << 20
LARGEST_TIME = 1 << 62
LARGEST_FLAGS = (1 << 32) - 1
HAS_PTS, HAS_DTS, HAS_DURATION, FLAG_SHIFT = 1, 2, 4, 3
SEQUENCE_LENGTH = 256
SHORTEST_PACKET = 1 + 1 + 4
LONGEST_HEAD = len(KEY_MARKER) + 3 * LONGEST + 2
CHECKSUM_SIZE = 4


class BadPacket(Exception):
    """The bytes are not a usable packet. ``head`` is what its start says, None when that is unreadable."""

    def __init__(self, reason: str, head: PacketHead | None = None) -> None:
        super().__init__(reason)
        self.head = head


class IncompleteHead(BadPacket):
    """The data end within a packet's head."""


@dataclass(frozen=True)
class PacketHead:
    """The start of a packet. ``count`` is the number of pictures or, for audio, the stream index."""

    kind: PacketKind
    size: int
    body_start: int
    body_length: int
    count: int = 1
    explicit_times: bool = True
    pts: int = 0
    frame_number: int = 0


@dataclass(frozen=True)
class PictureGroup:
    """Pictures of one inter packet: payloads and, where written, the differences of their times from the expected.

    ``sequence`` is the number of the first one, modulo ``SEQUENCE_LENGTH``.
    """

    sequence: int
    payloads: tuple[bytes, ...]
    time_differences: tuple[int, ...]


@dataclass(frozen=True)
class AudioTimes:
    """Times and flags of an audio packet, as they stand in its body."""

    pts: int | None
    dts: int | None
    duration: int | None
    flags: int

    def in_range(self) -> bool:
        """Whether every value can stand in a file."""
        times = [abs(time) for time in (self.pts, self.dts) if time is not None]
        return (
            max([*times, self.duration or 0], default=0) <= LARGEST_TIME
            and (self.duration or 0) >= 0
            and 0 <= self.flags <= LARGEST_FLAGS
        )


@dataclass(frozen=True)
class AudioBody:
    """Body of an audio packet; ``times`` is None when they follow from the packet before."""

    times: AudioTimes | None
    payload: bytes


def video_payload_limit(video: VideoProperties) -> int:
    """Most bytes that a picture's payload may have: far above any real one, and in proportion to the picture."""
    return min(LARGEST_VIDEO_PAYLOAD, (64 << 10) + 8 * video.width * video.height)


def _sealed(packet: bytes) -> bytes:
    return packet + struct.pack("<I", zlib.crc32(packet))


def _sealed_head(head: bytes) -> bytes:
    return head + struct.pack("<H", zlib.crc32(head) & 0xFFFF)


def write_key(payload: bytes, pts: int, frame_number: int) -> bytes:
    """A key frame packet."""
    head = KEY_MARKER + write_varint(len(payload)) + write_signed(pts) + write_varint(frame_number)
    return _sealed(_sealed_head(head) + payload)


def write_end(body: bytes) -> bytes:
    """The end packet around an index."""
    return _sealed(_sealed_head(END_MARKER + write_varint(len(body))) + body)


def write_inter(group: PictureGroup) -> bytes:
    """A packet of one to sixteen inter pictures."""
    body = bytearray([group.sequence])
    for difference in group.time_differences:
        body += write_signed(difference)
    lengths = [len(payload) for payload in group.payloads]
    if len(lengths) > 1:
        body += write_varint(lengths[0])
    for before, length in itertools.pairwise(lengths[:-1]):
        body += write_signed(length - before)
    body += b"".join(group.payloads)
    tag = TAG_PATTERN | TAG_INTER | (TAG_TIMES if group.time_differences else 0) | len(lengths) - 1
    return _sealed(bytes([tag]) + write_varint(len(body)) + body)


def write_audio(stream_index: int, body: AudioBody) -> bytes:
    """An audio packet."""
    times, content = body.times, body.payload
    if times is not None:
        present = (times.pts is not None) * HAS_PTS | (times.dts is not None) * HAS_DTS
        present |= (times.duration is not None) * HAS_DURATION
        fields = write_varint(times.flags << FLAG_SHIFT | present)
        for time in (times.pts, times.dts):
            fields += write_signed(time) if time is not None else b""
        fields += write_varint(times.duration) if times.duration is not None else b""
        content = fields + content
    tag = TAG_PATTERN | TAG_AUDIO | (TAG_TIMES if times else 0) | stream_index
    return _sealed(bytes([tag]) + write_varint(len(content)) + content)


def parse_head(data: bytes, video_limit: int) -> PacketHead:
    """The head of the packet that ``data`` start with (its first ``LONGEST_HEAD`` bytes suffice).

    Raises:
        IncompleteHead: the data end within it.
        BadPacket: no packet starts here.
    """
    try:
        if data[:3] == MARKER_PREFIX:
            return _parse_marked_head(data, video_limit)
        tag = data[0]
        kind = tag & (TAG_PATTERN | TAG_KIND)
        if kind == TAG_PATTERN | TAG_INTER:
            # Per picture at most a time and a length beside the payload, and the sequence number.
            limit = MOST_PICTURES * (video_limit + 2 * LONGEST) + 1
            name: PacketKind = "inter"
            count = (tag & TAG_COUNT) + 1
        elif kind == TAG_PATTERN | TAG_AUDIO:
            limit, name, count = LARGEST_AUDIO_PAYLOAD + 4 * LONGEST, "audio", tag & TAG_COUNT
        else:
            raise BadPacket("no packet starts here")
        length, start = read_varint(data, 1)
    except IncompleteVarint as error:
        raise IncompleteHead("the file ends within a packet's head") from error
    except MalformedVarint as error:
        raise BadPacket(f"packet head is damaged: {error}") from error
    if length > min(limit, LARGEST_VIDEO_PAYLOAD):
        raise BadPacket(f"packet declares {length} bytes, more than the {limit} it may have")
    size = start + length + CHECKSUM_SIZE
    return PacketHead(name, size, start, length, count, bool(tag & TAG_TIMES))


def _parse_marked_head(data: bytes, video_limit: int) -> PacketHead:
    kind: PacketKind
    pts = frame_number = 0
    length, position = read_varint(data, len(KEY_MARKER))
    if data[: len(KEY_MARKER)] == KEY_MARKER:
        kind, limit = "intra", video_limit
        pts, position = read_signed(data, position)
        frame_number, position = read_varint(data, position)
    elif data[: len(END_MARKER)] == END_MARKER:
        kind, limit = "end", LARGEST_INDEX
    else:
        raise BadPacket("no packet starts here")
    if len(data) < position + 2:
        raise IncompleteHead("the file ends within a packet's head")
    if _sealed_head(data[:position]) != data[: position + 2]:
        raise BadPacket("head checksum is wrong")
    if length > limit or abs(pts) > LARGEST_TIME or frame_number > LARGEST_TIME:
        raise BadPacket(f"packet declares {length} bytes, time {pts}, picture {frame_number}: out of range")
    start = position + 2
    return PacketHead(kind, start + length + CHECKSUM_SIZE, start, length, pts=pts, frame_number=frame_number)


def check_packet(head: PacketHead, packet: bytes) -> None:
    """Hold a whole packet against its checksum.

    Raises:
        BadPacket: it is truncated or damaged.
    """
    if len(packet) < head.size:
        raise BadPacket(f"the file ends after {len(packet)} of the packet's {head.size} bytes", head)
    (checksum,) = struct.unpack_from("<I", packet, head.size - CHECKSUM_SIZE)
    if zlib.crc32(memoryview(packet)[: head.size - CHECKSUM_SIZE]) != checksum:
        raise BadPacket("packet checksum is wrong", head)


def body_of(head: PacketHead, packet: bytes) -> bytes:
    """The bytes between head and checksum."""
    return packet[head.body_start : head.body_start + head.body_length]


def parse_inter(head: PacketHead, packet: bytes, video_limit: int) -> PictureGroup:
    """The pictures of an inter packet.

    Raises:
        BadPacket: the table of lengths does not fit the packet.
    """
    body = body_of(head, packet)
    if not body:
        raise BadPacket("packet of pictures is empty", head)
    position = 1
    differences: list[int] = []
    lengths: list[int] = []
    try:
        if head.explicit_times:
            for _ in range(head.count):
                difference, position = read_signed(body, position)
                differences.append(difference)
        for number in range(head.count - 1):
            value, position = read_signed(body, position) if number else read_varint(body, position)
            lengths.append(value + (lengths[-1] if number else 0))
    except MalformedVarint as error:
        raise BadPacket(f"table of picture lengths is damaged: {error}", head) from error
    lengths.append(len(body) - position - sum(lengths))
    if any(not 0 <= length <= video_limit for length in lengths):
        raise BadPacket(f"pictures of {lengths} bytes do not fit the packet of {len(body)}", head)
    payloads = []
    for length in lengths:
        payloads.append(body[position : position + length])
        position += length
    return PictureGroup(body[0], tuple(payloads), tuple(differences))


def parse_audio(head: PacketHead, packet: bytes) -> AudioBody:
    """Times and payload of an audio packet.

    Raises:
        BadPacket: the times are malformed.
    """
    body = body_of(head, packet)
    if not head.explicit_times:
        return AudioBody(None, body)
    pts = dts = duration = None
    try:
        flags, position = read_varint(body, 0)
        if flags & HAS_PTS:
            pts, position = read_signed(body, position)
        if flags & HAS_DTS:
            dts, position = read_signed(body, position)
        if flags & HAS_DURATION:
            duration, position = read_varint(body, position)
    except MalformedVarint as error:
        raise BadPacket(f"audio times are damaged: {error}", head) from error
    times = AudioTimes(pts, dts, duration, flags >> FLAG_SHIFT)
    if not times.in_range():
        raise BadPacket("audio times are out of range", head)
    return AudioBody(times, body[position:])
