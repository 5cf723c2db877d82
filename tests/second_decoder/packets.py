"""One packet of a file: docs/bitstream.md, "Packets" and "Limits"."""

from __future__ import annotations

from dataclasses import dataclass

from tests.second_decoder.fields import Damage, Fields, checked
from tests.second_decoder.header import Header

MARK = bytes.fromhex("1A 53 46")
KEY_FRAME, END = MARK + b"K", MARK + b"E"


@dataclass(frozen=True)
class KeyFrame:
    """A picture that is coded alone."""

    time: int
    number: int
    payload: bytes


@dataclass(frozen=True)
class InterPictures:
    """Pictures that are predicted; ``late`` is by how much each is later than expected."""

    sequence: int
    late: tuple[int, ...]
    payloads: tuple[bytes, ...]


@dataclass(frozen=True)
class AudioTimes:
    """What a packet of audio says with the flag t; ``flags`` are shifted down by 3."""

    flags: int
    presentation: int | None
    decoding: int | None
    duration: int | None


@dataclass(frozen=True)
class AudioData:
    """A packet of audio; ``times`` is None where they follow from the packet before."""

    stream: int
    times: AudioTimes | None
    payload: bytes


@dataclass(frozen=True)
class EndOfFile:
    """Numbers of pictures; number, time and place of each key frame."""

    pictures: int
    index: tuple[tuple[int, int, int], ...]
    last_duration: int | None


Content = KeyFrame | InterPictures | AudioData | EndOfFile


@dataclass(frozen=True)
class Head:
    """What stands before the body of a packet.

    Attributes:
        kind: of the content.
        start: of the packet in the file.
        body: where the body starts.
        checksum: where the body ends.
        timed: the bit t of a tag.
        number: the bits c of a tag, or the number of a key frame.
        time: of a key frame.
    """

    kind: type[Content]
    start: int
    body: int
    checksum: int
    timed: bool = False
    number: int = 0
    time: int = 0

    @property
    def end(self) -> int:
        """Where the next packet starts."""
        return self.checksum + 4


def longest_payload(header: Header) -> int:
    """Most bytes of a picture."""
    return min(1 << 28, 65536 + 8 * header.video.width * header.video.height)


def _longest_body(kind: type[Content], header: Header) -> int:
    if kind is KeyFrame:
        return longest_payload(header)
    if kind is InterPictures:
        return min(1 << 28, 16 * (longest_payload(header) + 20) + 1)
    return (1 << 24) + 40 if kind is AudioData else 1 << 28


def read_head(data: bytes, start: int, header: Header) -> Head:
    """The head of the packet at ``start``."""
    fields = Fields(data, start)
    time = number = 0
    timed = False
    kind: type[Content]
    if data[start : start + 1] == MARK[:1]:
        marker = fields.take(4)
        if marker not in (KEY_FRAME, END):
            raise Damage(f"packet at {start}: unknown marker")
        kind = KeyFrame if marker == KEY_FRAME else EndOfFile
        length = fields.varint()
        if kind is KeyFrame:
            time, number = checked(fields.svarint()), checked(fields.varint())
        fields.checksum_of(start, 16)
    else:
        tag = fields.unsigned(1)
        if tag >> 5 not in (0b101, 0b110):
            raise Damage(f"packet at {start}: unknown tag {tag:02X}")
        kind = InterPictures if tag >> 5 == 0b101 else AudioData
        timed, number = bool(tag & 16), tag & 15
        length = fields.varint()
        if kind is AudioData and number >= len(header.audio):
            raise Damage(f"packet at {start}: the header has no audio stream {number}")
    if length > _longest_body(kind, header):
        raise Damage(f"packet at {start}: a length of {length} is beyond the limit")
    head = Head(kind, start, fields.position, fields.position + length, timed, number, time)
    if head.end > len(data):
        raise Damage(f"packet at {start}: longer than the file")
    return head


def read_packet(data: bytes, start: int, header: Header) -> tuple[Content, int]:
    """The sound packet at ``start``, and where the next one starts."""
    head = read_head(data, start, header)
    Fields(data, head.checksum).checksum_of(start, 32)
    fields = Fields(data, head.body, head.checksum)
    if head.kind is KeyFrame:
        content: Content = KeyFrame(head.time, head.number, fields.take(fields.left))
    elif head.kind is InterPictures:
        content = _inter_pictures(fields, head, longest_payload(header))
    elif head.kind is AudioData:
        content = _audio(fields, head)
    else:
        content = _end(fields)
    return content, head.end


def _inter_pictures(fields: Fields, head: Head, longest: int) -> InterPictures:
    count = head.number + 1
    sequence = fields.unsigned(1)
    late = tuple(fields.svarint() if head.timed else 0 for _ in range(count))
    lengths: list[int] = []
    for place in range(count - 1):
        lengths.append(fields.varint() if place == 0 else lengths[-1] + fields.svarint())
    lengths.append(fields.left - sum(lengths))
    if not all(0 <= length <= longest for length in lengths):
        raise Damage(f"packet at {head.start}: payloads of {lengths} bytes")
    return InterPictures(sequence, late, tuple(fields.take(length) for length in lengths))


def _audio(fields: Fields, head: Head) -> AudioData:
    times = None
    if head.timed:
        flags = fields.varint()
        if flags >> 3 >= 1 << 32:
            raise Damage(f"packet at {head.start}: flags {flags} are beyond the limit")
        presentation = checked(fields.svarint()) if flags & 1 else None
        decoding = checked(fields.svarint()) if flags & 2 else None
        duration = checked(fields.varint()) if flags & 4 else None
        times = AudioTimes(flags >> 3, presentation, decoding, duration)
    return AudioData(head.number, times, fields.take(fields.left))


def _end(fields: Fields) -> EndOfFile:
    pictures, count = fields.varint(), fields.varint()
    if count > fields.left:
        raise Damage(f"an index of {count} key frames in {fields.left} bytes")
    index = []
    number = time = place = 0
    for _ in range(count):
        number, time, place = number + fields.varint(), time + fields.svarint(), place + fields.varint()
        index.append((checked(number), checked(time), checked(place)))
    last_duration = checked(fields.varint()) if fields.left else None
    if fields.left or last_duration == 0:
        raise Damage(f"{fields.left} bytes after the index, which ends with {last_duration}")
    return EndOfFile(pictures, tuple(index), last_duration)
