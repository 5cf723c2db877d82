"""``scaleflow task-rd`` as it is typed: real labelled frames, the shipped model and x264, a trained network."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from scaleflow.evaluation.rate_distortion.results import read_points
from scaleflow.evaluation.task_rate_distortion.task_point import UNCOMPRESSED, TaskPoint, read_task_points
from tests.cli.conftest import Result, encoders_in_this_process, typed
from tests.cli.test_nets import VIDEO_FRAMES, camvid, trained
from tests.cli.test_nets_action import actions, backgrounds
from tests.cli.test_nets_action import trained as trained_for_actions
from tests.cli.test_training_commands import events
from tests.places import SHARED

__all__ = ["actions", "backgrounds", "camvid", "trained", "trained_for_actions"]

X264 = "x264=ffmpeg -c:v libx264 -preset ultrafast -bf 0 -g {intra_period} -crf {22,44}"
METHOD = "skip-conv block=2 threshold=0"


def task_rd(camvid: Path, trained: Path, folder: Path, *arguments: object) -> Result:
    given = ["--data", camvid, "--network", trained, "--out", folder, "--codec", "scaleflow", "--codec", X264]
    with encoders_in_this_process():
        return typed("task-rd", *given, "--quality", "10,40", "--json", *arguments)


@pytest.fixture(scope="module")
def measured(camvid: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("task") / "results"
    done = task_rd(camvid, trained, folder, "--method", METHOD)
    assert done.code == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"event": "done", "points": 10, "failed": 0}
    return folder


@pytest.fixture
def copy(measured: Path, tmp_path: Path) -> Path:
    """A results folder that a test may change."""
    return Path(shutil.copytree(measured, tmp_path / "results"))


def dense(points: list[TaskPoint], codec: str) -> list[TaskPoint]:
    return [p for p in points if p.record.codec == codec and p.network.identity.method == "dense"]


def nets_eval(trained: Path, camvid: Path, out: Path, *arguments: object) -> dict[str, Any]:
    done = typed("nets", "eval", trained, "--data", camvid / "val", "--out", out, "--json", *arguments)
    assert done.code == 0, done.stderr
    return dict(events(done.stdout)[-1])


def test_networks_see_what_nets_eval_shows_them(measured: Path, camvid: Path, trained: Path, tmp_path: Path) -> None:
    points = read_task_points(measured)
    (plain,) = dense(points, UNCOMPRESSED)
    assert plain.network.measures == nets_eval(trained, camvid, tmp_path / "plain")["measures"]
    for point in dense(points, "scaleflow"):
        (coded,) = [p for p in read_points(measured) if (p.codec, p.setting) == ("scaleflow", point.record.setting)]
        assert point.record.bits_per_pixel == pytest.approx(coded.bits_per_pixel)
        assert point.record.fidelity["psnr-yuv"] == coded.metrics["psnr-yuv"]
        # coded from the pictures themselves, a stream also says how its colours are to be read
        stream = tmp_path / f"{coded.stream_hash}.sfv"
        given = (*point.record.setting.split(), "--fps", 25, "--intra-period", 32, "--workers", 1)
        assert typed("encode", camvid / "val" / "images", stream, *given).code == 0
        found = nets_eval(trained, camvid, tmp_path / coded.stream_hash, "--pictures", stream)
        assert point.network.measures == pytest.approx(found["measures"])


def test_parts_have_the_rates_of_their_pictures(measured: Path) -> None:
    for point in read_task_points(measured):
        parts = point.network.parts
        assert [(part.video, part.first, part.frames) for part in parts] == [("val", 0, VIDEO_FRAMES)]
        assert parts[0].value == pytest.approx(point.network.measures["miou"])
        assert point.record.part_rates == pytest.approx(
            [] if point.record.bits_per_pixel is None else [point.record.bits_per_pixel]
        )


def test_what_is_there_is_not_measured_again(copy: Path, camvid: Path, trained: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (copy / "networks" / "points").iterdir()}
    one = sorted(before)[0]
    one.unlink()
    done = task_rd(camvid, trained, copy, "--method", METHOD)
    assert done.code == 0, done.stderr
    points = [event for event in events(done.stdout) if event["event"] == "point"]
    assert [point["resumed"] for point in points].count(False) == 1
    after = {path: path.stat().st_mtime_ns for path in (copy / "networks" / "points").iterdir()}
    assert after.keys() == before.keys()
    assert all(after[path] == before[path] for path in before if path != one)


def test_tables_and_figures(measured: Path, camvid: Path, trained: Path, tmp_path: Path) -> None:
    with (measured / "tasks.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 10 and rows[0]["codec"] == UNCOMPRESSED and rows[0]["bpp"] == ""
    assert all(float(row["miou"]) >= 0 and float(row["macs"]) > 0 for row in rows)
    figure = tmp_path / "task.svg"
    drawn = typed("plot", measured, "--x", "bpp", "--y", "miou,gmac", "-o", figure)
    assert drawn.code == 0, drawn.stderr
    text = figure.read_text()
    assert "Mean IoU" in text and "uncompressed" in text and "x264, skip-conv" in text


def test_settings_that_no_other_beats(measured: Path, copy: Path, camvid: Path, trained: Path, tmp_path: Path) -> None:
    with (measured / "tasks.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["bpp"]]
    places = [(float(row["bpp"]), -float(row["miou"]), float(row["macs"])) for row in rows]
    beaten = [any(a != b and all(map(float.__le__, a, b)) for a in places) for b in places]
    assert [row["pareto"] for row in rows] == [str(not one) for one in beaten] and not all(beaten)
    with encoders_in_this_process():
        shown = typed("task-rd", "--data", camvid, "--network", trained, "--out", copy, "--codec", X264).stdout
    assert f"{beaten.count(False)} of 8 settings, which no other beats in all three" in shown
    surface = tmp_path / "surface.svg"
    drawn = typed("plot", measured, "--pareto", "-o", surface)
    assert drawn.code == 0, drawn.stderr
    text = surface.read_text()
    assert text.count('id="surface"') == beaten.count(False) and text.count('id="beaten"') == beaten.count(True)
    assert "GMAC a frame" in text and "Mean IoU" in text and 'id="budget"' in text
    costs = tmp_path / "costs.svg"
    drawn = typed("plot", measured, "--x", "gmac", "--codec", "x264", "--codec", UNCOMPRESSED, "-o", costs)
    assert drawn.code == 0, drawn.stderr
    text = costs.read_text()
    assert "GMAC a frame" in text and "Mean IoU" in text and "x264 at" in text and "PSNR" not in text
    for arguments, words in (
        (("--pareto", "--y", "miou"), "leave out --metric"),
        (("--pareto", "--clip", "val"), "--clip val"),
        (("--x", "ms", "--codec", "vvenc"), "'vvenc' was not measured"),
    ):
        wrong = typed("plot", measured, *arguments, "-o", tmp_path / "wrong.svg")
        assert wrong.code == 2 and words in wrong.stderr


def camvid_of(folder: Path, camvid: Path) -> Path:
    """A copy whose labels a test may change."""
    return Path(shutil.copytree(camvid, folder / "camvid"))


def test_bad_input_is_one_line(measured: Path, copy: Path, camvid: Path, trained: Path, tmp_path: Path) -> None:
    other = task_rd(camvid, trained, tmp_path / "a", "--task", "keypoints")
    assert other.code == 2 and "was trained for segmentation, not for keypoints" in other.stderr
    named = task_rd(camvid, trained, tmp_path / "b", "--codec", "uncompressed=scaleflow")
    assert named.code == 2 and "name it otherwise" in named.stderr
    far = task_rd(camvid, trained, tmp_path / "c", "--first", 100)
    assert far.code == 2 and "--first 100" in far.stderr
    label = camvid_of(tmp_path, camvid) / "val" / "labels"
    one = sorted(label.iterdir())[1]
    with Image.open(one) as picture:
        picture.crop((0, 0, 40, 72)).save(one)
    narrow = task_rd(label.parents[1], trained, tmp_path / "d")
    assert narrow.code == 1 and "its label 40x72" in narrow.stderr and not (tmp_path / "d" / "points").exists()
    point = sorted((copy / "tasks").iterdir())[0]
    record = json.loads(point.read_text())
    point.write_text(json.dumps(record | {"network": "../../etc/passwd"}))
    read = typed("plot", copy, "-o", tmp_path / "x.svg")
    assert read.code == 1 and str(point) in read.stderr and len(read.stderr.splitlines()) == 1
    assert not (tmp_path / "x.svg").exists()


def test_videos_of_actions(tmp_path: Path, actions: Path, trained_for_actions: Path) -> None:
    out = tmp_path / "results"
    given = ["--data", actions, "--network", trained_for_actions, "--out", out, "--codec", X264, "--json"]
    with encoders_in_this_process():
        done = typed("task-rd", *given)
    assert done.code == 0, done.stderr
    points = read_task_points(out)
    codecs = [point.record.codec for point in points]
    assert codecs.count("x264") == 2 * codecs.count(UNCOMPRESSED)
    (plain,) = [p for p in points if p.record.codec == UNCOMPRESSED and p.network.identity.settings == "frames=4"][-1:]
    assert plain.network.measures["accuracy"] == plain.network.dense_measures["accuracy"]
    rates = {point.record.setting: point.record.bits_per_pixel for point in points if point.record.bits_per_pixel}
    assert rates["-crf 22"] > rates["-crf 44"]
    contents = {point.network.identity.content for point in points}
    assert len(contents) == 3
    before = {path: path.stat().st_mtime_ns for path in (out / "networks" / "points").iterdir()}
    with encoders_in_this_process():
        again = typed("task-rd", *given)
    assert again.code == 0 and json.loads(again.stdout.splitlines()[-1])["points"] == len(points)
    assert all(path.stat().st_mtime_ns == before[path] for path in before)
    assert all(event["resumed"] for event in events(again.stdout) if event["event"] == "point")
    named = typed("task-rd", *given, "--codec", "uncompressed=scaleflow")
    assert named.code == 2 and "name it otherwise" in named.stderr


def test_stills_are_coded_alone(tmp_path: Path) -> None:
    mouse = SHARED / "data" / "pose" / "mirror_mouse"
    if not mouse.is_dir():
        pytest.skip("needs ../shared/data/pose/mirror_mouse")
    rows = list(csv.reader((mouse / "CollectedData.csv").open()))
    data = tmp_path / "mouse"
    data.mkdir()
    with (data / "CollectedData.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows[:7])
    for row in rows[3:7]:
        (data / row[0]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(mouse / row[0], data / row[0])
    run, out = tmp_path / "run", tmp_path / "results"
    trained = typed("nets", "train", "keypoints", "--preset", "tiny", "--data", data, "--out", run, "--threads", 1)
    assert trained.code == 0, trained.stderr
    with encoders_in_this_process():
        done = typed("task-rd", "--data", data, "--network", run, "--out", out, "--codec", X264)
    assert done.code == 0, done.stderr
    (point,) = [point for point in read_points(out) if point.setting == "-crf 22"]
    assert point.clip.name == "stills" and point.clip.frames == 4 and point.frames.kinds == ["intra"] * 4
    found = [p for p in read_task_points(out) if p.record.codec == "x264"]
    assert len(found) == 2 and all(len(p.network.frames.videos) == 4 for p in found)
    assert all([part.frames for part in p.network.parts] == [4] for p in found)
