"""Audio that is carried along untouched: what describes a stream, and its packets."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from fractions import Fraction

import av

from scaleflow.errors import DataError

log = logging.getLogger(__name__)

MOST_AUDIO_STREAMS = 16
"""Of a file."""

SKIP_SAMPLES = "skip_samples"
"""Side data of packets, by PyAV's name: samples to leave out at their start and end."""

MOST_DISCARDED = 1 << 20
"""Samples at the end of one packet; beyond them the number is wrong."""

LARGEST_EXTRADATA = 1 << 19
LONGEST_TEXT = 255
LARGEST_TIME_BASE = 2**31 - 1

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
    discarded: int = 0
    """Samples at its end that are not to be heard: what the codec filled its last frame with."""


def describe_audio(stream: av.AudioStream, name: str) -> AudioStream | None:
    """Describe a stream of the open container ``name``; None when FFmpeg cannot tell its codec or its form.

    Raises:
        DataError: the description is out of the range that files can hold.
    """
    context = stream.codec_context
    if context is None or not stream.time_base or not context.sample_rate or not context.layout.nb_channels:
        return None
    extradata = context.extradata or b""
    if len(extradata) > LARGEST_EXTRADATA:
        raise DataError(f"its codec's header of {len(extradata)} bytes exceeds {LARGEST_EXTRADATA}")
    base = Fraction(stream.time_base)
    if max(base.numerator, base.denominator) > LARGEST_TIME_BASE:
        raise DataError(f"its time base {base} is out of range")
    language = stream.metadata.get("language", "")
    if not is_text(language):
        log.warning("%s: the language %r of audio stream %d is left out", name, language[:40], stream.index)
        language = ""
    layout = _layout_name(context.layout)
    return AudioStream(
        codec=_codec_name(context),
        extradata=extradata,
        time_base=base,
        sample_rate=context.sample_rate,
        channel_layout=layout if is_text(layout) else "",
        channels=context.layout.nb_channels,
        sample_format=context.format.name if context.format else "",
        language=language,
    )


def is_text(text: str) -> bool:
    """Whether a name can be kept in a file."""
    return len(text) <= LONGEST_TEXT and text.isprintable()


def _layout_name(layout: av.AudioLayout) -> str:
    # Where a source tells only how many channels there are, the usual layout of so many is meant.
    if layout.name == f"{layout.nb_channels} channels":
        return _USUAL_LAYOUTS.get(layout.nb_channels, layout.name)
    return layout.name


def _codec_name(context: av.AudioCodecContext) -> str:
    # The canonical name is that of the codec, where the plain one is that of the decoder; PyAV 14 has only the latter.
    canonical = getattr(context.codec, "canonical_name", None)
    return canonical or _CODEC_OF_DECODER.get(context.name, context.name)
