"""The ``.sfv`` file: header, packets, checksums, index; ``docs/bitstream.md`` specifies it."""

from codec.container.header import SfvHeader
from codec.container.index import KeyFrame, KeyFrameIndex
from codec.container.packet import AudioPacket, DamagedRegion, VideoPacket
from codec.container.packet_stream import Item
from codec.container.reader import SfvReader
from codec.container.statistics import SfvStatistics, measure
from codec.container.writer import SfvWriter
from codec.video.audio import AudioStream

__all__ = [
    "AudioPacket",
    "AudioStream",
    "DamagedRegion",
    "Item",
    "KeyFrame",
    "KeyFrameIndex",
    "SfvHeader",
    "SfvReader",
    "SfvStatistics",
    "SfvWriter",
    "VideoPacket",
    "measure",
]
