"""A codec tuned for a network, as a user does it: trained, exported, encoded with; the shipped decoder decodes it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from scaleflow.codec.frame_coder import FrameDecoder, FrameEncoder
from scaleflow.codec.models.registry import load_model
from scaleflow.codec.models.transforms import pack_planes
from scaleflow.codec.video.reader import open_video
from scaleflow.efficient_nets.network_loss.loss import NetworkLoss
from scaleflow.evaluation.task_rate_distortion.task_point import UNCOMPRESSED, read_task_points
from scaleflow.training.codec.models.task import shown_rgb
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


def curve(weights: Path | None, loss: NetworkLoss, clip: Path) -> tuple[list[float], list[float]]:
    """Logarithms of the bits of a clip at rising qualities, and of the network's loss of what the shipped decoder
    makes of them."""
    encoder_of, decoder_of = load_model(weights=weights), load_model()
    with open_video(clip) as reader:
        size = reader.properties.width, reader.properties.height
        pictures = [picture.planes for _, picture in zip(range(6), reader, strict=False)]
    bits, losses = [], []
    with torch.inference_mode():
        for quality in (4.0, 12.0, 20.0):
            encoder, decoder = (kind(m, width=size[0], height=size[1]) for kind, m in (
                (FrameEncoder, encoder_of), (FrameDecoder, decoder_of)
            ))  # fmt: skip
            spent, far = 0, []
            for number, planes in enumerate(pictures):
                coded = encoder.encode(planes, key=number == 0, quality=quality)
                shown = decoder.decode(coded.payload, key=coded.key)
                spent += 8 * len(coded.payload)
                far.append(float(loss(*(shown_rgb(packed(part)) for part in (planes, shown)))))
            bits.append(float(np.log(spent)))
            losses.append(float(np.log(np.mean(far))))
    return bits, losses


def packed(planes: tuple[np.ndarray, ...]) -> Tensor:
    luma, *chroma = (torch.from_numpy(plane.astype(np.float32)) / 255 for plane in planes)
    return pack_planes(luma[None, None], torch.stack(chroma)[None])


@pytest.mark.slow
def test_the_networks_loss_falls_at_equal_rate(videos: Path, trained: Path, carphone: Path, tmp_path: Path) -> None:
    more = ("stages.task.steps=60", "stages.task.learning_rate=5e-4", "stages.task.warm_up=5", "task.weight=4000")
    more += ("loss.distortion_share=0.25", "optimization.average=0.9", "stages.task.quality=[0,24]", "log_every=20")
    run(*training(videos, trained, tmp_path / "run", *more, "stages.task.batch=2"))
    run("export", tmp_path / "run" / "last.ckpt", tmp_path / "seg.safetensors")
    loss = NetworkLoss(trained, "outputs")
    plain, tuned = (curve(weights, loss, carphone) for weights in (None, tmp_path / "seg.safetensors"))
    common = np.linspace(max(plain[0][0], tuned[0][0]), min(plain[0][-1], tuned[0][-1]), 9)
    change = np.mean(np.interp(common, *tuned) - np.interp(common, *plain))
    assert change < np.log(0.95)
