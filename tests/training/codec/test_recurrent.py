"""Training of the recurrent model, and campaigns of several stages."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from scaleflow.errors import UsageError
from scaleflow.training.codec.campaign import Campaign, load_campaign, read_log
from scaleflow.training.codec.configuration import LossConfig, ModelConfig, OptimizationConfig, StageConfig
from scaleflow.training.codec.losses import chroma_weight, planes_distortion, spread_qualities
from scaleflow.training.codec.models.recurrent import RecurrentTraining, source_vectors
from scaleflow.training.codec.models.trainable import ClipBatch
from scaleflow.training.data.clip import Clip
from scaleflow.training.data.clip_pool import write_packed

INTRA = StageConfig("intra", "intra", 100)
INTER = StageConfig("inter", "inter", 100, unroll=(3, 3))


def moving_clip(seed: int, frames: int = 3, side: int = 64) -> Clip:
    """Smooth noise that moves to the left by two samples a picture."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(30, 220, (side // 8 + 1, side // 8 + 3)).astype(np.float32)
    rough = np.kron(coarse, np.ones((8, 8), np.float32))
    smooth = sum(np.roll(rough, shift, axis) for shift in range(-3, 4) for axis in (0, 1)) / 14
    luma = np.stack([smooth[:side, 2 * t : 2 * t + side] for t in range(frames)])[:, None].astype(np.uint8)
    chroma = np.repeat(luma[:, :, ::2, ::2], 2, 1)
    return Clip((luma, chroma))


def batch(count: int = 4, first: int = 0) -> ClipBatch:
    clips = [moving_clip(first + number) for number in range(count)]
    planes = tuple(torch.from_numpy(np.stack([clip.planes[p] for clip in clips])).float() / 255 for p in (0, 1))
    return ClipBatch(planes, spread_qualities(0, count, 10, 50, 0))


@pytest.fixture(scope="module")
def model() -> RecurrentTraining:
    torch.manual_seed(0)
    loss, optimization = LossConfig(chroma="quality"), OptimizationConfig(precision="fp32")
    return RecurrentTraining(ModelConfig(name="recurrent"), loss, optimization)


def test_starts_make_a_codec_before_anything_is_learned(model: RecurrentTraining) -> None:
    random = float(model.step(batch(), INTRA).loss)
    model.start(INTRA, iter([batch(first=10 * n) for n in range(4)]))
    intra = model.step(batch(first=100), INTRA)
    assert float(intra.loss) < random / 4
    model.start(INTER, iter([batch(first=10 * n) for n in range(4)]))
    inter = model.step(batch(first=100), INTER)
    assert inter.scalars["prediction error"] < 120
    assert inter.motion is not None and abs(float(inter.motion.flow[:, 0].median()) - 2) < 0.5


def test_each_stage_trains_its_part(model: RecurrentTraining) -> None:
    names = {stage.trains: {n for g in model.parameter_groups(stage) for n in g.names} for stage in (INTRA, INTER)}
    assert all(name.startswith("intra.") for name in names["intra"])
    assert all(name.startswith("inter.") for name in names["inter"])
    everything = {n for g in model.parameter_groups(StageConfig("a", "all", 1, unroll=(2, 2))) for n in g.names}
    assert everything == names["intra"] | names["inter"] == {n for n, _ in model.network.named_parameters()}


@pytest.mark.parametrize("gradients", ["clip", "picture"])
def test_everything_of_the_inter_coder_learns(model: RecurrentTraining, gradients: str) -> None:
    stage = StageConfig("inter", "inter", 100, unroll=(3, 3), gradients=gradients)  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in model.network.inter.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.01)
    model.network.zero_grad(set_to_none=True)
    model.step(batch(), stage).loss.backward()
    without = [name for name, parameter in model.network.inter.named_parameters() if parameter.grad is None]
    assert without == []
    assert all(parameter.grad is None for parameter in model.network.intra.parameters())


def test_vectors_are_found_in_the_source() -> None:
    vectors = source_vectors(batch())
    assert vectors.shape == (4, 2, 2, 8, 8)
    assert abs(float(vectors[:, :, 0].median()) - 2) < 0.3


def test_chroma_weighs_more_where_it_is_coarse() -> None:
    weights = chroma_weight(torch.tensor([0.0, 10.0, 30.0, 50.0, 63.0]))
    assert torch.allclose(weights[1:4], torch.tensor([3.0, 1.9, 0.7]), atol=1e-4)
    assert weights[0] > weights[1] and 0.4 < float(weights[4]) < 0.7
    planes = torch.zeros(1, 1, 8, 8), torch.zeros(1, 2, 4, 4)
    wrong = torch.zeros(1, 1, 8, 8), torch.full((1, 2, 4, 4), 0.1)
    coarse, fine = (
        float(planes_distortion(planes, wrong, torch.tensor([q]), LossConfig(chroma="quality"))) for q in (10.0, 50.0)
    )
    assert coarse == pytest.approx(fine * 3 / 0.7, rel=1e-3)
    plain = LossConfig()
    ours = float(planes_distortion(planes, wrong, torch.tensor([10.0]), plain))
    assert ours == pytest.approx((0.1 * 255) ** 2 / 3, rel=1e-3)


def write_campaign(folder: Path, steps: int) -> None:
    for name, first in (("pool/part", 0), ("held-out", 50)):
        write_packed((moving_clip(first + n) for n in range(6)), folder / name, 6, "moving noise")
    data = {"kind": "pool", "path": "pool", "crop": 64, "workers": 0}
    stages = [
        {"data": data, "stage": {"name": "intra", "trains": "intra", "steps": steps, "batch": 2}},
        {"data": data, "stage": {"name": "inter", "trains": "inter", "steps": 2, "batch": 2, "unroll": [2, 2]}},
    ]
    common = {
        "model": {"name": "recurrent"},
        "optimization": {"precision": "fp32"},
        "log_every": 1,
        "checkpoint_every": 1,
        "validation": {"every": 2},
    }
    settings = {"held_out": {"path": "held-out", "clips": 4}, "common": common, "stages": stages}
    (folder / "campaign.yaml").write_text(yaml.safe_dump(settings))


def test_a_campaign_does_what_is_due(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    write_campaign(tmp_path, 2)
    assert Campaign(tmp_path).run("cpu")
    lines = read_log(tmp_path)
    assert [(line["stage"], line["step"]) for line in lines if "training" in line] == [
        ("intra", 1),
        ("intra", 2),
        ("inter", 1),
        ("inter", 2),
    ]
    held_out = [line["held out"]["loss"] for line in lines if "held out" in line]
    assert len(held_out) == 2 and all(np.isfinite(held_out))
    assert lines[-1]["core hours"] > lines[0]["core hours"] > 0
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"cut')
    assert len(read_log(tmp_path)) == len(lines)
    before = (tmp_path / "log.jsonl").read_text()
    assert Campaign(tmp_path).run("cpu")
    assert (tmp_path / "log.jsonl").read_text() == before and "stage inter is complete" in caplog.text


def test_settings_are_checked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load_campaign(tmp_path)
    (tmp_path / "campaign.yaml").write_text("stages: []")
    with pytest.raises(UsageError, match="at least one"):
        load_campaign(tmp_path)
    (tmp_path / "campaign.yaml").write_text(json.dumps({"stage": []}))
    with pytest.raises(UsageError, match=r"campaign\.yaml"):
        load_campaign(tmp_path)
