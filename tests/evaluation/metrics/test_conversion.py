"""Files of different pixel formats and colours: converted and said, or refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from scaleflow.errors import DataError
from scaleflow.evaluation.metrics.comparison import compare

FFmpeg = Callable[..., None]
LOSSLESS = ("-c:v", "ffv1")


@pytest.fixture
def as_format(ffmpeg: FFmpeg, bikes: Path, tmp_path: Path) -> Callable[..., Path]:
    """Three pictures of the clip in a pixel format, with tags, without loss."""

    def make(name: str, pixel_format: str, *tags: str, filters: str = "null") -> Path:
        path = tmp_path / f"{name}.mkv"
        ffmpeg("-i", bikes, "-vf", f"{filters},format={pixel_format}", "-frames:v", 3, *LOSSLESS, *tags, path)
        return path

    return make


def test_more_bits_of_the_same_are_identical(as_format: Callable[..., Path]) -> None:
    eight, ten = as_format("eight", "yuv420p"), as_format("ten", "yuv420p10le")
    for original, decoded in ((eight, ten), (ten, eight)):
        found = compare(original, decoded, ["psnr-y", "psnr-u"])
        assert found.identical == 3
        (note,) = found.notes
        assert note.startswith(f"{decoded} is converted from yuv420p") and note.endswith("for Y'CbCr metrics")


def test_more_chroma_is_brought_to_that_of_the_original(as_format: Callable[..., Path]) -> None:
    original, decoded = as_format("original", "yuv420p"), as_format("decoded", "yuv444p")
    found = compare(original, decoded, ["psnr"])
    assert math.isinf(found.means["psnr-y"]) and found.means["psnr-u"] > 38
    assert any("converted from yuv444p to yuv420p" in note for note in found.notes)
    back = compare(decoded, original, ["psnr-u"])
    assert any("converted from yuv420p to yuv444p" in note for note in back.notes)


def test_ranges_that_differ_are_refused_except_in_rgb(as_format: Callable[..., Path]) -> None:
    limited = as_format("limited", "yuv420p", "-color_range", "tv", filters="scale=out_range=tv")
    full = as_format("full", "yuv420p", "-color_range", "pc", filters="scale=in_range=tv:out_range=pc")
    with pytest.raises(DataError, match=r"full.mkv: its colour range is full, that of \S*limited.mkv limited"):
        compare(limited, full, ["psnr-y"])
    found = compare(limited, full, ["psnr-rgb"])
    assert found.means["psnr-rgb"] > 45
    assert any("limited range and matrix" in note and "full range" in note for note in found.notes)


def test_y4m_without_its_range_is_read_with_that_of_the_original(
    as_format: Callable[..., Path], ffmpeg: FFmpeg, tmp_path: Path
) -> None:
    """What ffmpeg decodes of encoders that leave the range out of their stream, such as libvvenc."""
    full = as_format("full", "yuv420p", "-color_range", "pc", filters="scale=in_range=tv:out_range=pc")
    bare, tagged = tmp_path / "bare.y4m", tmp_path / "tagged.y4m"
    ffmpeg("-i", full, "-vf", "setparams=range=unspecified", bare)
    ffmpeg("-i", full, "-vf", "setparams=range=limited", tagged)
    assert b"COLORRANGE" not in bare.read_bytes()[:100] and b"XCOLORRANGE=LIMITED" in tagged.read_bytes()[:100]
    found = compare(full, bare, ["psnr-y"])
    assert found.identical == 3 and any(
        "bare.y4m does not say its range: full is taken" in note for note in found.notes
    )
    with pytest.raises(DataError, match="its colour range is limited"):
        compare(full, tagged, ["psnr-y"])


def test_matrices_that_differ_are_refused_except_in_rgb(as_format: Callable[..., Path]) -> None:
    way = "scale=in_color_matrix=bt601:out_color_matrix={0}"
    old = as_format("old", "yuv444p", "-colorspace", "smpte170m", filters=way.format("bt601"))
    new = as_format("new", "yuv444p", "-colorspace", "bt709", filters=way.format("bt709"))
    with pytest.raises(DataError, match=r"new.mkv: its colour matrix is bt709, that of \S*old.mkv smpte170m"):
        compare(old, new, ["psnr-u"])
    assert compare(old, new, ["psnr-rgb"]).means["psnr-rgb"] > 40
    same = as_format("same", "yuv444p", "-colorspace", "bt470bg", filters=way.format("bt601"))
    assert compare(old, same, ["psnr-u"]).identical == 3  # another name of BT.601


def test_an_untagged_matrix_is_taken_from_the_other(as_format: Callable[..., Path], bikes: Path) -> None:
    tagged = as_format("tagged", "yuv420p", filters="setparams=colorspace=bt709")
    found = compare(tagged, bikes, ["psnr-rgb"], frames=3)
    assert found.identical == 3
    assert f"{bikes} has no tag of its matrix: bt709 is taken from {tagged}" in found.notes
    # Where none has one, and no metric needs it, nothing is said.
    assert compare(bikes, bikes, ["psnr-y"]).notes == ()


def test_rgb_originals_take_the_form_of_the_decoded(as_format: Callable[..., Path]) -> None:
    pictures, coded = as_format("pictures", "gbrp"), as_format("coded", "yuv420p")
    for original, decoded in ((pictures, coded), (coded, pictures)):
        found = compare(original, decoded, ["psnr"])
        assert found.means["psnr-y"] > 40 and found.means["psnr-rgb"] > 30
        assert any(
            note.startswith(f"{pictures} is converted") and "to yuv420p" in note and "smpte170m" in note
            for note in found.notes
        )
    assert compare(pictures, pictures, ["psnr"]).identical == 3


def test_grey_video_has_luma_alone(as_format: Callable[..., Path]) -> None:
    grey = as_format("grey", "gray")
    found = compare(grey, grey, ["psnr"])
    assert math.isinf(found.means["psnr-y"]) and math.isinf(found.means["psnr-rgb"])
    assert all(math.isnan(found.means[f"psnr-{name}"]) for name in ("u", "v", "yuv"))
    with pytest.raises(DataError, match="libvmaf cannot measure gray; convert both videos to yuv420p"):
        compare(grey, grey, ["vmaf"])


def test_unconvertible_matrices_are_refused_in_rgb_alone(as_format: Callable[..., Path]) -> None:
    odd = as_format("odd", "yuv444p", filters="format=yuv444p,setparams=colorspace=ycgco")
    with pytest.raises(DataError, match=r"odd.mkv: colour matrix 'ycgco' cannot be converted to RGB"):
        compare(odd, odd, ["psnr-rgb"])
    assert compare(odd, odd, ["psnr-y"]).identical == 3


def test_formats_that_change_are_refused(ffmpeg: FFmpeg, bikes: Path, tmp_path: Path) -> None:
    ffmpeg("-i", bikes, "-frames:v", 2, tmp_path / "%d.png")
    ffmpeg("-i", bikes, "-frames:v", 1, "-pix_fmt", "rgb48be", tmp_path / "2.png")
    with pytest.raises(DataError, match=r"picture 1 is rgb48be after pictures of rgb24"):
        compare(tmp_path / "%d.png", tmp_path / "%d.png", ["psnr-rgb"])
