"""Whole comparisons of files: what matches, what is refused, and the metrics of ffmpeg's filters."""

from __future__ import annotations

import json
import math
import random
import re
import stat
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from scaleflow.errors import DataError, UsageError
from scaleflow.evaluation.metrics.comparison import Comparison, compare

FFmpeg = Callable[..., None]


def copy_without(source: Path, target: Path, dropped: set[int], twice: frozenset[int] = frozenset()) -> Path:
    """Re-wrap pictures without loss, each at its own time; some are left out, some come twice, half a picture later."""
    with av.open(str(source)) as container, av.open(str(target), "w") as output:
        stream = output.add_stream("ffv1", rate=25)
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, frame in enumerate(container.decode(video=0)):
            if number == 0:
                stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, frame.format.name
            times = [] if number in dropped else [40 * number] + [40 * number + 20] * (number in twice)
            for time in times:
                frame.pts, frame.time_base = time, Fraction(1, 1000)
                output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return target


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov", "ts"])
def test_containers_and_starts_match(
    ffmpeg: FFmpeg, bikes: Path, coded_bikes: Path, tmp_path: Path, suffix: str
) -> None:
    other = tmp_path / f"other.{suffix}"
    ffmpeg("-itsoffset", 1.5, "-i", coded_bikes, "-c", "copy", other)
    found, expected = (compare(bikes, path, ["psnr-y"]) for path in (other, coded_bikes))
    assert found.frames == expected.frames
    assert found.times == pytest.approx([n / 25 for n in range(10)])


@pytest.mark.parametrize("missing", [1, 4, 8])
def test_a_missing_picture_is_an_error(bikes: Path, tmp_path: Path, missing: int) -> None:
    decoded = copy_without(bikes, tmp_path / "decoded.mkv", {missing})
    with pytest.raises(
        DataError, match=rf"decoded.mkv: lacks picture {missing} of \S*bikes.y4m, at 0\.{40 * missing:03} s"
    ):
        compare(bikes, decoded, ["psnr"])
    whole = copy_without(bikes, tmp_path / "whole.mkv", set())
    assert compare(bikes, whole, ["psnr"]).identical == 10


def test_missing_ends_and_extra_pictures_are_errors(bikes: Path, tmp_path: Path) -> None:
    for dropped in ({0}, {9}, {7, 8, 9}):
        decoded = copy_without(bikes, tmp_path / "short.mkv", dropped)
        with pytest.raises(DataError, match=rf"short.mkv: ends after {10 - len(dropped)} pictures"):
            compare(bikes, decoded, ["psnr"])
    decoded = copy_without(bikes, tmp_path / "extra.mkv", set(), frozenset({3}))
    with pytest.raises(DataError, match=r"extra.mkv: picture 4, at 0\.140 s, is not in"):
        compare(bikes, decoded, ["psnr"])
    assert len(compare(bikes, decoded, ["psnr"], frames=3).times) == 3


def test_sizes_must_agree(ffmpeg: FFmpeg, bikes: Path, tmp_path: Path) -> None:
    ffmpeg("-i", bikes, "-vf", "scale=168:112", tmp_path / "small.y4m")
    with pytest.raises(DataError, match=r"small.y4m: is 168x112, \S*bikes.y4m is 336x224"):
        compare(bikes, tmp_path / "small.y4m", ["psnr"])


def test_damage_is_not_measured(bikes: Path, coded_bikes: Path, tmp_path: Path) -> None:
    data = bytearray(coded_bikes.read_bytes())
    (tmp_path / "cut.mp4").write_bytes(data[:2000])
    start = data.index(b"mdat") + 1500
    # H.264 has no checksums: with 40 of seeds 0 to 399, the noise decodes as if it were a picture.
    data[start : start + 200] = random.Random(1).randbytes(200)
    (tmp_path / "noise.mp4").write_bytes(data)
    (tmp_path / "text.mp4").write_text("hello")
    (tmp_path / "empty.mp4").touch()
    for name in ("cut", "noise", "text", "empty"):
        with pytest.raises(DataError, match=rf"{name}.mp4: "):
            compare(bikes, tmp_path / f"{name}.mp4", ["psnr"])


