"""A header and a small but complete file for the container's tests."""

from __future__ import annotations

import io
from fractions import Fraction

import pytest

from scaleflow.codec.container import AudioStream, SfvHeader, SfvWriter
from scaleflow.codec.picture import VideoProperties


@pytest.fixture(scope="session")
def header() -> SfvHeader:
    video = VideoProperties(
        width=64,
        height=48,
        pixel_format="yuv420p",
        bit_depth=8,
        frame_rate=Fraction(25),
        time_base=Fraction(1, 25),
        color_matrix="bt709",
        color_range="tv",
    )
    audio = AudioStream("aac", b"\x12\x10", Fraction(1, 48000), 48000, "stereo", 2, "fltp", "eng")
    return SfvHeader("default", "0123456789abcdef" * 4, video, intra_period=5, audio=(audio,), software="scaleflow 1.0")


@pytest.fixture(scope="session")
def small_file(header: SfvHeader) -> bytes:
    """Fifteen pictures in three groups, one timestamp out of step, and audio between them."""
    stream = io.BytesIO()
    with SfvWriter(stream, header, pictures_per_packet=3) as writer:
        for number in range(15):
            payload = bytes((number * 31 + k * 7) % 256 for k in range(12 + number))
            writer.write_video(payload, "inter" if number % 5 else "intra", number + (number == 8))
            if number % 2:
                writer.write_audio(0, number * 1024, number * 1024, 2048, 1, b"audio" + bytes([number]))
    return stream.getvalue()
