"""From bytes to packets: checks, times, and the way back into the stream after damage."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from scaleflow.codec.container.header import SfvHeader
from scaleflow.codec.container.index import TRAILER_SIZE, EndBody, KeyFrameIndex, parse_index, parse_trailer
from scaleflow.codec.container.packet import AudioPacket, DamagedRegion, VideoPacket
from scaleflow.codec.container.packet_format import (
    LARGEST_TIME,
    LONGEST_HEAD,
    MARKER_PREFIX,
    SEQUENCE_LENGTH,
    SHORTEST_PACKET,
    AudioBody,
    AudioTimes,
    BadPacket,
    IncompleteHead,
    PacketHead,
    PictureGroup,
    body_of,
    check_packet,
    parse_audio,
    parse_head,
    parse_inter,
    video_payload_limit,
)
from scaleflow.codec.container.source import ByteSource
from scaleflow.codec.container.timing import FrameClock, following_audio
from scaleflow.errors import DataError

Item = VideoPacket | AudioPacket | DamagedRegion

Content = bytes | PictureGroup | AudioBody | EndBody
"""What packets hold: a key frame's payload, inter pictures, audio, the index."""

_FREE_WASTE = 64 << 20


class PacketReader:
    """Reads and checks single packets ahead of a source's position."""

    def __init__(self, source: ByteSource, header: SfvHeader) -> None:
        self._source = source
        self._audio_streams = len(header.audio)
        self._limit = video_payload_limit(header.video)
        self._wasted = 0

    def head(self, skip: int = 0) -> PacketHead:
        """The head of the packet that starts ``skip`` bytes ahead.

        Raises:
            BadPacket: there is none.
        """
        size = SHORTEST_PACKET
        while True:
            start = self._source.peek_ready(size, LONGEST_HEAD, skip)
            if not start:
                raise BadPacket("the file ends")
            try:
                return parse_head(start, self._limit)
            except IncompleteHead:
                if len(start) < size:
                    raise
                size = len(start) + 1

    def read(self, skip: int = 0) -> tuple[PacketHead, Content]:
        """The whole packet that starts ``skip`` bytes ahead.

        Raises:
            BadPacket: there is none, or it is damaged.
        """
        head = self.head(skip)
        packet = self._source.peek(head.size, skip)
        try:
            check_packet(head, packet)
        except BadPacket:
            self._wasted += len(packet)
            raise
        if head.kind == "intra":
            return head, body_of(head, packet)
        if head.kind == "inter":
            return head, parse_inter(head, packet, self._limit)
        if head.kind == "audio":
            if head.count >= self._audio_streams:
                raise BadPacket(f"audio stream {head.count} is not among the {self._audio_streams} of the header")
            return head, parse_audio(head, packet)
        try:
            return head, parse_index(body_of(head, packet))
        except DataError as error:
            raise BadPacket(str(error), head) from error

    def skip_damage(self, head: PacketHead | None) -> None:
        """Advance beyond damage at the position: by the length in ``head`` if a sound packet follows there, else to the
        next sound packet with a marker, else to the end."""
        if head is not None and self._length_is_right(head):
            self._source.advance(head.size)
            return
        self._source.advance(1)
        while self._source.find(MARKER_PREFIX):
            try:
                self.read()
                return
            except BadPacket as other:
                self._source.advance(other.head.size if other.head is not None and self._is_costly() else 1)

    def _length_is_right(self, head: PacketHead) -> bool:
        if self._is_costly():
            return True
        # A length that is wrong may lead past key frames and yet, by chance, to a packet.
        if MARKER_PREFIX in self._source.peek(head.size)[1:]:
            return False
        try:
            self.read(head.size)
        except BadPacket:
            return False
        return True

    def _is_costly(self) -> bool:
        """Whether so many bogus packets were checked that lengths are believed unseen: no file may take forever."""
        return self._wasted > _FREE_WASTE + 16 * self._source.position


