"""Clips as they are named on the command line, and the pictures that codecs are given."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from scaleflow.codec.video import open_video
from scaleflow.errors import DataError, UsageError
from scaleflow.evaluation.rate_distortion.clip_files import ClipFile, find_clips
from scaleflow.evaluation.rate_distortion.source_clip import prepare_clip


def test_files_and_folders(tmp_path: Path, carphone: Path, ffmpeg: Callable[..., None]) -> None:
    clips = tmp_path / "clips"
    pictures = clips / "still life"
    pictures.mkdir(parents=True)
    (clips / "notes.txt").write_text("no video")
    (clips / ".hidden.mp4").write_text("")
    ffmpeg("-i", carphone, "-frames:v", 2, pictures / "%03d.png")
    ffmpeg("-i", carphone, "-frames:v", 2, "-pix_fmt", "yuv420p", clips / "tiny_88x72_20.yuv")
    (clips / "carphone.y4m").symlink_to(carphone)
    found = find_clips([str(clips)], frame_rate=Fraction(10))
    assert [clip.name for clip in found] == ["carphone.y4m", "still life", "tiny_88x72_20.yuv"]
    assert found[1].frame_rate == 10 and found[2].raw is not None and found[2].raw.width == 88
    assert [clip.path for clip in find_clips([str(pictures), str(carphone)])] == [pictures, carphone]


def test_a_data_set(tmp_path: Path, carphone: Path, ffmpeg: Callable[..., None]) -> None:
    folder = tmp_path / "JPEGImages" / "480p" / "libby"
    folder.mkdir(parents=True)
    ffmpeg("-i", carphone, "-frames:v", 49, "-vf", "scale=854:480", folder / "%05d.jpg")
    (clip,) = find_clips([f"davis:{tmp_path}"], partial=True)
    assert (clip.name, clip.path, clip.frame_rate) == ("libby", folder, 24)
    with pytest.raises(DataError, match="does not hold DAVIS-2016"):
        find_clips([f"davis:{tmp_path}"])


def test_mistakes(tmp_path: Path, carphone: Path) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        find_clips(["nowhere.mp4"])
    with pytest.raises(UsageError, match=r"holds no video and no folder of pictures"):
        find_clips([str(tmp_path)])
    with pytest.raises(UsageError, match=r"two clips are named carphone.y4m"):
        find_clips([str(carphone), str(carphone)])
    with pytest.raises(UsageError, match=r"data sets are given as NAME:FOLDER: uvg"):
        find_clips(["uvgg:videos"])


def test_codecs_get_the_first_pictures_without_loss(tmp_path: Path, carphone: Path) -> None:
    source = prepare_clip(ClipFile(carphone.name, carphone), 5, tmp_path)
    assert (source.clip.frames, source.clip.frame_rate, source.clip.width) == (5, 20.0, 88)
    with open_video(str(source.lossless)) as ours, open_video(str(carphone)) as theirs:
        for picture, original in zip(ours, theirs, strict=False):
            assert all(np.array_equal(a, b) for a, b in zip(picture.planes, original.planes, strict=True))
    assert prepare_clip(ClipFile("again", carphone), 5, tmp_path).clip.content == source.clip.content
    assert prepare_clip(ClipFile("more", carphone), 6, tmp_path).clip.content != source.clip.content


def test_ten_bits_stay_and_444_is_reduced_once(tmp_path: Path, carphone: Path, ffmpeg: Callable[..., None]) -> None:
    deep = tmp_path / "deep.mkv"
    ffmpeg("-i", carphone, "-frames:v", 2, "-pix_fmt", "yuv444p10le", "-c:v", "ffv1", deep)
    source = prepare_clip(ClipFile(deep.name, deep), 9, tmp_path)
    assert (source.clip.bit_depth, source.clip.frames) == (10, 2)
    with open_video(str(source.lossless)) as reader:
        assert reader.properties.pixel_format == "yuv420p10le"
