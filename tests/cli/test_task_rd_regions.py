"""``scaleflow task-rd`` with regions of interest: found by the network of the task, or marked by files."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from scaleflow.codec.video.reader import open_video
from scaleflow.efficient_nets.tasks.foreground import Foreground
from scaleflow.evaluation.metrics.names import with_regions
from scaleflow.evaluation.rate_distortion.clip_regions import GivenRegions
from scaleflow.evaluation.rate_distortion.results import read_points
from scaleflow.evaluation.task_rate_distortion.labelled_clips import labelled_clips
from scaleflow.evaluation.task_rate_distortion.task_point import UNCOMPRESSED, read_task_points
from tests.cli.conftest import Result, encoders_in_this_process, typed
from tests.cli.test_nets import camvid, trained

__all__ = ["camvid", "trained"]

FRAMES = 3
GATES = "codec-gates prediction=4 residual=4"


def task_rd(camvid: Path, trained: Path, folder: Path, *arguments: object) -> Result:
    own = f"roi=scaleflow --roi-from segmentation --roi-network {trained} --quality 20"
    codecs = ["--codec", own, "--codec", "roi-x265=roi-x265 --crf 30"]
    given = ["--data", camvid, "--network", trained, "--out", folder, "--frames", FRAMES, *codecs]
    with encoders_in_this_process():
        return typed("task-rd", *given, "--roi-from", "segmentation", "--json", *arguments)


@pytest.fixture(scope="module")
def measured(camvid: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("task") / "results"
    done = task_rd(camvid, trained, folder, "--roi-network", trained, "--method", GATES)
    assert done.code == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"event": "done", "points": 4, "failed": 0}
    return folder


def samples(path: Path) -> list[np.ndarray]:
    with open_video(path) as reader:
        return [picture.planes[0] for picture in reader]


def test_codecs_are_given_what_the_network_finds_in_the_pictures(
    measured: Path, camvid: Path, trained: Path, tmp_path: Path
) -> None:
    points = read_points(measured)
    assert sorted(point.codec for point in points) == ["roi", "roi-x265"]
    (path,) = (measured / "masks").iterdir()
    assert {point.clip.masks_path for point in points} == {str(path)}
    made = tmp_path / "masks.mkv"
    how = ("--from", "segmentation", "--roi-network", trained, "--frames", FRAMES, "--fps", 25)
    assert typed("roi", "make", camvid / "val" / "images", made, *how).code == 0
    found, wanted = samples(path), samples(made)
    assert len(found) == FRAMES and all(map(np.array_equal, found, wanted))
    assert 0 < np.mean(found) < 255
    for point in read_task_points(measured):
        assert set(point.record.fidelity) >= (set(with_regions(["psnr-yuv"])) if point.record.streams else set())


def test_gates_are_told_by_decoders_that_say_what_changed(measured: Path) -> None:
    points = read_task_points(measured)
    methods = {(point.record.codec, point.network.identity.method) for point in points}
    assert methods == {(UNCOMPRESSED, "dense"), ("roi", "dense"), ("roi-x265", "dense"), ("roi", "codec-gates")}


def test_masks_are_found_once(measured: Path, camvid: Path, trained: Path) -> None:
    (path,) = (measured / "masks").iterdir()
    before = path.stat().st_mtime_ns
    done = task_rd(camvid, trained, measured, "--roi-network", trained)
    assert done.code == 0, done.stderr
    assert all(json.loads(line)["resumed"] for line in done.stdout.splitlines()[:-1])
    assert path.stat().st_mtime_ns == before
    other = task_rd(camvid, trained, measured, "--roi-network", trained, "--roi-classes", "road")
    assert other.code == 2 and "with other masks" in other.stderr and "--overwrite" in other.stderr


def test_masks_of_davis_belong_to_its_videos(davis: Path, tmp_path: Path) -> None:
    data = Foreground().open(davis, "val").chosen(["car-*"])
    clips = labelled_clips(data, tmp_path, frame_rate=Fraction(24))
    assert GivenRegions("davis").masks_of([(clip.clip, 4) for clip in clips], tmp_path) == {
        "car-roundabout": davis / "Annotations/480p/car-roundabout"
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--roi", "davis"], "--roi and --roi-from given"),
        ([], "'segmentation' needs a network"),
        (["--roi-network", "NETWORK", "--codec", "a=scaleflow --roi-from segmentation"], "codec a: --roi-from segm"),
        (["--roi-network", "NETWORK", "--codec", "a=scaleflow --roi-from luck"], "codec a: --roi-from 'luck' finds no"),
        (["--roi-network", "NETWORK", "--codec", "a=roi-x265 --roi-from motion"], "roi-x265 finds no regions itself"),
        (["--roi-network", "NETWORK", "--codec", "a=scaleflow --roi-network NETWORK"], "is of --roi-from, which is"),
        (["--roi-network", "NETWORK", "--codec", "a=scaleflow --roi-from keypoints --roi-network NETWORK"], "keypoint"),
        (["--roi-network", "NETWORK", "--anchor", "x266"], "--anchor x266 was not measured"),
    ],
)
def test_mistakes_are_said_before_anything_is_measured(
    camvid: Path, trained: Path, tmp_path: Path, arguments: list[str], words: str
) -> None:
    given = [argument.replace("NETWORK", str(trained)) for argument in arguments]
    done = task_rd(camvid, trained, tmp_path / "results", *given)
    assert done.code == 2 and words in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "results").exists()