def test_requests_are_checked(bikes: Path) -> None:
    for options, message in (
        ({"metrics": ["psnr", "ssim"]}, "no metric 'ssim'"),
        ({"metrics": []}, "no metric is named"),
        ({"metrics": ["psnr"], "frames": 0}, "frames 0"),
        ({"metrics": ["psnr"], "frame_rate": Fraction(0)}, "frame_rate 0"),
    ):
        with pytest.raises(UsageError, match=message):
            compare(bikes, bikes, **options)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no such file"):
        compare(bikes, bikes.with_name("none.mp4"), ["psnr"])


def test_raw_files_take_the_form_of_the_original(ffmpeg: FFmpeg, bikes: Path, tmp_path: Path) -> None:
    raw = tmp_path / "reconstruction.yuv"
    ffmpeg("-i", bikes, "-f", "rawvideo", raw)
    assert compare(bikes, raw, ["psnr"]).identical == 10
    raw.write_bytes(raw.read_bytes()[:-7])
    with pytest.raises(DataError, match="not a whole number of 336x224 yuv420p pictures"):
        compare(bikes, raw, ["psnr"])


def test_folders_of_pictures_have_the_rate_that_is_given(ffmpeg: FFmpeg, bikes: Path, tmp_path: Path) -> None:
    ffmpeg("-i", bikes, tmp_path / "%03d.png")
    ffmpeg("-r", 30, "-i", bikes, tmp_path / "fast.mkv")
    folder, fast = tmp_path / "%03d.png", tmp_path / "fast.mkv"
    with pytest.raises(DataError, match=r"taken to have 25 pictures/s; frame_rate changes that"):
        compare(folder, fast, ["psnr-rgb"])
    assert len(compare(folder, fast, ["psnr-rgb"], frame_rate=Fraction(30)).times) == 10


def test_vmaf_agrees_with_ffmpeg_on_the_files(ffmpeg: FFmpeg, bikes: Path, coded_bikes: Path, tmp_path: Path) -> None:
    log = tmp_path / "vmaf.json"
    ffmpeg("-i", coded_bikes, "-i", bikes, "-lavfi", f"[0][1]libvmaf=log_fmt=json:log_path={log}", "-f", "null", "-")
    expected = json.loads(log.read_text())
    found = compare(bikes, coded_bikes, ["vmaf"])
    assert found.frames["vmaf"] == pytest.approx([frame["metrics"]["vmaf"] for frame in expected["frames"]], abs=1e-4)
    assert found.means["vmaf"] == pytest.approx(expected["pooled_metrics"]["vmaf"]["mean"], abs=1e-4)
    assert 20 < found.means["vmaf"] < 95


