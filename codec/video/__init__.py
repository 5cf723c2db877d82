"""Video in and out: files, streams, picture sequences, with their colour, times, rotation and audio."""

from scaleflow.codec.video.audio import AudioPacketData, AudioStream
from scaleflow.codec.video.raw_format import RawVideoFormat
from scaleflow.codec.video.reader import VideoReader, open_video
from scaleflow.codec.video.video_writer import VideoWriter
from scaleflow.codec.video.writer import OUTPUT_FORMATS, open_output

__all__ = [
    "OUTPUT_FORMATS",
    "AudioPacketData",
    "AudioStream",
    "RawVideoFormat",
    "VideoReader",
    "VideoWriter",
    "open_output",
    "open_video",
]
