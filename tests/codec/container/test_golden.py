"""The bytes of docs/bitstream.md's example: what is written today must be readable for ever."""

from __future__ import annotations

import io
from fractions import Fraction

from scaleflow.codec.container import AudioPacket, AudioStream, SfvHeader, SfvReader, SfvWriter, VideoPacket
from scaleflow.codec.picture import VideoProperties

HEADER = SfvHeader(
    "default",
    "00" * 31 + "ff",
    VideoProperties(16, 8, "yuv420p", 8, Fraction(25), Fraction(1, 25)),
    intra_period=4,
    audio=(AudioStream("pcm_s16le", b"", Fraction(1, 8000), 8000, "mono", 1, "s16"),),
)

FILE = bytes.fromhex(
    # Magic, version, length of the header, header, checksum
    "93 53 46 56 0d 0a 1a 0a  01  75 00 00 00"
    "a7 01 67 64 65 66 61 75 6c 74  02 58 20" + "00" * 31 + "ff  03 64 66 70 33 32  04 04  05 60"
    "06 a5 01 10 02 08 03 67 79 75 76 34 32 30 70 05 82 18 19 01 06 82 01 18 19"
    "07 81 a6 01 69 70 63 6d 5f 73 31 36 6c 65 03 82 01 19 1f 40 04 19 1f 40 05 64 6d 6f 6e 6f 06 01 07 63 73 31 36"
    "9d d4 d4 2a"
    # Key frame 0; two audio packets, the second with times that follow from the first
    "1a 53 46 4b 04 00 00  ae bc  6b 65 79 30  24 6e bc 43"
    "d0 07  0f 00 00 a0 01  01 02  38 0f 3f b5"
    "c0 02  03 04  ae 72 cd 78"
    # Pictures 1 to 3, the last of them late by one
    "b2 0a  01  00 00 02  01 04  61 62 63 64  ef 44 e8 8b"
    # Key frame 4 and picture 5
    "1a 53 46 4b 04 0a 04  3d 90  6b 65 79 34  0e 34 9d be"
    "a0 02  05  65  e5 73 04 2f"
    # End packet: 6 pictures, 2 key frames; trailer
    "1a 53 46 45 09  e4 2a  06 02  00 00 86 01  04 0a 36  91 2f 51 af"
    "14 00 00 00  45 56 46 53"
)


def test_the_example_is_written() -> None:
    stream = io.BytesIO()
    with SfvWriter(stream, HEADER) as writer:
        writer.write_video(b"key0", "intra", 0)
        writer.write_audio(0, 0, 0, 160, 1, b"\x01\x02")
        writer.write_audio(0, 160, 160, 160, 1, b"\x03\x04")
        writer.write_video(b"a", "inter", 1)
        writer.write_video(b"bcd", "inter", 2)
        writer.write_video(b"", "inter", 4)
        writer.write_video(b"key4", "intra", 5)
        writer.write_video(b"e", "inter", 6)
    assert stream.getvalue() == FILE


def test_the_example_is_read() -> None:
    reader = SfvReader(io.BytesIO(FILE))
    assert reader.header == HEADER
    assert list(reader) == [
        VideoPacket("intra", 0, b"key0", 134, 0),
        AudioPacket(0, 0, 0, 160, 1, b"\x01\x02", 151),
        AudioPacket(0, 160, 160, 160, 1, b"\x03\x04", 164),
        VideoPacket("inter", 1, b"a", 172, 1),
        VideoPacket("inter", 2, b"bcd", 172, 2),
        VideoPacket("inter", 4, b"", 172, 3),
        VideoPacket("intra", 5, b"key4", 188, 4),
        VideoPacket("inter", 6, b"e", 205, 5),
    ]