def test_xpsnr_agrees_with_ffmpeg_on_the_files(ffmpeg: FFmpeg, bikes: Path, coded_bikes: Path, tmp_path: Path) -> None:
    log = tmp_path / "xpsnr.log"
    ffmpeg("-i", bikes, "-i", coded_bikes, "-lavfi", f"[0][1]xpsnr=stats_file={log}", "-f", "null", "-")
    expected = re.findall(r"XPSNR y: (\S+) +XPSNR u: (\S+) +XPSNR v: (\S+)", log.read_text())
    found = compare(bikes, coded_bikes, ["xpsnr"])
    assert found.frames["xpsnr-y"] == [float(line[0]) for line in expected]
    assert found.frames["xpsnr-v"] == [float(line[2]) for line in expected]
    same = compare(bikes, bikes, ["xpsnr-u"])
    assert set(same.frames) == {"xpsnr-u"} and math.isinf(same.means["xpsnr-u"])


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("size", [(64, 48), (67, 49)])
def test_filters_see_each_sample_in_its_place(tmp_path: Path, bits: int, size: tuple[int, int]) -> None:
    """What differs in one sample only, at any edge, is seen in that plane alone."""
    width, height = size
    random = np.random.default_rng(bits)
    shapes = [(height, width)] + [(-(-height // 2), -(-width // 2))] * 2
    dtype = np.uint8 if bits == 8 else np.uint16
    planes = [random.integers(40, 200, (3, *shape)).astype(dtype) for shape in shapes]
    names = [tmp_path / f"{name}_{width}x{height}_25fps_420_{bits}bit.yuv" for name in ("original", "decoded")]
    for n, path in enumerate(names):
        if n:
            planes[0][1, -1, -1] += 9
            planes[2][2, -1, 0] += 9
        path.write_bytes(b"".join(plane[n].tobytes() for n in range(3) for plane in planes))
    found = compare(*names, ["xpsnr", "psnr"])
    assert found.identical == 1
    for group in ("psnr", "xpsnr"):
        infinite = [[math.isinf(value) for value in found.frames[f"{group}-{plane}"]] for plane in "yuv"]
        assert infinite == [[True, False, True], [True, True, True], [True, True, False]]


def test_an_ffmpeg_without_the_filter_is_named(bikes: Path, tmp_path: Path) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\necho ' TS psnr  VV->V  Calculate the PSNR.'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    for metric, name in (("vmaf", "libvmaf"), ("xpsnr", "xpsnr")):
        with pytest.raises(UsageError, match=rf"{name}: \S*ffmpeg lacks the filter {name}; .*\.\[evaluate\]"):
            compare(bikes, bikes, [metric], ffmpeg=program)
    with pytest.raises(UsageError, match="no such program"):
        compare(bikes, bikes, ["vmaf"], ffmpeg=tmp_path / "none")
    program.write_text(
        "#!/bin/sh\ncase $* in *-filters) echo ' .. libvmaf VV->V';; *) echo 'Out of luck' >&2; exit 3;; esac\n"
    )
    with pytest.raises(DataError, match="ffmpeg failed: Out of luck"):
        compare(bikes, bikes, ["vmaf"], ffmpeg=program)


@pytest.mark.parametrize("name", ["foreman_cif_intra.264", "park_joy_480x270.y4m", "flower_cc0.mp4"])
def test_real_clips(ffmpeg: FFmpeg, evaluation_clip: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    original, decoded, log = evaluation_clip(name), tmp_path / "decoded.mp4", tmp_path / "psnr.log"
    rate = ["-r", 25] if name.endswith(".264") else []
    ffmpeg(*rate, "-i", original, "-frames:v", 5, "-c:v", "libx264", "-crf", 30, "-threads", 1, decoded)
    found = compare(original, decoded, ["psnr", "ms-ssim"], frames=5)
    graph = f"[0]trim=end_frame=5[a];[1]trim=end_frame=5[b];[a][b]psnr=stats_file={log}:shortest=1"
    ffmpeg("-i", decoded, *rate, "-i", original, "-lavfi", graph, "-f", "null", "-")
    expected = [float(value) for value in re.findall(r"psnr_y:(\S+)", log.read_text())]
    assert found.frames["psnr-y"] == pytest.approx(expected[:5], abs=0.01)
    assert 25 < found.means["psnr-yuv"] < 50 and 0.8 < found.means["ms-ssim-y"] < 1


def test_progress_is_told(bikes: Path) -> None:
    calls: list[tuple[int, int | None]] = []
    compare(bikes, bikes, ["psnr-y"], frames=4, progress=lambda *now: calls.append(now))
    assert calls == [(n, 4) for n in range(1, 5)]


def test_results_are_checked() -> None:
    with pytest.raises(ValueError, match="psnr-y has 1 values for 2 pictures"):
        Comparison([0.0, 0.04], 16, 16, {"psnr-y": [30.0]}, {"psnr-y": 30.0}, 0)
