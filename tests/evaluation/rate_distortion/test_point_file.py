"""Points are data of anyone: what passes the reader is in range, and names nothing outside the results folder."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from scaleflow.errors import DataError
from scaleflow.evaluation.rate_distortion.point import EvaluatedClip, FrameRecords, RatePoint
from scaleflow.evaluation.rate_distortion.point_file import read_point
from scaleflow.evaluation.rate_distortion.results import read_points
from scaleflow.json_values import plain_text

POINT = RatePoint(
    EvaluatedClip("clip.y4m", "clips/clip.y4m", "c0", 64, 48, 2, 25.0), "x264", "x264 medium", "-crf 30",
    ("ffmpeg", "INPUT"), ("ffmpeg", "OUTPUT"), "streams/0a1b.nut", 300, 0.4, 30.0, {"intra": 0.3, "container": -0.01},
    1.0, 0.5, {"psnr-y": 30.5, "vmaf": None},
    FrameRecords([0, 0.04], [80, 40], ["intra", "inter"], {"psnr-y": [30, 31]}), stream_hash="s0",
)  # fmt: skip


def changed(place: str, value: Any) -> str:
    """The JSON of :data:`POINT` with another value at a place such as ``clip.name``."""
    values = json.loads(POINT.to_json())
    *path, last = place.split("/")
    inner = values
    for key in path:
        inner = inner[int(key) if isinstance(inner, list) else key]
    inner[int(last) if isinstance(inner, list) else last] = value
    return json.dumps(values)


def written(folder: Path, text: str) -> Path:
    path = folder / "0a1b.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return path


def test_our_own_come_back(tmp_path: Path) -> None:
    assert read_point(written(tmp_path, POINT.to_json())) == POINT
    path = plain_text("clips \ud8ff\n/a.y4m")  # As Python has names that are no UTF-8.
    assert path == "clips \\ud8ff\\u000a/a.y4m" and plain_text("Übung 9\u202fAM") == "Übung 9\u202fAM"
    assert read_point(written(tmp_path, changed("clip/path", path))).clip.path == path
    odd = changed("clip/name", "Screen Recording 9.00.00\u202fAM <b>$x$.mov")
    assert read_point(written(tmp_path, odd)).clip.name.startswith("Screen Recording")


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("stream", "../victim.txt", "stream '../victim.txt' is no file of the folder streams"),
        ("stream", "streams/../../victim.txt", "is no file of the folder streams"),
        ("stream", "/etc/passwd", "is no file of the folder streams"),
        ("stream", "streams/a/b.nut", "is no file of the folder streams"),
        ("stream", "streams/", "is no file of the folder streams"),
        ("stream", "streams/.hidden", "is no file of the folder streams"),
        ("codec", "../escaped", "codec '../escaped' is no name of a codec"),
        ("codec", "a" * 300, "is no name of a codec"),
        ("codec", "a\nb", "control characters"),
        ("clip/name", "../clip.y4m", "clip.name: \"../clip.y4m\" is no plain name of a file"),
        ("clip/name", "", "is no plain name of a file"),
        ("clip/name", "\ud800", "halves of characters"),
        ("clip/width", 0, "clip.width: 0 is outside 1..1.04858e+06"),
        ("clip/width", 1e400, "is no JSON: Infinity is no number"),
        ("clip/frames", 3, "frames: has 2 pictures, the clip 3"),
        ("clip/frame_rate", 0, "clip.frame_rate: 0.0 is outside"),
        ("clip/change", "shift " + "9" * 5000 + ",0", "longer than 4096 characters"),
        ("clip/change", "rotate 3", "clip.change: 'rotate 3' is no change of clips"),
        ("bits_per_pixel", 0, "bits_per_pixel: 0.0 is outside"),
        ("bits_per_pixel", 10**400, "bits_per_pixel: 1000"),
        ("bits_per_pixel", "0.4", 'point.bits_per_pixel: expected a number, not "0.4"'),
        ("bits_per_pixel", True, "expected a number, not true"),
        ("metrics", [], "point.metrics: expected an object, not []"),
        ("metrics/bits", 3.0, "'bits' is no name of a metric"),
        ("metrics/psnr-y", 1e300, "outside"),
        ("metrics/psnr-y", [[[1]]], "expected a number"),
        ("frames/bits/0", 2**64, "outside"),
        ("frames/bits/0", 0.5, "expected a whole number, not 0.5"),
        ("frames/bits", [1], "frames.bits has 1 values for 2 pictures"),
        ("frames/kinds/0", "bidirectional", "'bidirectional' is neither intra nor inter"),
        ("frames/times/1", None, "expected a number, not null"),
        ("encode_command", "ffmpeg", "point.encode_command: expected a list"),
        ("encode_command/0", {}, "point.encode_command[0]: expected a text, not {}"),
        ("identical", 3, "identical: 3 is outside 0..2"),
        ("software", {"ffmpeg": 9}, "point.software.ffmpeg: expected a text, not 9"),
        ("votes", {}, "'votes' is not known here"),
    ],
)  # fmt: skip
def test_values_out_of_range(tmp_path: Path, place: str, value: Any, words: str) -> None:
    with pytest.raises(DataError, match=r"0a1b\.json: .*no point that scaleflow rd wrote; delete it") as caught:
        read_point(written(tmp_path, changed(place, value)))
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no JSON"),
        ("[]", "expected an object, not []"),
        ("[" * 5000, "nested too deeply"),
        ('{"codec": "x264"}', "has no 'clip'"),
        (POINT.to_json()[:-20], "is no JSON"),
        (POINT.to_json().replace("30.5", "NaN"), "NaN is no number"),
    ],
)
def test_what_is_no_point(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=r"0a1b\.json") as caught:
        read_point(written(tmp_path, text))
    assert words in str(caught.value)


def test_pipes_and_bytes_of_other_encodings(tmp_path: Path) -> None:
    (tmp_path / "points").mkdir()
    os.mkfifo(tmp_path / "points" / "a.json")
    with pytest.raises(DataError, match=r"a\.json: is no file that can be read"):
        read_points(tmp_path)
    path = tmp_path / "latin.json"
    path.write_bytes(POINT.to_json().replace("x264", "x\u00e9").encode("latin-1"))
    with pytest.raises(DataError, match=r"latin\.json: is no JSON"):
        read_point(path)