class PacketStream(Iterator[Item]):
    """Packets and damaged regions from a source's position to its end.

    ``at_start`` says that the position is that of the file's first packet, where picture 0 is expected.
    """

    def __init__(self, source: ByteSource, header: SfvHeader, *, at_start: bool) -> None:
        self.index: KeyFrameIndex | None = None
        """The index, once the end packet has been read."""
        self.last_duration: int | None = None
        """How long the last picture is shown, in units of the time base, where the end packet says so."""
        self._source = source
        self._packets = PacketReader(source, header)
        self._clock = FrameClock(header.video)
        self._ready: deque[Item] = deque()
        self._ended = False
        self._has_key = False
        self._broken = False  # whether it was reported that pictures since the last key frame are missing
        self._frame_number: int | None = 0 if at_start else None
        self._next_pts = 0
        self._audio_times: dict[int, AudioTimes] = {}
        self._timed: set[int] = set()

    def __next__(self) -> Item:
        while not self._ready:
            if self._ended:
                raise StopIteration
            self._step()
        return self._ready.popleft()

    def _step(self) -> None:
        """Read one packet, or pass over one damaged region."""
        offset = self._source.position
        if not self._source.peek(1):
            self._ended = True
            self._report(offset, 0, "the file ends without its index: it was truncated")
            return
        try:
            head, content = self._packets.read()
        except BadPacket as bad:
            self._recover(bad)
            return
        self._source.advance(head.size)
        if isinstance(content, bytes):
            self._deliver_key(head, content, offset)
        elif isinstance(content, PictureGroup):
            self._deliver_inter(content, offset)
        elif isinstance(content, AudioBody):
            self._deliver_audio(head.count, content, offset)
        else:
            self._deliver_end(head, content, offset)

    def _deliver_key(self, head: PacketHead, payload: bytes, offset: int) -> None:
        self._check_number(head.frame_number, offset)
        self._broken, self._has_key = False, True
        self._ready.append(VideoPacket("intra", head.pts, payload, offset, head.frame_number))
        self._expect_after(head.pts, head.frame_number)

    def _deliver_inter(self, group: PictureGroup, offset: int) -> None:
        number = self._frame_number or 0
        missing = (group.sequence - number) % SEQUENCE_LENGTH
        if self._has_key and missing >= SEQUENCE_LENGTH // 2:  # from before what has come: it is not counted again
            self._report_late(offset)
            return
        self._check_number(number + missing if self._has_key else None, offset)
        self._next_pts = self._clock.after(self._next_pts, number - 1, missing)
        number += missing
        for position, payload in enumerate(group.payloads):
            pts = self._next_pts + (group.time_differences[position] if group.time_differences else 0)
            if abs(pts) > LARGEST_TIME:
                self._report(offset, 0, f"time {pts} of a picture is out of range")
                self._broken = True
                return
            self._ready.append(VideoPacket("inter", pts, payload, offset, number, not self._broken))
            self._expect_after(pts, number)
            number += 1

    def _deliver_audio(self, stream: int, body: AudioBody, offset: int) -> None:
        if body.times is not None:
            self._timed.add(stream)
            times = body.times
        else:
            times = following_audio(self._audio_times.get(stream, AudioTimes(None, None, None, 0)))
        self._audio_times[stream] = times
        timed = stream in self._timed
        self._ready.append(
            AudioPacket(stream, times.pts, times.dts, times.duration, times.flags, body.payload, offset, timed)
        )

    def _deliver_end(self, head: PacketHead, end: EndBody, offset: int) -> None:
        self._ended = True
        self.index = end.index
        self.last_duration = end.last_duration
        self._check_number(end.frame_count, offset)
        after = self._source.position
        if parse_trailer(self._source.peek(TRAILER_SIZE)) != head.size:
            self._report(after, 0, "the last bytes of the file are damaged", head)
            return
        self._source.advance(TRAILER_SIZE)
        if self._source.peek(1):
            self._report(self._source.position, 0, "more bytes follow after the end of the stream", head)

    def _check_number(self, found: int | None, offset: int) -> None:
        """Report pictures that are missing without a trace: number ``found`` comes, or None where no key frame came."""
        if self._broken or self._frame_number is None or found == self._frame_number:
            return
        self._broken = True
        what = f"picture {self._frame_number} is missing" if found is None or found > self._frame_number else "disorder"
        reason = f"{what}: the next is {found if found is not None else 'not a key frame'}"
        self._ready.append(DamagedRegion(offset, 0, reason, "inter", self._next_pts))

    def _report_late(self, offset: int) -> None:
        """Report pictures that come after later ones. Where none is missing they came before, and what follows can be
        decoded."""
        if not self._broken:
            self._ready.append(DamagedRegion(offset, 0, "disorder: pictures come again", "inter", self._next_pts))

    def _recover(self, bad: BadPacket) -> None:
        offset = self._source.position
        self._packets.skip_damage(bad.head)
        length = self._source.position - offset
        # A head is evidence only if its length led to a sound packet; otherwise anything may have been lost.
        head = bad.head if bad.head is not None and bad.head.size == length else None
        self._report(offset, length, str(bad), head)
        self._timed.clear()
        # Where audio is damaged, pictures go on: should the damage have hidden one, their sequence will tell.
        self._broken = self._broken or head is None or head.kind != "audio"

    def _report(self, offset: int, length: int, reason: str, head: PacketHead | None = None) -> None:
        kind = head.kind if head is not None else None
        pts = head.pts if head is not None and kind == "intra" else self._next_pts
        known = kind == "intra" or (self._frame_number is not None and kind not in ("audio", "end"))
        self._ready.append(DamagedRegion(offset, length, reason, kind, pts if known else None))

    def _expect_after(self, pts: int, frame_number: int) -> None:
        self._frame_number = frame_number + 1
        self._next_pts = self._clock.after(pts, frame_number)
