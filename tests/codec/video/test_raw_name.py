"""Forms of raw files from the names of known collections."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from scaleflow.codec.video.raw_format import RawVideoFormat
from scaleflow.codec.video.raw_name import raw_format_of_name
from scaleflow.codec.video.reader import open_video
from scaleflow.errors import DataError, UsageError


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Beauty_1920x1080_120fps_420_8bit_YUV.yuv", (1920, 1080, 120, "yuv420p")),
        ("Jockey_3840x2160_120fps_420_10bit_YUV.yuv", (3840, 2160, 120, "yuv420p10le")),
        ("BasketballDrive_1920x1080_50.yuv", (1920, 1080, 50, "yuv420p")),
        ("videos/640x480/videoSRC01_1920x1080_30.yuv", (1920, 1080, 30, "yuv420p")),
        ("Kimono_1920x1080_23.976fps_444.yuv", (1920, 1080, Fraction(24000, 1001), "yuv444p")),
        ("clip_640x360_25fps_yuv422p10le.yuv", (640, 360, 25, "yuv422p10le")),
        ("FourPeople_1280x720p_60.yuv", (1280, 720, 60, "yuv420p")),
        ("Tango2_3840x2160_60fps_10bit_420.yuv", (3840, 2160, 60, "yuv420p10le")),
        ("Traffic_2560x1600_30_crop.yuv", (2560, 1600, 30, "yuv420p")),
        ("clip_1920x1080_59.94.yuv", (1920, 1080, Fraction(5994, 100), "yuv420p")),
        ("clip_640x360_29.97fps_nv12.yuv", (640, 360, Fraction(2997, 100), "nv12")),
    ],
)
def test_names_of_known_collections(name: str, expected: tuple[int, int, Fraction, str]) -> None:
    width, height, rate, pixel_format = expected
    found = raw_format_of_name(name)
    assert (found.width, found.height, found.pixel_format) == (width, height, pixel_format)
    assert abs(found.frame_rate - rate) < Fraction(1, 1000)


def test_sizes_by_name_need_a_frame_rate() -> None:
    assert raw_format_of_name("foreman_qcif.yuv", Fraction(30)) == RawVideoFormat(176, 144, Fraction(30))
    with pytest.raises(UsageError, match=r"foreman_cif\.yuv: .*frame rate: give frame_rate"):
        raw_format_of_name("foreman_cif.yuv")


@pytest.mark.parametrize("name", ["clip_1920x1080_420_8bit.yuv", "clip_1920x1080_420.yuv", "clip_64x64_0fps.yuv"])
def test_chroma_is_no_frame_rate(name: str) -> None:
    with pytest.raises(UsageError, match="does not say its frame rate"):
        raw_format_of_name(name)


def test_forms_that_do_not_exist_are_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"a_64x64_25fps_11bit\.yuv: .*yuv420p11le"):
        raw_format_of_name("a_64x64_25fps_11bit.yuv")


def test_names_that_say_nothing_are_refused() -> None:
    with pytest.raises(UsageError, match=r"clip\.yuv: .*does not say its size.*size, frame_rate and pixel_format"):
        raw_format_of_name("clip.yuv")


def test_reading_a_file_by_its_name(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(0, 256, (3, 48 * 64 * 3 // 2), dtype=np.uint8)
    path = tmp_path / "Noise_64x48_50fps_420_8bit_YUV.yuv"
    path.write_bytes(samples.tobytes())
    with open_video(path) as reader:
        pictures = [picture.planes for picture in reader]
        assert reader.properties.frame_rate == 50
    assert len(pictures) == 3
    for planes, wanted in zip(pictures, samples, strict=True):
        assert np.array_equal(np.concatenate([plane.ravel() for plane in planes]), wanted)


def test_what_is_no_raw_file_is_read_as_before(tmp_path: Path) -> None:
    path = tmp_path / "clip.yuv"
    with pytest.raises(UsageError, match=r"clip\.yuv: there is no such file"):
        open_video(path)
    picture = np.full((24, 16), 77, np.uint8).tobytes()
    path.write_bytes(b"YUV4MPEG2 W16 H16 F25:1 C420jpeg\n" + 2 * (b"FRAME\n" + picture))
    with open_video(path) as reader:
        assert [int(picture.planes[0][3, 3]) for picture in reader] == [77, 77]
    path.write_bytes(picture)
    with pytest.raises(UsageError, match="does not say its size"):
        open_video(path)


def test_a_name_that_says_another_size_than_the_file_has(tmp_path: Path) -> None:
    path = tmp_path / "clip_64x48_25fps.yuv"
    path.write_bytes(bytes(64 * 48 * 3 // 2 + 5))
    with pytest.raises(DataError, match=r"clip_64x48_25fps\.yuv: .*64x48 yuv420p pictures.*5 left over"):
        open_video(path)
