"""Vimeo-90k as its archives unpack, whole and broken."""

from __future__ import annotations

import shutil
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from skimage.io import imread

from scaleflow.codec.video.reader import open_video
from scaleflow.errors import DataError, UsageError
from scaleflow.training.data.clip import ClipRequest
from scaleflow.training.data.vimeo import VimeoSource

PLAIN = ClipRequest(frames=3, crop=64, working_format="rgb", flip=False, reverse=False)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def positions(clip: np.ndarray, pictures: list[np.ndarray]) -> list[tuple[int, int, int]]:
    """For each picture of an RGB clip (T, 3, S, S), which of ``pictures`` (H, W, 3) it was cut from, and where."""
    found = []
    side = clip.shape[2]
    wholes = [_numbers(picture) for picture in pictures]
    for planes in clip:
        wanted = _numbers(planes.transpose(1, 2, 0))
        for number, whole in enumerate(wholes):
            corners = whole[: -side + 1, : -side + 1] == wanted[0, 0]
            for row, column in ((3, 17), (side // 2, 5), (side - 1, side - 1)):
                last = [None if end == side - 1 else end - side + 1 for end in (row, column)]
                corners &= whole[row : last[0], column : last[1]] == wanted[row, column]
            for top, left in np.argwhere(corners):
                if np.array_equal(whole[top : top + side, left : left + side], wanted):
                    found.append((number, int(top), int(left)))
    return found


def _numbers(picture: np.ndarray) -> np.ndarray:
    """The three samples of each pixel as one number."""
    return picture.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)


def test_clips_are_the_files_sample_by_sample(vimeo_septuplets: Path) -> None:
    source = VimeoSource(vimeo_septuplets)
    assert len(source) == 8
    for place in (0, 7):
        listed = (vimeo_septuplets / "sep_trainlist.txt").read_text().split()[place]
        pictures = [imread(vimeo_septuplets / "sequences" / listed / f"im{n}.png") for n in range(1, 8)]
        assert pictures[0].shape == (256, 448, 3)
        clip = source.read(place, PLAIN, generator(place))
        numbers, tops, lefts = zip(*positions(clip.planes[0], pictures), strict=True)
        assert len(numbers) == 3 and list(numbers) == list(range(numbers[0], numbers[0] + 3))
        assert len(set(tops)) == len(set(lefts)) == 1


def test_test_list_is_another_one(vimeo_septuplets: Path) -> None:
    source = VimeoSource(vimeo_septuplets, "test")
    assert len(source) == 2 and "test list" in source.describe()


def test_strides_and_reversal_occur_and_fit(vimeo_septuplets: Path) -> None:
    source = VimeoSource(vimeo_septuplets)
    listed = (vimeo_septuplets / "sep_trainlist.txt").read_text().split()[0]
    pictures = [imread(vimeo_septuplets / "sequences" / listed / f"im{n}.png") for n in range(1, 8)]
    request = ClipRequest(frames=3, crop=64, working_format="rgb", stride=3, flip=False)
    seen = set()
    for seed in range(24):
        numbers = [place[0] for place in positions(source.read(0, request, generator(seed)).planes[0], pictures)]
        assert len(numbers) == 3
        seen.add((numbers[1] - numbers[0], numbers[2] - numbers[1]))
    assert seen == {(step, step) for step in (-3, -2, -1, 1, 2, 3)}


def test_luma_and_chroma_lie_together(vimeo_septuplets: Path) -> None:
    """Crops of 4:2:0 are crops of the whole picture's planes at one place, mirrored alike."""
    source = VimeoSource(vimeo_septuplets)
    pictures = []
    for number in range(1, 8):
        with open_video(source.file_of(3) / f"im{number}.png") as reader:
            pictures.append(next(iter(reader)).planes)
    flips, odd = set(), 0
    for seed in range(12):
        luma, chroma = source.read(3, ClipRequest(frames=1, crop=128), generator(seed)).planes
        (found,) = [
            (flip, picture, 2 * int(top), 2 * int(left))
            for flip in product((1, -1), repeat=2)
            for picture in pictures
            for top, left in np.argwhere(even_windows(picture[0], mirrored(luma[0, 0], flip)))
        ]
        flip, picture, top, left = found
        for ours, whole in zip(chroma[0], picture[1:], strict=True):
            part = whole[top // 2 : top // 2 + 64, left // 2 : left // 2 + 64]
            assert np.array_equal(mirrored(ours, flip), part)
        flips.add(flip)
        odd += left // 2 % 2
    assert len(flips) == 4 and 0 < odd < 12


def mirrored(plane: np.ndarray, flip: tuple[int, ...]) -> np.ndarray:
    return plane[:: flip[0], :: flip[1]]


def even_windows(picture: np.ndarray, crop: np.ndarray) -> np.ndarray:
    """At which even places of a picture a crop lies, by every ninth sample."""
    windows = np.lib.stride_tricks.sliding_window_view(picture, crop.shape)[::2, ::2, ::9, ::9]
    return (windows == crop[::9, ::9]).all((2, 3))


def broken(source: Path, folder: Path) -> Path:
    copy = folder / "vimeo"
    shutil.copytree(source, copy)
    return copy


def test_what_is_missing_is_named(vimeo_septuplets: Path, tmp_path: Path) -> None:
    copy = broken(vimeo_septuplets, tmp_path)
    (copy / "sequences" / "00001" / "0002" / "im7.png").unlink()
    with pytest.raises(DataError, match=r"00001/0002: im7\.png is missing.*sep_trainlist\.txt.*vimeo_septuplet\.zip"):
        VimeoSource(copy)
    shutil.rmtree(copy / "sequences" / "00001" / "0002")
    with pytest.raises(DataError, match=r"00001/0002: im1\.png is missing"):
        VimeoSource(copy)
    shutil.rmtree(copy / "sequences")
    with pytest.raises(UsageError, match="no folder sequences: unpack the whole archive"):
        VimeoSource(copy)


def test_empty_and_wrong_lists(vimeo_septuplets: Path, tmp_path: Path) -> None:
    copy = broken(vimeo_septuplets, tmp_path)
    (copy / "sep_trainlist.txt").write_text("\n\n")
    with pytest.raises(DataError, match=r"sep_trainlist\.txt: names no sequence"):
        VimeoSource(copy)
    (copy / "sep_trainlist.txt").write_text("something else\n")
    with pytest.raises(DataError, match=r"something else: im1\.png is missing"):
        VimeoSource(copy)
    (copy / "sep_trainlist.txt").unlink()
    with pytest.raises(UsageError, match=r"expected sep_trainlist\.txt or tri_trainlist\.txt beside a folder seq"):
        VimeoSource(copy)


def test_triplets(vimeo_septuplets: Path, tmp_path: Path) -> None:
    copy = broken(vimeo_septuplets, tmp_path)
    for place in (copy / "sequences").glob("*/*"):
        for number in range(4, 8):
            (place / f"im{number}.png").unlink()
    (copy / "sep_trainlist.txt").rename(copy / "tri_trainlist.txt")
    source = VimeoSource(copy)
    assert source.read(0, PLAIN, generator()).planes[0].shape == (3, 3, 64, 64)
    assert "vimeo_triplet" in source.describe()
    with pytest.raises(UsageError, match=r"4 pictures are asked for, sequences of .* have 3"):
        source.read(0, ClipRequest(frames=4, crop=64), generator())
