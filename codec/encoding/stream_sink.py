"""Where coded pictures go: into a file, or only into sums."""

from __future__ import annotations

import copy

from scaleflow.codec.container import SfvWriter
from scaleflow.codec.encoding.picture_coder import CodedPicture
from scaleflow.codec.encoding.summary import PassStatistics
from scaleflow.codec.picture import VideoProperties
from scaleflow.codec.video.audio import AudioPacketData

PACKET_BITS_PER_PICTURE = 12
"""What the container adds to a picture that still waits to be written, about."""

INDEX_BITS_PER_KEY = 48
END_BITS = 300


class CountingSink:
    """Counts what is coded."""

    def __init__(self, properties: VideoProperties) -> None:
        self.statistics = PassStatistics(properties)

    @property
    def file_bits(self) -> float:
        """Bits so far."""
        return 8.0 * sum(self.statistics.payload_bytes.values())

    def write(self, coded: CodedPicture) -> None:
        """Take the next picture."""
        self.statistics.observe(coded)

    def write_audio(self, packet: AudioPacketData) -> None:
        """Take an audio packet."""
        self.statistics.payload_bytes["audio"] += len(packet.data)


class FileSink(CountingSink):
    """Writes what is coded with an :class:`SfvWriter`, which stays the caller's to close."""

    def __init__(self, properties: VideoProperties, writer: SfvWriter) -> None:
        super().__init__(properties)
        self._writer = writer
        self._before_group = copy.deepcopy(self.statistics)
        self._group_length = 0
        self._waiting = 0
        self._overhead_bits = 8.0 * writer.size

    @property
    def file_bits(self) -> float:
        """Bits of the file if it ended here, about: pictures wait to share a packet, and the index comes last."""
        index = END_BITS + INDEX_BITS_PER_KEY * self.statistics.counts["intra"]
        return super().file_bits + self._overhead_bits + PACKET_BITS_PER_PICTURE * self._waiting + index

    @property
    def group_length(self) -> int:
        """Pictures since the last key frame, itself included."""
        return self._group_length

    def write(self, coded: CodedPicture) -> None:
        """Write the next picture."""
        if coded.key:
            self._before_group = copy.deepcopy(self.statistics)
            self._group_length = 0
        size = self._writer.size
        self._writer.write_video(coded.payload, "intra" if coded.key else "inter", coded.pts)
        super().write(coded)
        self._group_length += 1
        self._note_overhead(size)

    def write_audio(self, packet: AudioPacketData) -> None:
        """Write an audio packet."""
        size, payload = self._writer.size, len(packet.data)
        self._writer.write_audio(
            packet.stream_index,
            packet.pts,
            packet.dts,
            packet.duration,
            int(packet.is_keyframe) | packet.discarded << 1,
            packet.data,
        )
        super().write_audio(packet)
        self._overhead_bits += 8 * (self._writer.size - size - payload)

    def end_with(self, duration: int | None) -> None:
        """Note how long the last picture lasts, in units of the time base, where the source says so."""
        self._writer.last_duration = duration
        self.statistics.last_duration = duration

    def drop_last_group(self) -> None:
        """Take back the last group of pictures, where the file has others and can be shortened."""
        if self._writer.truncate_to_last_key_group():
            self.statistics = self._before_group

    def _note_overhead(self, size_before: int) -> None:
        if self._writer.size == size_before:
            self._waiting += 1
            return
        self._waiting = 0
        self._overhead_bits = 8.0 * (self._writer.size - sum(self.statistics.payload_bytes.values()))
