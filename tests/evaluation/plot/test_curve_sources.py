"""Which curves are found in folders and files, and how often repeated clips are told from one."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from scaleflow.errors import DataError, UsageError
from scaleflow.evaluation.plot.curve_sources import read_curves
from scaleflow.evaluation.plot.log_ticks import log_ticks, tick_text
from scaleflow.evaluation.plot.metric_scale import axis_label, choose_metrics, metric_title
from scaleflow.evaluation.rate_distortion.point_file import read_point
from scaleflow.evaluation.statistics.bootstrap import bootstrap_interval
from scaleflow.evaluation.statistics.decibels import in_decibels


@pytest.fixture
def several_clips(results: Path, tmp_path: Path) -> Path:
    """The points of a clip, and as many of four others that are some dB away."""
    folder = tmp_path / "several"
    (folder / "points").mkdir(parents=True)
    for path in (results / "points").iterdir():
        point = read_point(path)
        for number in range(5):
            metrics = {name: None if value is None else value + number for name, value in point.metrics.items()}
            metrics["ms-ssim-rgb"] = 0.99 - 0.001 * number
            other = replace(point, clip=replace(point.clip, name=f"clip {number}"), metrics=metrics)
            (folder / "points" / f"{number}-{path.name}").write_text(other.to_json())
    return folder


def test_averages_have_intervals_over_clips(several_clips: Path) -> None:
    curves = read_curves([several_clips])
    assert [curve.label for curve in curves] == ["scaleflow", "x264"]
    for curve in curves:
        assert curve.clips == 5 and len(curve.curve.settings) == 3
        for value, (low, high) in zip(curve.curve.metrics["psnr-y"], curve.intervals["psnr-y"], strict=True):
            # The mean of 0..4 is 2; the interval of the mean of five reaches about 1.2 to both sides.
            assert value - 1.6 < low < value - 0.8 and value + 0.8 < high < value + 1.6


def test_one_clip_has_no_interval(several_clips: Path, results: Path) -> None:
    assert all(not curve.intervals and curve.clips == 1 for curve in read_curves([several_clips], clip="clip 3"))
    assert all(not curve.intervals for curve in read_curves([results]))


def test_settings_that_lack_a_clip_are_said(several_clips: Path, caplog: pytest.LogCaptureFixture) -> None:
    next((several_clips / "points").glob("0-*x264-30.json")).unlink()
    curve = read_curves([several_clips], codecs=["x264"])[0]
    assert curve.curve.settings == ("-crf 38", "-crf 22")
    assert "x264 at -crf 30 lacks clips: left out of the average" in caplog.text


def test_same_codec_of_two_sources_carries_the_sources_name(several_clips: Path, results: Path) -> None:
    labels = [curve.label for curve in read_curves([several_clips, results], codecs=["x264"])]
    assert labels == ["x264 (several)", "x264 (results)"]
    twin = shutil.copytree(results, several_clips.parent / "results")
    labels = [curve.label for curve in read_curves([twin, results], codecs=["x264"])]
    assert labels == [f"x264 ({twin})", f"x264 ({results})"]


def test_interval_of_missing_values_is_none() -> None:
    assert all(math.isnan(end) for end in bootstrap_interval([1.0, None, 2.0]))
    assert bootstrap_interval([3.0, 3.0, 3.0]) == (3.0, 3.0)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is no JSON"),
        ('{"results": {"psnr": [1, 2]}}', "neither bpp nor bitrate"),
        ('{"results": {"bpp": ["a"], "psnr-y": [30]}}', 'bpp[0]: expected a number, not "a"'),
        ('{"results": {"bpp": [0.1, -1], "psnr-y": [30, 31]}}', "bpp[1]: -1 is outside 1e-09..1e+09"),
        ('{"results": {"bpp": [0.1], "bitrate": [1, 2], "psnr-y": [30]}}', "bitrate has 2 values for 1 points"),
        ('{"results": {"bpp": [0.1, 0.2], "psnr-y": [30]}}', "has no metric with a value for each"),
        ("[]", "expected an object, not []"),
        ('{"curves": {}}', "holds no curve in CompressAI's schema"),
        ('{"results": {"bpp": [0.1], "psnr": [1' + "0" * 400 + "]}}", "psnr[0]: "),
        ('{"a":' * 5000, "nested too deeply"),
        ('{"name": "\\ud800", "results": {}}', "halves of characters"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"broken\.json") as caught:
        read_curves([path])
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_what_is_not_there_is_named(several_clips: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere: no such folder or file"):
        read_curves([tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty holds no points: scaleflow rd"):
        read_curves([tmp_path / "empty"])
    with pytest.raises(UsageError, match=r"clip 'foreman' was not measured: there are clip 0, clip 1"):
        read_curves([several_clips], clip="foreman")
    with pytest.raises(UsageError, match=r"codec 'vvenc' was not measured; there are scaleflow, x264"):
        read_curves([several_clips], codecs=["vvenc"])


def test_files_hold_no_clips(several_clips: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "published.json"
    path.write_text(json.dumps({"name": "theirs", "results": {"bpp": [0.1, 0.2], "psnr-y": [30, 33]}}))
    assert {c.label for c in read_curves([several_clips, path])} == {"scaleflow", "x264", "theirs"}
    assert {c.label for c in read_curves([several_clips, path], clip="clip 1")} == {"scaleflow", "x264"}
    assert "holds averages, not clip clip 1: left out" in caplog.text


def test_scales_and_labels() -> None:
    assert in_decibels("ms-ssim-y", 0.99) == pytest.approx(20)
    assert math.isnan(in_decibels("ms-ssim-y", 1.0)) and math.isnan(in_decibels("psnr-y", None))
    assert axis_label("ms-ssim-rgb") == "MS-SSIM-RGB (dB)\n−10 log₁₀(1 − m)"
    assert axis_label("lpips") == "LPIPS (lower is better)" and axis_label("vmaf") == "VMAF"
    assert metric_title("psnr-yuv-of-mean-mse") == "PSNR-YUV of mean MSE"
    assert choose_metrics([["psnr-rgb"], ["psnr-rgb", "psnr-yuv"], ["lpips"]]) == ["psnr-rgb", "lpips"]
    assert choose_metrics([["mse"]]) == ["mse"]


@pytest.mark.parametrize("low", [0.00013, 0.004, 0.07, 1, 830])
@pytest.mark.parametrize("span", [1.5, 3, 10, 100, 5000])
def test_ticks_are_few_and_not_too_few(low: float, span: float) -> None:
    ticks = log_ticks(low, low * span)
    assert 2 <= len(ticks) <= 7 and ticks == sorted(ticks)
    assert low <= ticks[0] and ticks[-1] <= low * span
    assert all("e" not in tick_text(tick) and float(tick_text(tick)) == tick for tick in ticks if tick < 1e6)
