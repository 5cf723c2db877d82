"""What a perceptual decoder changes at equal bytes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scaleflow.cli.decoder_table import decoder_lines
from scaleflow.evaluation.metrics.names import with_fidelity
from scaleflow.evaluation.rate_distortion.point import RatePoint
from scaleflow.evaluation.statistics.decoder_comparison import change, compare_decoders, lone_codecs
from tests.evaluation.rate_distortion.test_point import MASKED, point

PERCEPTUAL = ("scaleflow", "decode", "INPUT", "OUTPUT", "--decoder", "perceptual")


def shown(codec: str, clip: str, stream: str, decode: tuple[str, ...], **metrics: float | None) -> RatePoint:
    """A point of a stream, with means only."""
    made = point(replace(MASKED, name=clip, content=clip), psnr=[0.0, 0.0])
    named = {name.replace("_", "-"): value for name, value in metrics.items()}
    return replace(made, codec=codec, stream_hash=stream, decode_command=decode, metrics=named, setting=stream)


def points() -> list[RatePoint]:
    """Two streams of a clip and one of another; a third of the first that only one decoder has shown."""
    return [
        shown("scaleflow", "a", "s1", PERCEPTUAL[:4], psnr_yuv=30.0, lpips=0.4, ms_ssim_y=0.9, vmaf=50.0),
        shown("scaleflow", "a", "s2", PERCEPTUAL[:4], psnr_yuv=34.0, lpips=0.2, ms_ssim_y=0.99, vmaf=80.0),
        shown("scaleflow", "b", "s3", PERCEPTUAL[:4], psnr_yuv=40.0, lpips=0.1, ms_ssim_y=None, vmaf=90.0),
        shown("sharp", "a", "s1", PERCEPTUAL, psnr_yuv=29.0, lpips=0.2, ms_ssim_y=0.9, vmaf=49.0),
        shown("sharp", "a", "s2", PERCEPTUAL, psnr_yuv=33.5, lpips=0.18, ms_ssim_y=0.9, vmaf=82.0),
        shown("sharp", "b", "s3", PERCEPTUAL, psnr_yuv=39.5, lpips=0.08, ms_ssim_y=None, vmaf=90.0),
        shown("sharp", "a", "s4", PERCEPTUAL, psnr_yuv=1.0, lpips=1.0),
        shown("x264", "a", "s9", ("ffmpeg",), psnr_yuv=31.0, lpips=0.5),
    ]


def test_changes_are_of_the_same_bytes() -> None:
    (found,) = compare_decoders(points())
    assert (found.codec, found.against, found.perception, found.streams) == ("sharp", "scaleflow", 1.0, 3)
    assert found.clips["a"]["psnr-yuv"] == pytest.approx((-1 - 0.5) / 2)
    assert found.clips["a"]["lpips"] == pytest.approx((-50 - 10) / 2)
    assert found.clips["a"]["ms-ssim-y"] == pytest.approx((0 + 10 - 20) / 2)  # in dB of its distance from 1
    assert found.clips["a"]["vmaf"] == pytest.approx(0.5)
    assert found.mean["lpips"] == pytest.approx((-30 - 20) / 2)  # each clip counts once
    assert found.mean["ms-ssim-y"] == pytest.approx(-5) and "ms-ssim-y" not in found.clips["b"]


def test_the_same_stream_of_another_clip_is_another() -> None:
    moved = [replace(p, clip=replace(p.clip, content="c")) if p.codec == "sharp" else p for p in points()]
    assert not compare_decoders(moved) and lone_codecs(moved) == ["sharp"]
    unknown = [replace(p, stream_hash="") for p in points()]
    assert not compare_decoders(unknown)


def test_strengths_are_kept_apart() -> None:
    half = [
        replace(p, decode_command=(*PERCEPTUAL, "--perception", "0.5")) if p.stream_hash == "s1" else p
        for p in points()
        if p.codec != "scaleflow" or p.stream_hash != "s4"
    ]
    fidelity = [p if p.codec == "sharp" else replace(p, decode_command=PERCEPTUAL[:4]) for p in half]
    assert {(one.perception, one.streams) for one in compare_decoders(fidelity)} == {(0.5, 1), (1.0, 2)}
    heading, _, *rows = decoder_lines(fidelity, ("lpips",))[1:]
    assert heading.endswith("mean change over 1 stream of 1 clip or 2 streams of 2 clips")
    assert [row.split()[:2] for row in rows] == [["perception", "0.5"], ["perception", "1"]]


def test_changes_without_a_value() -> None:
    assert change("lpips", 0.1, 0.2) == pytest.approx(-50) and change("psnr-y", 30, 31) == -1
    assert change("effnet-kernel", 1.0, -0.1) != change("effnet-kernel", 1.0, -0.1)  # of nothing there is no percent
    assert change("ms-ssim-y", 1.0, 0.9) != change("ms-ssim-y", 1.0, 0.9)


def test_the_table_says_what_fidelity_pays() -> None:
    lines = decoder_lines(points(), ("psnr-yuv", "lpips", "vmaf", "flicker"), by_clip=True)
    assert lines[1] == "sharp against scaleflow, whose streams are the same: mean change over 3 streams of 2 clips"
    assert [line.split() for line in lines[2:]] == [
        ["psnr-yuv", "lpips", "vmaf"],
        ["perception", "1", "-0.62", "dB", "-25.0", "%", "+0.25"],
        ["a", "-0.75", "dB", "-30.0", "%", "+0.50"],
        ["b", "-0.50", "dB", "-20.0", "%", "+0.00"],
    ]
    assert len(decoder_lines(points(), ("psnr-yuv",))) == 4
    alone = decoder_lines([p for p in points() if p.codec == "sharp"], ("lpips",))
    assert alone == ["", "sharp: to see what fidelity pays, measure the codec without --decoder perceptual too"]
    assert not decoder_lines([p for p in points() if p.codec != "sharp"], ("lpips",))


@pytest.mark.parametrize(
    ("asked", "measured"),
    [
        (("lpips",), ("psnr-yuv", "lpips")),
        (("flicker", "vmaf"), ("psnr-yuv", "vmaf", "flicker")),
        (("psnr-y", "effnet-distance"), ("psnr-y", "effnet-distance")),
        (("ms-ssim-y",), ("ms-ssim-y",)),
    ],
)
def test_perception_is_never_measured_alone(asked: tuple[str, ...], measured: tuple[str, ...]) -> None:
    assert with_fidelity(asked) == measured
