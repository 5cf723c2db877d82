"""Clips that are moved or reduced before all codecs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scaleflow.codec.picture import Planes
from scaleflow.codec.video.reader import open_video
from scaleflow.errors import DataError, UsageError
from scaleflow.evaluation.rate_distortion.clip_change import ClipChange
from scaleflow.evaluation.rate_distortion.clip_files import ClipFile
from scaleflow.evaluation.rate_distortion.source_clip import prepare_clip
from tests.codec.models.conftest import packaged_clip


def planes(height: int, width: int, kind: type = np.uint8) -> Planes:
    generator = np.random.default_rng(0)
    half = (height + 1) // 2, (width + 1) // 2
    return tuple(generator.integers(0, 255, size).astype(kind) for size in ((height, width), half, half))


def test_moving_cuts_off_what_is_left_and_above() -> None:
    original = planes(40, 51)
    moved = ClipChange((6, 4)).apply(original)
    assert np.array_equal(moved[0], original[0][4:, 6:])
    assert all(np.array_equal(a, b[2:, 3:]) for a, b in zip(moved[1:], original[1:], strict=True))
    assert ClipChange((6, 4)).size(51, 40) == (45, 36)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_reducing_takes_rounded_means(kind: type) -> None:
    original = planes(67, 54, kind)
    luma, blue, _ = ClipChange(reduce=2).apply(original)
    assert luma.shape == (32, 26) and blue.shape == (16, 13) and luma.dtype == kind
    expected = original[0][:64, :52].astype(float).reshape(32, 2, 26, 2).mean((1, 3))
    assert np.abs(luma - expected).max() <= 0.5
    assert np.abs(blue - original[1][:32, :26].astype(float).reshape(16, 2, 13, 2).mean((1, 3))).max() <= 0.5


def test_moved_first_and_then_reduced() -> None:
    original = planes(80, 80)
    both = ClipChange((6, 6), 2)
    expected = ClipChange(reduce=2).apply(ClipChange((6, 6)).apply(original))
    for ours, theirs in zip(both.apply(original), expected, strict=True):
        assert np.array_equal(ours, theirs)
    assert str(both) == "shift 6,6, reduce 2" and str(ClipChange()) == ""


@pytest.mark.parametrize("change", [ClipChange(), ClipChange((6, 6)), ClipChange(reduce=3), ClipChange((2, 0), 2)])
def test_what_a_point_records_is_read_again(change: ClipChange) -> None:
    assert ClipChange.from_text(str(change)) == change
    with pytest.raises(DataError, match="no change"):
        ClipChange.from_text("turned")


def test_changes_are_checked() -> None:
    for shift in ((3, 2), (-2, 0), (0, 100)):
        with pytest.raises(UsageError, match="even numbers"):
            ClipChange(shift)
    with pytest.raises(UsageError, match=r"reduce 9 is outside 1\.\.8"):
        ClipChange(reduce=9)
    with pytest.raises(DataError, match="leaves"):
        ClipChange(reduce=4).size(60, 80)


def test_the_change_is_in_the_file_and_in_the_point(tmp_path: Path) -> None:
    clip = packaged_clip("carphone_pristine.mp4")
    plain = prepare_clip(ClipFile("carphone", clip), 2, tmp_path)
    moved = prepare_clip(ClipFile("carphone", clip), 2, tmp_path, change=ClipChange((6, 6)))
    assert plain.clip.change == "" and moved.clip.change == "shift 6,6"
    assert moved.clip.content != plain.clip.content
    assert (moved.clip.width, moved.clip.height) == (plain.clip.width - 6, plain.clip.height - 6)
    with open_video(str(clip)) as source, open_video(str(moved.lossless)) as written:
        ours, theirs = next(iter(written)).planes, next(iter(source)).planes
    assert np.array_equal(ours[0], theirs[0][6:, 6:])
    with pytest.raises(UsageError, match="masks"):
        prepare_clip(ClipFile("carphone", clip), 2, tmp_path, tmp_path, ClipChange((6, 6)))
