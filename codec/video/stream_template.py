"""Stream parameters made from bytes.

PyAV gives a stream of an output container its codec parameters (extradata, display matrix) in one way only: from a
stream of an input container. So that packets of any origin can be written, a minimal Matroska file that holds nothing
but the description of one track is put together here and opened.

Element numbers are those of RFC 9559, codec names those of the Matroska codec registry.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import av
import av.error

from scaleflow.codec.video.audio import AudioStream
from scaleflow.errors import DataError

_AUDIO_CODECS = {
    "aac": "A_AAC",
    "mp3": "A_MPEG/L3",
    "mp2": "A_MPEG/L2",
    "mp1": "A_MPEG/L1",
    "ac3": "A_AC3",
    "eac3": "A_EAC3",
    "dts": "A_DTS",
    "truehd": "A_TRUEHD",
    "opus": "A_OPUS",
    "vorbis": "A_VORBIS",
    "flac": "A_FLAC",
    "alac": "A_ALAC",
    "wavpack": "A_WAVPACK4",
    "tta": "A_TTA1",
}
_PCM_CODECS = {
    "pcm_u8": ("A_PCM/INT/LIT", 8),
    "pcm_s16le": ("A_PCM/INT/LIT", 16),
    "pcm_s24le": ("A_PCM/INT/LIT", 24),
    "pcm_s32le": ("A_PCM/INT/LIT", 32),
    "pcm_s16be": ("A_PCM/INT/BIG", 16),
    "pcm_s24be": ("A_PCM/INT/BIG", 24),
    "pcm_s32be": ("A_PCM/INT/BIG", 32),
    "pcm_f32le": ("A_PCM/FLOAT/IEEE", 32),
    "pcm_f64le": ("A_PCM/FLOAT/IEEE", 64),
}
_VIDEO_CODECS = {"libx264": "V_MPEG4/ISO/AVC", "ffv1": "V_FFV1", "libvpx-vp9": "V_VP9"}
_ALAC_ATOM_HEADER = 12
_TRACK_VIDEO, _TRACK_AUDIO = 1, 2


def _element(identifier: int, payload: bytes) -> bytes:
    number = identifier.to_bytes((identifier.bit_length() + 7) // 8, "big")
    return number + ((1 << 56) | len(payload)).to_bytes(8, "big") + payload


def _unsigned(identifier: int, value: int) -> bytes:
    return _element(identifier, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def _real(identifier: int, value: float) -> bytes:
    return _element(identifier, struct.pack(">d", value))


def _text(identifier: int, value: str) -> bytes:
    return _element(identifier, value.encode("ascii"))


def _matroska(track_type: int, codec: str, private: bytes, settings: bytes) -> bytes:
    track = _unsigned(0xD7, 1) + _unsigned(0x73C5, 1) + _unsigned(0x83, track_type) + _text(0x86, codec)
    if private:
        track += _element(0x63A2, private)
    header = _unsigned(0x4286, 1) + _unsigned(0x42F7, 1) + _unsigned(0x42F2, 4) + _unsigned(0x42F3, 8)
    header += _text(0x4282, "matroska") + _unsigned(0x4287, 4) + _unsigned(0x4285, 2)
    information = _unsigned(0x2AD7B1, 1_000_000) + _text(0x4D80, "ScaleFlow") + _text(0x5741, "ScaleFlow")
    tracks = _element(0x1654AE6B, _element(0xAE, track + settings))
    empty_cluster = _element(0x1F43B675, _unsigned(0xE7, 0))  # The demuxer reads on to the first cluster.
    return _element(0x1A45DFA3, header) + _element(
        0x18538067, _element(0x1549A966, information) + tracks + empty_cluster
    )


@contextmanager
def _opened(matroska: bytes) -> Iterator[av.stream.Stream]:
    try:
        container = av.open(io.BytesIO(matroska), mode="r", format="matroska")
    except av.error.FFmpegError as error:
        raise DataError(f"FFmpeg does not accept the description of a stream: {error.strerror}") from error
    try:
        yield container.streams[0]
    finally:
        container.close()


@contextmanager
def audio_template(audio: AudioStream) -> Iterator[av.stream.Stream]:
    """A stream with the parameters of ``audio``, open while the context lasts.

    Raises:
        DataError: there is no way to describe this codec.
    """
    settings = _real(0xB5, float(audio.sample_rate)) + _unsigned(0x9F, audio.channels)
    private = audio.extradata
    if audio.codec in _PCM_CODECS:
        codec, bits = _PCM_CODECS[audio.codec]
        settings += _unsigned(0x6264, bits)
    elif audio.codec in _AUDIO_CODECS:
        codec = _AUDIO_CODECS[audio.codec]
    else:
        raise DataError(f"audio codec {audio.codec!r} cannot be copied")
    if audio.codec == "alac":
        private = private[_ALAC_ATOM_HEADER:]
    elif audio.codec == "flac" and not private.startswith(b"fLaC"):
        # Matroska keeps the whole header of a FLAC file: its mark and one last metadata block, the stream information.
        private = b"fLaC" + bytes([0x80]) + len(private).to_bytes(3, "big") + private
    with _opened(_matroska(_TRACK_AUDIO, codec, private, _element(0xE1, settings))) as stream:
        yield stream


@contextmanager
def video_template(
    encoder: av.VideoCodecContext, sample_aspect_ratio: Fraction, rotation: int
) -> Iterator[av.stream.Stream]:
    """A stream with the codec and extradata of an open encoder, to be turned clockwise by ``rotation`` when shown."""
    width, height = encoder.width, encoder.height
    settings = _unsigned(0xB0, width) + _unsigned(0xBA, height)
    if sample_aspect_ratio != 1:
        settings += _unsigned(0x54B0, width * sample_aspect_ratio.numerator)
        settings += _unsigned(0x54BA, height * sample_aspect_ratio.denominator)
    # Matroska turns anticlockwise, in degrees of -180..180.
    roll = -rotation if rotation <= 180 else 360 - rotation
    settings += _element(0x7670, _unsigned(0x7671, 0) + _real(0x7675, float(roll)))
    codec = _VIDEO_CODECS[encoder.name]
    with _opened(_matroska(_TRACK_VIDEO, codec, encoder.extradata or b"", _element(0xE0, settings))) as stream:
        yield stream
