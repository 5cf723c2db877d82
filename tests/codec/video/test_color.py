"""Colour conversion, beside FFmpeg's zscale (exact to the rounding) and swscale (the usual one)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace, Interpolation
from numpy.typing import NDArray

from scaleflow.codec.video.color import ColorCoding, guess_matrix, luma_weights, rescale_depth
from scaleflow.codec.video.frame_planes import frame_from_planes, planes_of
from scaleflow.codec.video.pixel_format import describe_pixel_format
from scaleflow.codec.video.working_format import from_working, to_working
from scaleflow.errors import DataError

HEIGHT, WIDTH = 64, 96
ZSCALE_NAMES = {"smpte170m": "170m", "bt709": "709", "bt2020nc": "2020_ncl"}
SWSCALE_SPACES = {"smpte170m": Colorspace.ITU601, "bt709": Colorspace.ITU709, "bt2020nc": 9}
CODINGS = [(matrix, full) for matrix in ZSCALE_NAMES for full in (False, True)]
ACCURATE = int(Interpolation.BICUBIC) | 0x40000 | 0x2000 | 0x4000
"""Bicubic with SWS_ACCURATE_RND, SWS_FULL_CHR_H_INT and SWS_FULL_CHR_H_INP."""


@pytest.fixture(scope="module")
def rgb() -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (3, HEIGHT, WIDTH)).astype(np.uint8)


def differences(ours: Any, theirs: Any) -> NDArray[np.int64]:
    return np.concatenate([(a.astype(np.int64) - b).ravel() for a, b in zip(ours, theirs, strict=True)])


@pytest.mark.parametrize(("matrix", "full"), CODINGS)
def test_rgb_to_yuv_equals_zscale(ffmpeg: Any, rgb: NDArray[np.uint8], matrix: str, full: bool) -> None:
    graph = (
        "setparams=colorspace=gbr:range=pc:color_trc=bt709:color_primaries=bt709,"
        f"zscale=matrixin=gbr:rangein=full:matrix={ZSCALE_NAMES[matrix]}:"
        f"range={'full' if full else 'limited'}:dither=none,format=yuv444p"
    )
    output = _filter(ffmpeg, rgb[[1, 2, 0]].tobytes(), "gbrp", graph, "yuv444p")
    expected = np.frombuffer(output, np.uint8).reshape(3, HEIGHT, WIDTH)
    ours = from_working(tuple(rgb), describe_pixel_format("yuv444p"), ColorCoding(matrix, full), "rgb", 8)
    difference = differences(ours, expected)
    assert np.abs(difference).max() <= 1
    assert np.mean(difference != 0) < 0.005  # Ties, and the last bit of float32.


@pytest.mark.parametrize(("matrix", "full"), CODINGS)
def test_yuv420_to_rgb_equals_zscale(ffmpeg: Any, matrix: str, full: bool) -> None:
    random = np.random.default_rng(2)
    luma = random.integers(0, 256, (HEIGHT, WIDTH)).astype(np.uint8)
    chroma = random.integers(0, 256, (2, HEIGHT // 2, WIDTH // 2)).astype(np.uint8)
    graph = (
        f"setparams=colorspace={matrix}:range={'pc' if full else 'tv'}:color_trc=bt709:color_primaries=bt709,"
        f"zscale=filter=bilinear:matrixin={ZSCALE_NAMES[matrix]}:rangein={'full' if full else 'limited'}:"
        "chromalin=left:matrix=gbr:range=full:dither=none,format=gbrp"
    )
    output = _filter(ffmpeg, luma.tobytes() + chroma.tobytes(), "yuv420p", graph, "gbrp")
    expected = np.frombuffer(output, np.uint8).reshape(3, HEIGHT, WIDTH)[[2, 0, 1]]
    ours = to_working((luma, *chroma), describe_pixel_format("yuv420p"), ColorCoding(matrix, full), "rgb", 8)
    difference = differences(ours, expected)
    assert np.abs(difference).max() <= 1
    assert np.mean(difference != 0) < 0.005


@pytest.mark.parametrize(("matrix", "full"), CODINGS)
def test_both_directions_agree_with_swscale(rgb: NDArray[np.uint8], matrix: str, full: bool) -> None:
    coding, yuv444 = ColorCoding(matrix, full), describe_pixel_format("yuv444p")
    space, color_range = SWSCALE_SPACES[matrix], ColorRange.JPEG if full else ColorRange.MPEG
    ours = from_working(tuple(rgb), yuv444, coding, "rgb", 8)
    theirs, _ = planes_of(
        frame_from_planes(rgb, "rgb24").reformat(
            format="yuv444p",
            dst_colorspace=space,
            src_color_range=ColorRange.JPEG,
            dst_color_range=color_range,
            interpolation=ACCURATE,
        )
    )
    forward = differences(ours, theirs)
    assert np.abs(forward).max() <= 1
    # Into full-range chroma swscale truncates, half a value too low on average.
    assert abs(forward.mean()) < (0.4 if full else 0.02)
    back_ours = to_working(ours, yuv444, coding, "rgb", 8)
    frame = frame_from_planes(ours, "yuv444p").reformat(
        format="rgb24",
        src_colorspace=space,
        src_color_range=color_range,
        dst_color_range=ColorRange.JPEG,
        interpolation=ACCURATE,
    )
    backward = differences(back_ours, planes_of(frame)[0])
    assert np.abs(backward).max() <= 1
    assert abs(backward.mean()) < 0.02
    assert np.abs(differences(back_ours, rgb)).max() <= 2


def _filter(ffmpeg: Any, data: bytes, source: str, graph: str, target: str) -> bytes:
    size = f"{WIDTH}x{HEIGHT}"
    raw = ("-f", "rawvideo", "-pix_fmt")
    output: bytes = ffmpeg(*raw, source, "-s", size, "-i", "-", "-vf", graph, *raw, target, "-", stdin=data)
    return output


@pytest.mark.parametrize(("matrix", "full"), CODINGS)
@pytest.mark.parametrize("depth", [8, 10])
def test_white_black_and_grey_are_exact(matrix: str, full: bool, depth: int) -> None:
    coding = ColorCoding(matrix, full)
    target = describe_pixel_format("yuv444p" if depth == 8 else "yuv444p10le")
    levels = np.array([[0, 255]], np.uint8)
    luma, blue, red = from_working((levels, levels, levels), target, coding, "rgb", 8)
    step = 1 << (depth - 8)
    assert luma.tolist() == ([[0, (1 << depth) - 1]] if full else [[16 * step, 235 * step]])
    assert (blue == 128 * step).all()
    assert (red == 128 * step).all()


def test_weights_are_those_of_the_standards() -> None:
    assert luma_weights("smpte170m") == luma_weights("bt470bg") == (0.299, pytest.approx(0.587), 0.114)
    assert luma_weights("bt709") == (0.2126, pytest.approx(0.7152), 0.0722)
    assert luma_weights("bt2020nc") == (0.2627, pytest.approx(0.6780), 0.0593)


def test_matrix_without_linear_form_is_refused() -> None:
    with pytest.raises(DataError, match="ictcp"):
        luma_weights("ictcp")


def test_untagged_matrix_follows_height() -> None:
    assert (guess_matrix(719), guess_matrix(720)) == ("smpte170m", "bt709")


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("chroma", [False, True])
@pytest.mark.parametrize(("low", "high"), [(8, 10), (9, 10), (10, 12), (10, 16)])
def test_depth_up_and_down_is_identity(low: int, high: int, full: bool, chroma: bool) -> None:
    values = np.arange(1 << low, dtype=np.uint8 if low <= 8 else np.uint16).reshape(1, -1)
    raised = rescale_depth(values, low, high, full, chroma)
    assert raised.max() < 1 << high
    assert np.array_equal(rescale_depth(raised, high, low, full, chroma), values)


def test_depth_is_rounded_not_truncated() -> None:
    values = np.array([[0, 1, 2, 3, 5, 6, 4094, 4095]], np.uint16)
    assert rescale_depth(values, 12, 10, full_range=False).tolist() == [[0, 0, 1, 1, 1, 2, 1023, 1023]]
