"""The ``.sfv`` file: header, packets, checksums, index; ``docs/bitstream.md`` specifies it."""

from scaleflow.codec.container.header import SfvHeader
from scaleflow.codec.container.index import KeyFrame, KeyFrameIndex
from scaleflow.codec.container.packet import AudioPacket, DamagedRegion, VideoPacket
from scaleflow.codec.container.packet_stream import Item
from scaleflow.codec.container.reader import SfvReader
from scaleflow.codec.container.statistics import SfvStatistics, measure
from scaleflow.codec.container.writer import SfvWriter
from scaleflow.codec.video.audio import AudioStream

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
