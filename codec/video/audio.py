"""Audio that is carried along untouched: what describes a stream, and its packets."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av

from scaleflow.errors import DataError

_CODEC_OF_DECODER = {
    "mp3float": "mp3",
    "mp2float": "mp2",
    "mp1float": "mp1",
    "dca": "dts",
    "libopus": "opus",
    "libvorbis": "vorbis",
}
_USUAL_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


@dataclass(frozen=True)
class AudioStream:
    """What a container must know of an audio stream to hold its packets.

    ``codec``, ``channel_layout`` and ``sample_format`` are FFmpeg's names ("aac", "5.1", "fltp"), ``extradata`` is the
    codec's own header as FFmpeg keeps it, ``sample_rate`` is in hertz, ``language`` a three-letter code or empty.
    """

    codec: str
    extradata: bytes
    time_base: Fraction
    sample_rate: int
    channel_layout: str
    channels: int
    sample_format: str
    language: str = ""

    def __post_init__(self) -> None:
        if self.time_base <= 0:
            raise DataError(f"audio time base {self.time_base} must be positive")
        if not 0 < self.sample_rate <= 10_000_000:
            raise DataError(f"audio sample rate {self.sample_rate} is outside 1..10000000 Hz")
        if not 0 < self.channels <= 255:
            raise DataError(f"number of audio channels {self.channels} is outside 1..255")


@dataclass(frozen=True)
class AudioPacketData:
    """One packet of an audio stream. Times are in the stream's time base, or absent in the source."""

    stream_index: int
    """Which of the input's audio streams, counted from 0."""
    pts: int | None
    dts: int | None
    duration: int | None
    is_keyframe: bool
    data: bytes


def describe_audio(stream: av.AudioStream) -> AudioStream | None:
    """Describe a stream of an open container; None when FFmpeg cannot tell its codec or its form."""
    context = stream.codec_context
    if context is None or not stream.time_base or not context.sample_rate or not context.layout.nb_channels:
        return None
    return AudioStream(
        codec=_codec_name(context),
        extradata=context.extradata or b"",
        time_base=stream.time_base,
        sample_rate=context.sample_rate,
        channel_layout=_layout_name(context.layout),
        channels=context.layout.nb_channels,
        sample_format=context.format.name if context.format else "",
        language=stream.metadata.get("language", ""),
    )


def _layout_name(layout: av.AudioLayout) -> str:
    # Where a source tells only how many channels there are, the usual layout of so many is meant.
    if layout.name == f"{layout.nb_channels} channels":
        return _USUAL_LAYOUTS.get(layout.nb_channels, layout.name)
    return layout.name


def _codec_name(context: av.AudioCodecContext) -> str:
    # The canonical name is that of the codec, where the plain one is that of the decoder; PyAV 14 has only the latter.
    canonical = getattr(context.codec, "canonical_name", None)
    return canonical or _CODEC_OF_DECODER.get(context.name, context.name)


def packet_data(packet: Any, stream_index: int) -> AudioPacketData:
    """Copy a demuxed packet."""
    return AudioPacketData(
        stream_index, packet.pts, packet.dts, packet.duration or None, bool(packet.is_keyframe), bytes(packet)
    )
