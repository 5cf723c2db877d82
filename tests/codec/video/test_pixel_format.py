"""Pixel formats: what names mean, and samples in and out of frames."""

from __future__ import annotations

import av
import numpy as np
import pytest
from av.video.format import names as ffmpeg_names

from scaleflow.codec.video.frame_planes import frame_from_planes, planes_of
from scaleflow.codec.video.pixel_format import describe_pixel_format
from scaleflow.errors import DataError

WIDTH, HEIGHT = 22, 14
DECODED_FORMATS = (
    "yuv420p yuv422p yuv444p yuv440p yuv411p yuv410p yuvj420p yuvj422p yuvj444p nv12 nv21 nv16 yuyv422 uyvy422 "
    "yuva420p yuva444p yuv420p9le yuv420p10le yuv422p10le yuv444p10le yuv420p10be yuv422p12le yuv444p12le yuv444p16le "
    "p010le gray gray10le gray12le gray16be ya8 monow monob pal8 rgb24 bgr24 rgba bgra argb rgb0 bgr0 rgb565le "
    "rgb555le gbrp gbrap gbrp10le gbrp12le gbrp16le rgb48le rgb48be rgba64be"
).split()


def random_frame(layout: str) -> av.VideoFrame:
    frame = av.VideoFrame(WIDTH, HEIGHT, layout)
    random = np.random.default_rng(3)
    for plane in frame.planes:
        samples = np.frombuffer(plane, np.uint8)
        samples[:] = random.integers(0, 256, samples.size)
    return frame


def test_every_format_of_ffmpeg_is_described_or_refused_with_a_reason() -> None:
    described = 0
    for name in sorted(ffmpeg_names):
        try:
            form = describe_pixel_format(name)
        except DataError as error:
            assert name in str(error)
            continue
        described += 1
        assert form.bit_depth in (8, 9, 10, 12, 14, 16)
        assert describe_pixel_format(form.planar_name).family == form.family
    assert described > 180


@pytest.mark.parametrize("name", DECODED_FORMATS)
def test_formats_that_decoders_give_have_planes(name: str) -> None:
    form = describe_pixel_format(name)
    planes, _ = planes_of(random_frame(name))
    assert len(planes) == (1 if form.family == "gray" else 3)
    assert planes[0].shape == (HEIGHT, WIDTH)
    assert {plane.dtype for plane in planes} == {np.dtype(np.uint8 if form.bit_depth == 8 else np.uint16)}


@pytest.mark.parametrize(
    ("name", "family", "depth", "shifts", "planar"),
    [
        ("yuv420p", "yuv", 8, (1, 1), "yuv420p"),
        ("yuvj420p", "yuv", 8, (1, 1), "yuv420p"),
        ("nv12", "yuv", 8, (1, 1), "yuv420p"),
        ("p010le", "yuv", 10, (1, 1), "yuv420p10le"),
        ("yuyv422", "yuv", 8, (1, 0), "yuv422p"),
        ("yuv444p12be", "yuv", 12, (0, 0), "yuv444p12le"),
        ("yuva420p", "yuv", 8, (1, 1), "yuv420p"),
        ("yuv410p", "yuv", 8, (2, 2), "yuv410p"),
        ("gray10le", "gray", 10, (0, 0), "gray10le"),
        ("monow", "gray", 8, (0, 0), "gray"),
        ("ya8", "gray", 8, (0, 0), "gray"),
        ("pal8", "rgb", 8, (0, 0), "rgb24"),
        ("gbrp10le", "rgb", 10, (0, 0), "gbrp10le"),
        ("rgba64be", "rgb", 16, (0, 0), "rgb48le"),
    ],
)
def test_descriptions(name: str, family: str, depth: int, shifts: tuple[int, int], planar: str) -> None:
    form = describe_pixel_format(name)
    assert (form.family, form.bit_depth, form.chroma_shifts, form.planar_name) == (family, depth, shifts, planar)


def test_unknown_name_is_refused() -> None:
    with pytest.raises(DataError, match="yuv421p"):
        describe_pixel_format("yuv421p")


@pytest.mark.parametrize(
    "layout", ["yuv420p", "yuv422p10le", "yuv410p", "gray", "gray16le", "rgb24", "rgb48be", "bgr0", "gbrp", "gbrp12le"]
)
def test_samples_survive_a_frame(layout: str) -> None:
    planes, _ = planes_of(random_frame(layout))
    again, _ = planes_of(frame_from_planes(planes, layout))
    assert all(np.array_equal(first, second) for first, second in zip(planes, again, strict=True))


def test_unpacking_moves_samples_and_changes_none() -> None:
    packed = random_frame("nv12")
    luma, blue, red = planes_of(packed)[0]
    lines = np.frombuffer(packed.planes[1], np.uint8).reshape(-1, packed.planes[1].line_size)
    assert np.array_equal(blue, lines[: HEIGHT // 2, 0:WIDTH:2])
    assert np.array_equal(red, lines[: HEIGHT // 2, 1:WIDTH:2])
    assert luma.shape == (HEIGHT, WIDTH)
    packed = random_frame("rgba")
    lines = np.frombuffer(packed.planes[0], np.uint8).reshape(-1, packed.planes[0].line_size)
    for place, plane in enumerate(planes_of(packed)[0]):
        assert np.array_equal(plane, lines[:HEIGHT, place : 4 * WIDTH : 4])
