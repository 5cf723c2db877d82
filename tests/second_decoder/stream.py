"""All pictures and audio of a file: docs/bitstream.md, "File layout", "Packets" and "Damage and resynchronisation"."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tests.second_decoder.fields import Damage
from tests.second_decoder.header import Header, read_header
from tests.second_decoder.packets import (
    MARK,
    AudioData,
    AudioTimes,
    Content,
    EndOfFile,
    InterPictures,
    KeyFrame,
    read_head,
    read_packet,
)

TRAILER = b"EVFS"


@dataclass(frozen=True)
class Picture:
    """A picture that can be decoded, once those before it in its group are."""

    number: int
    time: int
    key: bool
    payload: bytes


@dataclass(frozen=True)
class Sound:
    """A packet of audio; ``times`` is None where damage hides them."""

    stream: int
    times: AudioTimes | None
    payload: bytes


@dataclass
class Stream:
    """What was read of a file.

    Attributes:
        header: of the file.
        pictures: those that can be decoded, in order.
        audio: all packets that were found.
        damaged: where sound packets end that are followed by something else.
        missing: whether pictures are missing.
        end: the end packet, None where the file is truncated.
        key_frames: number, time and place of each that was found, as in the index.
    """

    header: Header
    pictures: list[Picture] = field(default_factory=list)
    audio: list[Sound] = field(default_factory=list)
    damaged: list[int] = field(default_factory=list)
    missing: bool = False
    end: EndOfFile | None = None
    key_frames: list[tuple[int, int, int]] = field(default_factory=list)


def read_stream(data: bytes) -> Stream:
    """Everything that can be read of a file.

    Raises:
        Damage: the header cannot be read.
    """
    header = read_header(data)
    reading = _Reading(Stream(header))
    position = header.size
    while reading.stream.end is None and position < len(data):
        try:
            content, end = read_packet(data, position, header)
        except Damage:
            position = reading.skip(data, position)
            continue
        reading.add(content, position)
        position = end
    if reading.stream.end is not None and not _is_trailer(data, position, len(data)):
        reading.stream.damaged.append(position)
    return reading.stream


def _is_trailer(data: bytes, position: int, size: int) -> bool:
    """Whether the file ends behind its end packet as it must."""
    start = position - int.from_bytes(data[position : position + 4], "little")
    return size == position + 8 and data[position + 4 :] == TRAILER and data[start : start + 4] == MARK + b"E"


class _Reading:
    """Numbers and times that follow from what was read before."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._expected, self._time = 0, 0  # number of the next picture, time of the one before
        self._lost = True  # until the next key frame
        self._sound: dict[int, AudioTimes] = {}

    def add(self, content: Content, position: int) -> None:
        """A sound packet."""
        if isinstance(content, KeyFrame):
            self._key_frame(content, position)
        elif isinstance(content, InterPictures):
            self._inter_pictures(content)
        elif isinstance(content, AudioData):
            self._audio(content)
        else:
            self.stream.missing |= content.pictures != self._expected
            self.stream.end = content

    def _key_frame(self, content: KeyFrame, position: int) -> None:
        self.stream.missing |= content.number != self._expected
        self.stream.pictures.append(Picture(content.number, content.time, True, content.payload))
        self.stream.key_frames.append((content.number, content.time, position))
        self._expected, self._time, self._lost = content.number + 1, content.time, False

    def _inter_pictures(self, content: InterPictures) -> None:
        ahead = (content.sequence - self._expected) % 256
        if ahead >= 128:
            return
        if ahead or self._lost:
            self._lost = self.stream.missing = True
            return
        video = self.stream.header.video
        for late, payload in zip(content.late, content.payloads, strict=True):
            number = self._expected
            self._time += video.numbers_of_time(number) - video.numbers_of_time(number - 1) + late
            self.stream.pictures.append(Picture(number, self._time, False, payload))
            self._expected += 1

    def _audio(self, content: AudioData) -> None:
        times = content.times
        if times is None and content.stream in self._sound:
            before = self._sound[content.stream]
            step = before.duration or 0
            times = replace(
                before,
                presentation=None if before.presentation is None else before.presentation + step,
                decoding=None if before.decoding is None else before.decoding + step,
            )
        if times is not None:
            self._sound[content.stream] = times
        self.stream.audio.append(Sound(content.stream, times, content.payload))

    def skip(self, data: bytes, position: int) -> int:
        """Where reading goes on after the damage at ``position``."""
        self.stream.damaged.append(position)
        self._sound.clear()
        header = self.stream.header
        try:
            head = read_head(data, position, header)
        except Damage:
            head = None
        if head and MARK not in data[position + 1 : head.end] and _is_sound(data, head.end, header):
            self._lost |= head.kind is not AudioData
            return head.end
        self._lost = True
        while (position := data.find(MARK, position + 1)) >= 0:
            if _is_sound(data, position, header):
                return position
        return len(data)


def _is_sound(data: bytes, position: int, header: Header) -> bool:
    try:
        read_packet(data, position, header)
    except Damage:
        return False
    return True
