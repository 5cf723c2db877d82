"""Audio packets of a container, in the form in which every container can hold them."""

from __future__ import annotations

import logging
import struct
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import av

from scaleflow.codec.video.adts import audio_specific_config, strip_adts
from scaleflow.codec.video.audio import (
    MOST_AUDIO_STREAMS,
    MOST_DISCARDED,
    SKIP_SAMPLES,
    AudioPacketData,
    AudioStream,
    describe_audio,
)
from scaleflow.errors import DataError

log = logging.getLogger(__name__)

_MOST_LOOKED_AT = 2000
"""Packets at the start of a file that are held back until an audio stream says its form."""

_EVEN_FRAMES = frozenset({"aac", "mp3"})
"""Codecs whose frames all hold the same number of samples."""

_SHORTEST_TRIM = 32
"""Samples; smaller differences are those of rounded times."""


class AudioInput:
    """One audio stream of an input.

    Attributes:
        index: of the stream in its container.
        described: what an output must know of it.
    """

    def __init__(
        self, index: int, place: int, described: AudioStream, convert: Callable[[bytes], bytes] | None = None
    ) -> None:
        self.index = index
        self.described = described
        self._place = place
        self._convert = convert
        self._next: int | None = None
        self._offset = 0
        self._usual = 0

    def take(self, packet: Any) -> Iterator[AudioPacketData]:
        """The packet as it is copied; nothing for the empty ones at the end of a file and for what cannot be used."""
        if not packet.size:
            return
        data = bytes(packet)
        if self._convert is not None:
            try:
                data = self._convert(data)
            except DataError as error:
                log.warning("an audio packet of stream %d is left out: %s", self.index, error)
                return
        duration, discarded = packet.duration or None, _discarded_samples(packet)
        if duration and not discarded:
            duration, discarded = self._whole_frame(duration)
        copied = AudioPacketData(
            self._place, packet.pts, packet.dts, duration, bool(packet.is_keyframe), data, discarded
        )
        yield self._in_order(copied)

    def _whole_frame(self, duration: int) -> tuple[int, int]:
        """The duration of a frame as its codec has it, and the samples at its end that are not to be heard.

        In mp4 the last frame is said to be shorter than it is; other containers say what to leave out.
        """
        described = self.described
        usual, self._usual = self._usual, max(self._usual, duration)
        if described.codec in _EVEN_FRAMES and described.time_base == Fraction(1, described.sample_rate):
            if duration + _SHORTEST_TRIM <= usual:
                return usual, usual - duration
        return duration, 0

    def _in_order(self, packet: AudioPacketData) -> AudioPacketData:
        """The packet, moved to follow the one before where its times fall back, as times of pictures are."""
        time = packet.dts if packet.dts is not None else packet.pts
        if time is not None:
            largest_overlap = round(1 / (10 * self.described.time_base))
            if self._next is not None and time + self._offset < self._next - largest_overlap:
                self._offset = self._next - time
            self._next = time + self._offset + (packet.duration or 0)
        if not self._offset:
            return packet
        return replace(
            packet,
            pts=None if packet.pts is None else packet.pts + self._offset,
            dts=None if packet.dts is None else packet.dts + self._offset,
        )


def open_audio(
    name: str, streams: Sequence[av.AudioStream], packets: Iterator[Any], buffered: deque[Any]
) -> list[AudioInput]:
    """The audio streams of a container that can be copied, at most so many as a file holds.

    AAC in ADTS framing, as MPEG-TS has it, tells its form in each packet only: packets are taken from ``packets`` into
    ``buffered`` until they have told it.
    """
    found: list[AudioInput] = []
    for stream in streams:
        try:
            described = describe_audio(stream, name)
        except DataError as error:
            log.warning("%s: audio stream %d is left out: %s", name, stream.index, error)
            continue
        if described is None:
            log.warning("%s: audio stream %d is of an unknown kind and left out", name, stream.index)
            continue
        convert = None
        if described.codec == "aac" and not described.extradata:
            first = _first_packet(stream.index, packets, buffered)
            try:
                described = replace(described, extradata=audio_specific_config(first))
            except DataError as error:
                log.warning("%s: audio stream %d is left out: %s", name, stream.index, error)
                continue
            convert = strip_adts
        if len(found) == MOST_AUDIO_STREAMS:
            log.warning(
                "%s: has %d audio streams; the first %d are kept, the others left out",
                name,
                len(streams),
                MOST_AUDIO_STREAMS,
            )
            break
        found.append(AudioInput(stream.index, len(found), described, convert))
    return found


def _first_packet(index: int, packets: Iterator[Any], buffered: deque[Any]) -> bytes:
    for packet in buffered:
        if packet.stream.index == index and packet.size:
            return bytes(packet)
    while len(buffered) < _MOST_LOOKED_AT:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):
            break
        buffered.append(packet)
        if packet.stream.index == index and packet.size:
            return bytes(packet)
    raise DataError("no packet of it was found")


def _discarded_samples(packet: Any) -> int:
    """Samples at the end of a packet that are no part of the sound: what a codec fills its last frame with."""
    if not hasattr(packet, "has_sidedata") or not packet.has_sidedata(SKIP_SAMPLES):
        return 0
    data = bytes(packet.get_sidedata(SKIP_SAMPLES))
    discarded = int(struct.unpack_from("<II", data)[1]) if len(data) >= 8 else 0
    return discarded if discarded <= MOST_DISCARDED else 0
