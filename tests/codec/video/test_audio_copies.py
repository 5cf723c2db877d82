"""Audio of every common codec into every container: the same samples, or left out by name."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from scaleflow.codec.video.adts import audio_specific_config, strip_adts
from scaleflow.codec.video.audio import AudioPacketData, AudioStream
from scaleflow.codec.video.audio_output import AudioClock
from scaleflow.errors import DataError

LEFT_OUT = "left out"
SAME = "same"
KEPT = "kept"

SOURCES: dict[str, tuple[str, list[str], dict[str, str]]] = {
    "aac in mp4": ("mp4", ["-c:a", "aac"], {"mp4": SAME, "mov": SAME, "mkv": KEPT, "webm": LEFT_OUT}),
    "aac in ts": ("ts", ["-c:a", "aac"], {"mp4": SAME, "mov": SAME, "mkv": SAME}),
    "mp3": ("mkv", ["-c:a", "libmp3lame"], {"mp4": KEPT, "mkv": KEPT, "webm": LEFT_OUT}),
    "mp2": ("ts", ["-c:a", "mp2"], {"mov": SAME, "mkv": SAME, "webm": LEFT_OUT}),
    "ac3": ("ts", ["-c:a", "ac3"], {"mp4": SAME, "mov": SAME, "mkv": SAME}),
    "truehd": ("mkv", ["-c:a", "truehd"], {"mp4": LEFT_OUT, "mov": LEFT_OUT, "mkv": SAME}),
    "opus": ("mkv", ["-c:a", "libopus"], {"mp4": KEPT, "mov": LEFT_OUT, "mkv": SAME, "webm": SAME}),
    "vorbis": ("mkv", ["-c:a", "libvorbis"], {"mp4": KEPT, "mov": LEFT_OUT, "mkv": SAME, "webm": SAME}),
    "flac": ("mkv", ["-c:a", "flac"], {"mp4": SAME, "mov": LEFT_OUT, "mkv": SAME, "webm": LEFT_OUT}),
    "alac": ("mov", ["-c:a", "alac"], {"mp4": SAME, "mov": SAME, "mkv": SAME}),
    "wavpack": ("mkv", ["-c:a", "wavpack"], {"mp4": LEFT_OUT, "mkv": SAME}),
    "tta": ("mkv", ["-c:a", "tta"], {"mp4": LEFT_OUT, "mkv": LEFT_OUT}),
    "pcm": ("mkv", ["-c:a", "pcm_s24le"], {"mp4": SAME, "mov": SAME, "mkv": SAME, "webm": LEFT_OUT}),
    "pcm of 16 channels": ("mkv", ["-c:a", "pcm_s16le", "-ac", "16"], {"mp4": LEFT_OUT, "mov": SAME, "mkv": SAME}),
    "mu-law": ("avi", ["-c:a", "pcm_mulaw"], {"mp4": LEFT_OUT, "mov": LEFT_OUT, "mkv": LEFT_OUT}),
    "wma": ("asf", ["-c:a", "wmav2"], {"mp4": LEFT_OUT, "mkv": LEFT_OUT}),
}


@pytest.mark.parametrize("name", SOURCES)
def test_audio_is_the_same_or_left_out_by_name(
    name: str, tmp_path: Path, ffmpeg: Any, copy_video: Any, caplog: Any
) -> None:
    container, options, outputs = SOURCES[name]
    source = tmp_path / f"source.{container}"
    codec = "mpeg4" if container in ("avi", "asf") else "libx264"
    clip = ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.6", "-f", "lavfi", "-i", "sine=r=48000:d=0.6"]
    ffmpeg(*clip, "-c:v", codec, "-pix_fmt", "yuv420p", *options, "-strict", "-2", source)
    samples = ["-map", "0:a", "-f", "s16le", "-"]
    before = ffmpeg("-i", source, *samples)
    assert before
    for output, expected in outputs.items():
        caplog.clear()
        target = tmp_path / f"copy.{output}"
        copy_video(source, target)
        with av.open(str(target)) as opened:
            has_audio, pictures = bool(opened.streams.audio), sum(1 for _ in opened.decode(video=0))
        assert pictures == 15
        assert ("is left out" in caplog.text) == (expected == LEFT_OUT)
        assert has_audio == (expected != LEFT_OUT)
        if has_audio:
            after = ffmpeg("-i", target, *samples)
            # What a codec begins and ends with is told in other ways, not by all; the rest is in place.
            assert after == before if expected == SAME else 0 <= len(after) - len(before) <= 2 * 4096


def test_the_end_of_aac_is_trimmed_in_mkv(tmp_path: Path, ffmpeg: Any, copy_video: Any) -> None:
    source, target = tmp_path / "source.mp4", tmp_path / "copy.mkv"
    clip = ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=1", "-f", "lavfi", "-i", "sine=r=48000:d=1"]
    ffmpeg(*clip, "-pix_fmt", "yuv420p", "-c:a", "aac", source)
    copy_video(source, target)
    samples = [len(ffmpeg("-i", path, "-map", "0:a", "-f", "s16le", "-")) // 2 for path in (source, target)]
    # The frame before time 0 is heard by a decoder that is asked for all; the 128 samples at the end are not.
    assert samples == [48000, 48000 + 1024]


def test_adts_headers() -> None:
    header = bytes([0xFF, 0xF1, 0x50, 0x40, 0x01, 0x7F, 0xFC])
    packet = header + bytes(4)
    assert audio_specific_config(packet) == bytes([0x12, 0x08])
    assert strip_adts(packet) == bytes(4)
    for damaged in (b"", b"\x00" * 11, packet[:-1], packet + b"x", header[:6] + b"\xfd" + bytes(4)):
        with pytest.raises(DataError):
            strip_adts(damaged)
    with pytest.raises(DataError, match="channel layout"):
        audio_specific_config(bytes([0xFF, 0xF1, 0x50, 0x00]) + packet[4:])


def test_times_of_copied_packets_rise() -> None:
    stream = AudioStream("mp2", b"", Fraction(1, 1000), 48000, "mono", 1, "s16p")
    clock = AudioClock(stream, stream.time_base)

    def packet(pts: int | None, dts: int | None) -> AudioPacketData:
        return AudioPacketData(0, pts, dts, 24, True, b"x")

    times = [clock.times(packet(*given)) for given in [(0, 0), (24, 24), (20, 20), (None, None), (5, None), (96, 90)]]
    assert times == [(0, 0), (24, 24), (25, 25), (49, 49), (50, 50), (96, 90)]
