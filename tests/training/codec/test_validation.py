"""Clips of validation: raw files by their names, as UVG has them, and what is refused before a run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import pytest

from scaleflow.codec.models.registry import load_model
from scaleflow.errors import DataError, UsageError
from scaleflow.training.codec.validation import check_clips, rate_distortion_points


def converted(source: Path, target: Path, *options: str) -> Path:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-i", source, "-frames:v", 3]
    filters = ["-vf", "scale=64:64", *options]
    subprocess.run([*map(str, [*command, *filters, target])], check=True, stdin=subprocess.DEVNULL)
    return target


def test_a_raw_clip_gives_what_its_lossless_file_does(bikes: Path, tmp_path: Path) -> None:
    lossless = converted(bikes, tmp_path / "clip.mkv", "-c:v", "ffv1")
    raw = converted(lossless, tmp_path / "Bikes_64x64_25fps_420_8bit_YUV.yuv", "-f", "rawvideo")
    assert raw.stat().st_size == 3 * 64 * 64 * 3 // 2
    check_clips([raw, lossless])
    ours, theirs = rate_distortion_points(load_model(), [raw, lossless], 2, [30.0])
    assert ours.clip == raw.name and ours.bits_per_pixel > 0.05 and ours.psnr > 25
    assert (ours.bits_per_pixel, ours.psnr) == (theirs.bits_per_pixel, theirs.psnr)


def test_ten_bits(bikes: Path, tmp_path: Path) -> None:
    raw = converted(
        bikes, tmp_path / "Bikes_64x64_25fps_420_10bit_YUV.yuv", "-f", "rawvideo", "-pix_fmt", "yuv420p10le"
    )
    check_clips([raw])
    (point,) = rate_distortion_points(load_model(), [raw], 1, [30.0])
    assert point.psnr > 25


def test_clips_that_cannot_be_validated_on(tmp_path: Path) -> None:
    unnamed, short, text = tmp_path / "clip.yuv", tmp_path / "clip_64x64_25fps.yuv", tmp_path / "clip.mp4"
    for path in (unnamed, short, text):
        path.write_bytes(b"0" * 9000)
    with pytest.raises(UsageError, match=r"^validation\.clips: .*none\.mp4: there is no such file"):
        check_clips([tmp_path / "none.mp4"])
    with pytest.raises(
        UsageError, match=r"^validation\.clips: .*clip\.yuv: .*does not say its size as in clip_1920x1080_50"
    ):
        check_clips([unnamed])
    with pytest.raises(DataError, match=r"clip_64x64_25fps\.yuv: 9000 bytes are not a whole number"):
        check_clips([short])
    with pytest.raises(DataError, match=r"clip\.mp4: cannot be opened"):
        check_clips([text])
