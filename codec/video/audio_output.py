"""Copied audio in containers that are written: what each can hold, and times that its muxer takes."""

from __future__ import annotations

import io
import struct
from fractions import Fraction
from functools import cache
from typing import Any

import av
import av.error

from scaleflow.codec.video.audio import SKIP_SAMPLES, AudioPacketData, AudioStream
from scaleflow.codec.video.stream_template import audio_template
from scaleflow.errors import DataError

_UNPLAYABLE = {
    ("matroska", "tta"): "FFmpeg's muxer loses the header that its decoders need",
}
"""What FFmpeg's muxers accept, and no decoder opens afterwards."""


def add_audio_stream(container: av.container.OutputContainer, audio: AudioStream) -> Any:
    """A stream of an output that takes packets of ``audio``.

    Raises:
        DataError, ValueError, av.FFmpegError: the output cannot hold it.
    """
    with audio_template(audio) as template:
        stream: Any = container.add_stream_from_template(template, opaque=True)
    stream.time_base = audio.time_base
    try:
        stream.codec_context.layout = audio.channel_layout  # Matroska tells the number of channels only.
    except ValueError:
        pass  # FFmpeg knows no layout of that name: the usual one of so many channels stays.
    if audio.language:
        stream.metadata["language"] = audio.language
    return stream


@cache
def why_not_copied(audio: AudioStream, container: str) -> str | None:
    """Why FFmpeg's muxer ``container`` cannot hold packets of ``audio``, None where it can.

    Muxers tell so only when they write their header; with a file of this stream alone it is found out before.
    """
    reason = _UNPLAYABLE.get((container, audio.codec))
    if reason is not None:
        return reason
    # Of PCM in mp4 and mov the channels are looked at only where the tracks are described, at the end or, so, at once.
    is_described = container in ("mp4", "mov") and audio.codec.startswith("pcm_")
    options = {"movflags": "empty_moov"} if is_described else {}
    output = av.open(io.BytesIO(), mode="w", format=container, options=options)
    try:
        add_audio_stream(output, audio)
        output.start_encoding()
    except (DataError, ValueError, av.error.FFmpegError) as error:
        return getattr(error, "strerror", None) or str(error)
    finally:
        try:
            output.close()
        except av.error.FFmpegError:
            pass  # Nothing was written that matters.
    return None


class AudioClock:
    """Times of one stream's packets that rise, as muxers require, whatever the source says."""

    def __init__(self, audio: AudioStream, time_base: Fraction) -> None:
        # A muxer may count in coarser ticks than the source.
        self._step = max(1, -(-Fraction(time_base) // audio.time_base))
        self._last: int | None = None
        self._next: int | None = None

    def times(self, packet: AudioPacketData) -> tuple[int, int]:
        """Presentation and decoding time of the next packet, in the stream's time base."""
        dts = packet.dts if packet.dts is not None else packet.pts
        if dts is None:
            dts = self._next if self._next is not None else 0
        if self._last is not None and dts <= self._last:
            dts = self._last + 1
        pts = max(dts, packet.pts) if packet.pts is not None else dts
        self._last = dts
        self._next = dts + max(1, packet.duration or 0)
        return pts, dts


def discard_at_end(packet: Any, samples: int, audio: AudioStream, container: str) -> None:
    """Say of a packet that ``samples`` at its end are not to be heard, in the way of the muxer ``container``."""
    if container in ("mp4", "mov"):
        ticks = round(Fraction(samples, audio.sample_rate) / audio.time_base)
        if packet.duration and packet.duration > ticks:
            packet.duration -= ticks
        return
    if not hasattr(packet, "set_sidedata"):
        return
    from av.packet import PacketSideData, packet_sidedata_type_from_literal

    data: Any = PacketSideData(packet_sidedata_type_from_literal(SKIP_SAMPLES), 10)  # type: ignore[call-arg, arg-type]
    data.update(struct.pack("<IIBB", 0, samples, 0, 0))
    packet.set_sidedata(data)
