"""Masks from files: what their samples mean, how they are fitted, and what is refused."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from scaleflow.errors import DataError, UsageError
from scaleflow.roi.mask_sources.mask_file import open_mask_file
from tests.roi.conftest import davis, video_of

__all__ = ["davis"]

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes grey pictures into a folder."""

    def run(masks: list[NDArray[np.uint8]], name: str = "masks") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for number, mask in enumerate(masks):
            Image.fromarray(mask).save(folder / f"{number}.png")
        return folder

    return run


def column(at: int, height: int = 24, width: int = 32) -> NDArray[np.uint8]:
    mask = np.zeros((height, width), np.uint8)
    mask[:, at : at + 4] = 255
    return mask


def video_of_masks(folder: Path, path: Path, *options: str) -> Path:
    program = imageio_ffmpeg.get_ffmpeg_exe()
    subprocess.run([program, "-v", "error", "-i", str(folder / "%d.png"), *options, str(path)], check=True)
    return path


def test_a_folder_gives_each_picture_its_own_in_any_order(write: Write) -> None:
    masks = open_mask_file(write([column(2 * number) for number in range(12)]), video_of(32, 24))
    for number in (0, 1, 5, 5, 2, 11, 0):
        assert np.array_equal(masks.mask_at(number, 0.0), column(2 * number) / np.float32(255))


@pytest.mark.parametrize("pattern", ["%d.png", "*.png"])
def test_patterns_are_read_in_the_order_of_their_numbers(write: Write, pattern: str) -> None:
    folder = write([column(2 * number) for number in range(12)])
    masks = open_mask_file(folder / pattern, video_of(32, 24))
    assert np.array_equal(masks.mask_at(10, 0.0), column(20) / np.float32(255))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("gray.mkv", ("-c:v", "ffv1")),
        ("limited.mp4", ("-c:v", "libx264", "-qp", "0", "-vf", "format=yuv420p")),
        ("deep.mkv", ("-c:v", "ffv1", "-pix_fmt", "gray10le")),
        ("full.y4m", ("-pix_fmt", "yuvj420p", "-strict", "-1")),
    ],
)
def test_videos_of_masks_reach_from_0_to_1_in_any_range(
    write: Write, tmp_path: Path, name: str, options: tuple
) -> None:
    half = np.full((24, 32), 128, np.uint8)
    path = video_of_masks(write([column(4), half, column(20)]), tmp_path / name, *options)
    masks = open_mask_file(path, video_of(32, 24))
    assert np.abs(masks.mask_at(2, 0.0) - column(20) / 255).max() < 0.01
    assert np.abs(masks.mask_at(1, 0.0) - 128 / 255).max() < 0.01


def test_one_picture_is_for_all(write: Write) -> None:
    masks = open_mask_file(write([column(8)]) / "0.png", video_of(32, 24))
    assert np.array_equal(masks.mask_at(0, 0.0), masks.mask_at(10_000, 400.0))


def test_colours_of_palettes_are_inside_and_grey_ones_are_grades(tmp_path: Path) -> None:
    indices = np.repeat(np.arange(3, dtype=np.uint8), 8)[None].repeat(24, 0)
    for name, palette in (
        ("objects", [0, 0, 0, 128, 0, 0, 0, 128, 0]),
        ("grades", [0, 0, 0, 51, 51, 51, 255, 255, 255]),
    ):
        picture = Image.fromarray(indices)
        picture.putpalette(palette)
        picture.save(tmp_path / f"{name}.png")
    objects = open_mask_file(tmp_path / "objects.png", video_of(24, 24)).mask_at(0, 0.0)
    assert objects[0].tolist() == [0] * 8 + [1] * 16
    grades = open_mask_file(tmp_path / "grades.png", video_of(24, 24)).mask_at(0, 0.0)
    assert grades[0, ::8].tolist() == pytest.approx([0, 0.2, 1])
    Image.fromarray(np.full((24, 24, 3), [10, 102, 0], np.uint8)).save(tmp_path / "rgb.png")
    assert open_mask_file(tmp_path / "rgb.png", video_of(24, 24)).mask_at(0, 0.0).max() == pytest.approx(0.4)


