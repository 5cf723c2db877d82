"""A codec tuned for a network, as a user does it: trained, exported, encoded with; the shipped decoder decodes it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scaleflow.evaluation.task_rate_distortion.task_point import UNCOMPRESSED, read_task_points
from tests.cli.conftest import Result, encoders_in_this_process, typed
from tests.cli.test_nets import camvid, trained
from tests.codec.conftest import packaged_clip
from tests.efficient_nets.network_loss.test_network_loss import network_file

__all__ = ["camvid", "trained"]


def run(*arguments: object, code: int = 0) -> Result:
    done = typed(*arguments)
    assert done.code == code, done.stderr
    return done


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one real video."""
    folder = tmp_path_factory.mktemp("videos")
    (folder / "carphone.mp4").symlink_to(packaged_clip("carphone_pristine.mp4"))
    return folder


def training(videos: Path, network: Path, out: Path, *changes: object) -> tuple[object, ...]:
    short = ("data.crop=64", "data.workers=0", "stages.task.batch=1", "stages.task.unroll=[2,2]", "log_every=1")
    given = (f"data.path={videos}", f"task.network={network}", *short, *changes)
    return ("train", "--preset", "task", "--threads", 1, "--json", "--out", out, *given)


@pytest.fixture(scope="module")
def tuned(videos: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder that two quick steps have changed visibly."""
    folder = tmp_path_factory.mktemp("tuned")
    quick = ("stages.task.steps=2", "stages.task.learning_rate=0.003", "stages.task.warm_up=0")
    quick += ("optimization.average=0",)
    shown = run(*training(videos, trained, folder / "run", *quick))
    reports = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [(report["stage"], report["step"]) for report in reports] == [("task", 1), ("task", 2)]
    assert all(report["network loss"] > 0 and report["error"] > 0 for report in reports)
    run("export", folder / "run" / "last.ckpt", folder / "seg.safetensors")
    return folder / "seg.safetensors"


def test_the_shipped_decoder_decodes_what_a_tuned_encoder_wrote(
    tuned: Path, trained: Path, carphone: Path, tmp_path: Path
) -> None:
    options = ("-q", 20, "--frames", 4, "--intra-period", 3)
    regions = ("--roi-from", "segmentation", "--roi-network", trained)
    for name, given in (("plain", ()), ("tuned", ("--weights", tuned)), ("both", ("--weights", tuned, *regions))):
        run("encode", carphone, tmp_path / f"{name}.sfv", *options, *given, "--verify")
        run("decode", tmp_path / f"{name}.sfv", tmp_path / f"{name}.y4m")
    coded = {name: (tmp_path / f"{name}.sfv").read_bytes() for name in ("plain", "tuned", "both")}
    assert len(set(coded.values())) == 3
    run("decode", tmp_path / "tuned.sfv", tmp_path / "again.y4m", "--weights", tuned)
    assert (tmp_path / "again.y4m").read_bytes() == (tmp_path / "tuned.y4m").read_bytes()
    infos = [json.loads(run("info", tmp_path / f"{name}.sfv", "--json").stdout) for name in ("plain", "tuned")]
    assert infos[0]["weights_hash"] == infos[1]["weights_hash"]
    side_by_side = ("encode", carphone, tmp_path / "workers.sfv", *options, "--weights", tuned, "--workers", 2)
    run(*side_by_side)
    assert (tmp_path / "workers.sfv").read_bytes() == coded["tuned"]


def test_tuned_codecs_and_regions_are_measured_by_what_networks_find(
    tuned: Path, camvid: Path, trained: Path, tmp_path: Path
) -> None:
    own = f"tuned=scaleflow --weights {tuned}"
    both = f"both=scaleflow --weights {tuned} --roi-from segmentation --roi-network {trained}"
    given = ("--data", camvid, "--network", trained, "--quality", 10, "--out", tmp_path / "results", "--json")
    with encoders_in_this_process():
        done = typed("task-rd", *given, "--codec", "scaleflow", "--codec", own, "--codec", both)
    assert done.code == 0, done.stderr
    points = {point.record.codec: point for point in read_task_points(tmp_path / "results")}
    assert points.keys() == {UNCOMPRESSED, "scaleflow", "tuned", "both"}
    assert len({points[name].record.bits_per_pixel for name in ("scaleflow", "tuned", "both")}) == 3
    assert all(points[name].network.measures["miou"] >= 0 for name in points)


def test_bad_input_is_one_line(videos: Path, trained: Path, tmp_path: Path, carphone: Path) -> None:
    (tmp_path / "alexnet.safetensors").write_bytes((trained / "config.yaml").read_bytes())
    keypoints = network_file(tmp_path, "keypoints")
    for changes, code, words in (
        (("task.network=''",), 2, "task.network is empty: name a run of scaleflow nets train"),
        ((f"task.network={tmp_path / 'none'}",), 2, "there is no such weights file: scaleflow nets train writes it"),
        ((f"task.network={tmp_path / 'alexnet.safetensors'}",), 1, "is damaged, or no safetensors file"),
        ((f"task.network={keypoints}", "task.name=segmentation"), 2, "trained for keypoints, not for task segmenta"),
        (("task.name=reading",), 2, "task 'reading' is unknown: use segmentation"),
        (("task.distance=labels",), 2, "clips have none"),
        (("task.wieght=3",), 2, "task.wieght is unknown: did you mean weight?"),
        (("model.name=ssf2020", "data.crop=128"), 2, "use all"),
    ):
        refused = run(*training(videos, trained, tmp_path / "run", *changes), code=code)
        (line,) = refused.stderr.strip().splitlines()
        assert line.startswith("scaleflow: ") and words in line
    assert not (tmp_path / "run").exists()
    refused = run("encode", carphone, tmp_path / "a.sfv", "--weights", keypoints, code=1)
    assert "weights format 'scaleflow-network-1', expected 'scaleflow-1'" in refused.stderr
