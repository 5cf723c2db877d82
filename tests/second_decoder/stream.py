"""All pictures and audio of a file: docs/bitstream.md, "File layout", "Packets" and "Damage and resynchronisation"."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from tests.second_decoder.fields import LARGEST, Damage
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
        faults: what is wrong with the file, a few words each.
        end: the end packet, None where the file is truncated.
        key_frames: number, time and place of each that was found, as in the index.
    """

    header: Header
    pictures: list[Picture] = field(default_factory=list)
    audio: list[Sound] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    end: EndOfFile | None = None
    key_frames: list[tuple[int, int, int]] = field(default_factory=list)


def read_stream(data: bytes) -> Stream:
    """Everything that can be read of a file.

    Raises:
        Damage: the header cannot be read.
    """
    header = read_header(data)
    reading = _Reading(Stream(header))
    position = last = header.size
    while reading.stream.end is None and position < len(data):
        try:
            content, end = read_packet(data, position, header)
        except Damage:
            position = reading.skip(data, position)
            continue
        reading.add(content, position)
        last, position = position, end
    if reading.stream.end is None:
        reading.stream.faults.append("the file ends without an end packet")
    elif data[position:] != (position - last).to_bytes(4, "little") + TRAILER:
        reading.stream.faults.append("the trailer is not what follows the end packet")
    return reading.stream


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
            self._check_number(content.number, position)
            self.stream.pictures.append(Picture(content.number, content.time, True, content.payload))
            self.stream.key_frames.append((content.number, content.time, position))
            self._expected, self._time, self._lost = content.number + 1, content.time, False
        elif isinstance(content, InterPictures):
            self._inter_pictures(content, position)
        elif isinstance(content, AudioData):
            self._audio(content)
        else:
            self._check_number(content.pictures, position)
            self.stream.end = content

    def _check_number(self, number: int, position: int) -> None:
        if number != self._expected:
            self._lose(f"at {position} stands picture {number}, not {self._expected}")

    def _lose(self, why: str) -> None:
        self.stream.faults.append(why)
        self._lost = True

    def _inter_pictures(self, content: InterPictures, position: int) -> None:
        ahead = (content.sequence - self._expected) % 256
        if self._lost:
            self.stream.faults.append(f"pictures at {position} follow on no picture")
        elif ahead >= 128:
            self.stream.faults.append(f"pictures at {position} come again")
        elif ahead:
            self._lose(f"{ahead} pictures are missing before {position}")
        else:
            self._follow(content)

    def _follow(self, content: InterPictures) -> None:
        video = self.stream.header.video
        for late, payload in zip(content.late, content.payloads, strict=True):
            number = self._expected
            time = self._time + video.regular_time(number) - video.regular_time(number - 1) + late
            if abs(time) > LARGEST:
                self._lose(f"picture {number} has the time {time}")
                return
            self.stream.pictures.append(Picture(number, time, False, payload))
            self._expected, self._time = number + 1, time

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
        self.stream.faults.append(f"at {position} stands no sound packet")
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


def hash_audio(audio: list[Sound]) -> str | None:
    """What "Conformance streams" expects of packets of audio; None without any."""
    if not audio:
        return None
    digest = hashlib.sha256()
    for sound in audio:
        times = sound.times or AudioTimes(0, None, None, None)
        numbers = (sound.stream, times.presentation, times.decoding, times.duration, times.flags, len(sound.payload))
        digest.update(" ".join("-" if number is None else str(number) for number in numbers).encode() + b"\n")
        digest.update(sound.payload)
    return digest.hexdigest()
