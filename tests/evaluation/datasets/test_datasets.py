"""Data sets: generated folders of the same layout, and real ones where they are."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from scaleflow.codec.video import open_video
from scaleflow.codec.video.raw_name import raw_format_of_name
from scaleflow.errors import DataError, UsageError
from scaleflow.evaluation.datasets import DATASETS, Dataset, ExpectedClip, open_dataset
from tests.evaluation.conftest import SHARED

RAW = [name for name, dataset in DATASETS.items() if dataset.kind == "raw"]


def lay_out(name: str, folder: Path) -> Path:
    """Raw files of the right lengths; sparse, so that hours of video take no room."""
    for clip in DATASETS[name].clips:
        with (folder / clip.path).open("wb") as file:
            file.truncate(clip.frames * clip.raw_format.frame_size)
    return folder


@pytest.mark.parametrize("name", RAW)
def test_raw_sets_are_recognised(tmp_path: Path, name: str) -> None:
    clips = open_dataset(name, lay_out(name, tmp_path))
    assert [clip.path.name for clip in clips] == [clip.path for clip in DATASETS[name].clips]
    for clip in clips:
        # what the file's own name says is what the table says
        assert clip.raw is not None and clip.raw == raw_format_of_name(str(clip.path))
    with open_video(clips[0].path, raw=clips[0].raw) as reader:
        assert reader.frame_count == clips[0].frames and reader.properties.width == clips[0].width


def test_known_totals() -> None:
    totals = {name: (len(data.clips), sum(clip.frames for clip in data.clips)) for name, data in DATASETS.items()}
    assert totals["uvg"] == (7, 3900)
    assert totals["mcl-jcv"] == (30, 4115)
    assert totals["davis"] == (50, 3455)  # the paper's
    assert totals["kodak"] == (24, 24)
    assert [totals[f"hevc-{letter}"][0] for letter in "bcde"] == [5, 4, 4, 3]


def test_what_is_wrong_is_listed_at_once(tmp_path: Path) -> None:
    folder = lay_out("hevc-d", tmp_path)
    size = 416 * 240 * 3 // 2
    (folder / "BQSquare_416x240_60.yuv").unlink()
    os.truncate(folder / "BasketballPass_416x240_50.yuv", 499 * size)
    os.truncate(folder / "RaceHorses_416x240_30.yuv", 300 * size + 5)
    os.truncate(folder / "BlowingBubbles_416x240_50.yuv", 501 * size)  # one more, as some distributions have it
    expected = (
        r"BasketballPass_416x240_50.yuv has 499 pictures of 416x240, not 500; "
        r"RaceHorses_416x240_30.yuv has 300 pictures and 5 bytes of 416x240, not 300"
    )
    with pytest.raises(
        DataError, match=rf"HEVC class D as it is published: {expected}; BQSquare\S+ is missing; it comes"
    ):
        open_dataset("HEVC D", folder)
    with pytest.raises(DataError, match=rf"{expected}; it comes"):
        open_dataset("hevc_d", folder, partial=True)
    os.truncate(folder / "BasketballPass_416x240_50.yuv", 500 * size)
    (folder / "RaceHorses_416x240_30.yuv").unlink()
    clips = open_dataset("hevc-d", folder, partial=True)
    assert [clip.name for clip in clips] == ["BasketballPass_416x240_50", "BlowingBubbles_416x240_50"]
    assert clips[1].frames == 500


def test_many_problems_are_counted(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"videoSRC06_1920x1080_25.yuv is missing; and 24 more; it comes from https"):
        open_dataset("mcl-jcv", tmp_path)
    with pytest.raises(DataError, match="and 24 more"):
        open_dataset("mcl-jcv", tmp_path, partial=True)
    with pytest.raises(UsageError, match="no data set 'vimeo'; there are uvg, "):
        open_dataset("vimeo", tmp_path)
    with pytest.raises(UsageError, match=r"there is no such folder; UVG comes from https://ultravideo\.fi"):
        open_dataset("UVG", tmp_path / "none")


def test_stills_and_folders_of_pictures(ffmpeg: Callable[..., None], tmp_path: Path) -> None:
    for number in range(1, 25):
        size = "512x768" if number in (4, 9) else "768x512"
        ffmpeg("-f", "lavfi", "-i", f"color=c=red:s={size}", "-frames:v", 1, tmp_path / f"kodim{number:02}.png")
    clips = open_dataset("kodak", tmp_path)
    assert len(clips) == 24 and (clips[3].width, clips[3].height) == (512, 768)
    ffmpeg("-f", "lavfi", "-i", "color=c=red:s=768x500", "-frames:v", 1, tmp_path / "kodim07.png")
    with pytest.raises(DataError, match=r"kodim07.png is 768x500, not 768x512"):
        open_dataset("kodak", tmp_path)
    folder = tmp_path / "JPEGImages" / "480p" / "libby"
    folder.mkdir(parents=True)
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=854x480:r=24", "-frames:v", 49, "-start_number", 0, folder / "%05d.jpg")
    (clip,) = open_dataset("davis", tmp_path, partial=True)
    assert (clip.name, clip.frames, clip.frame_rate) == ("libby", 49, Fraction(24))
    (folder / "00007.jpg").unlink()
    with pytest.raises(DataError, match=r"libby has 48 pictures, not 49"):
        open_dataset("davis", tmp_path, partial=True)


def test_real_folders() -> None:
    davis, kodak = SHARED / "data" / "davis", SHARED / "data" / "eval" / "kodak"
    if not (davis.is_dir() and kodak.is_dir()):
        pytest.skip("needs davis and eval/kodak of ../shared/data")
    clips = open_dataset("davis", davis, partial=True)
    assert {clip.name for clip in clips} >= {"blackswan", "soapbox"} and all(clip.width == 854 for clip in clips)
    stills = open_dataset("kodak", kodak, partial=True)
    assert stills and all(re.fullmatch(r"kodim\d\d", clip.name) for clip in stills)
    if len(clips) < 50:
        with pytest.raises(DataError, match="is missing"):
            open_dataset("davis", davis)


def test_tables_are_checked() -> None:
    clip = ExpectedClip("a.yuv", 16, 16, 1, Fraction(25))
    with pytest.raises(ValueError, match="named twice"):
        Dataset("twice", "Twice", "raw", (clip, clip), "", "")
    with pytest.raises(ValueError, match=r"frames = 0"):
        ExpectedClip("a.yuv", 16, 16, 0, Fraction(25))