def test_masks_of_other_sizes_are_rescaled(write: Write) -> None:
    large = open_mask_file(write([np.kron(column(8), np.ones((5, 5), np.uint8))]), video_of(32, 24))
    assert np.abs(large.mask_at(0, 0.0) - column(8) / 255).mean() < 0.04
    line = np.zeros((480, 640), np.uint8)
    line[:, 320:324] = 255
    thin = open_mask_file(write([line], "thin"), video_of(32, 24)).mask_at(0, 0.0)
    assert 0.05 < thin[12].max() < 0.5  # a fifth of a sample wide: faint, not lost
    small = open_mask_file(write([column(8)], "small"), video_of(320, 240)).mask_at(0, 0.0)
    assert small.shape == (240, 320) and small[:, 85:115].min() > 0.9 and small[:, :70].max() == 0


@pytest.mark.parametrize(("width", "height"), [(854, 480), (1920, 1080), (427, 240), (107, 60), (53, 30)])
def test_rounded_sizes_are_of_the_same_aspect_ratio(tmp_path: Path, width: int, height: int) -> None:
    Image.new("L", (width, height), 255).save(tmp_path / "mask.png")
    mask = open_mask_file(tmp_path / "mask.png", video_of(854, 480)).mask_at(0, 0.0)
    assert mask.shape == (480, 854) and mask.min() == pytest.approx(1)


@pytest.mark.parametrize(("width", "height"), [(640, 480), (480, 854), (864, 480), (854, 470)])
def test_another_aspect_ratio_is_refused(tmp_path: Path, width: int, height: int) -> None:
    Image.new("L", (width, height), 255).save(tmp_path / "mask.png")
    with pytest.raises(DataError, match=rf"mask.png: is {width}x{height}, of another aspect ratio .* 854x480"):
        open_mask_file(tmp_path / "mask.png", video_of(854, 480))


def test_turned_videos_say_how_masks_are_to_lie(tmp_path: Path) -> None:
    Image.new("L", (480, 854), 255).save(tmp_path / "mask.png")
    with pytest.raises(DataError, match=r"as stored \(players turn them by 90 degrees\)"):
        open_mask_file(tmp_path / "mask.png", video_of(854, 480, rotation=90))


def test_too_few_masks_name_both_counts(write: Write) -> None:
    folder = write([column(0), column(4)])
    with pytest.raises(DataError, match="masks: holds 2 masks, the video has 50 pictures"):
        open_mask_file(folder, video_of(32, 24), 50).mask_at(2, 0.0)
    with pytest.raises(DataError, match="holds 2 masks, the video has at least 5 pictures"):
        open_mask_file(folder, video_of(32, 24)).mask_at(4, 0.0)


def test_what_is_no_mask_is_refused(tmp_path: Path, write: Write) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "words.png").write_text("no picture")
    (tmp_path / "nothing.mkv").touch()
    for name, error, words in (
        ("empty", DataError, "holds no pictures"),
        ("words.png", DataError, "words.png"),
        ("nothing.mkv", DataError, "is empty"),
        ("none.png", UsageError, "no such file"),
        ("none/%d.png", UsageError, "no such folder"),
        ("empty/*.png", DataError, "no file matches"),
    ):
        with pytest.raises(error, match=words):
            open_mask_file(tmp_path / name, video_of(32, 24))
    with pytest.raises(UsageError, match="not from standard input"):
        open_mask_file("-", video_of(32, 24))
    mixed = write([column(0), np.zeros((48, 64), np.uint8)])
    with pytest.raises(DataError, match="picture 1 is 64x48"):
        open_mask_file(mixed, video_of(32, 24)).mask_at(1, 0.0)


def test_masks_of_0_and_1_draw_a_warning(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    open_mask_file(write([column(0) // 255]), video_of(32, 24))
    assert "write 255 for what is inside" in caplog.text


def test_annotations_of_davis(davis: Path) -> None:
    masks = open_mask_file(davis / "Annotations" / "480p" / "blackswan", video_of(854, 480))
    mask = masks.mask_at(3, 0.0)
    assert set(np.unique(mask)) == {0.0, 1.0} and 0.05 < mask.mean() < 0.2
