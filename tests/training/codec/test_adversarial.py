"""Training with an adversary: end to end around every codec, and of the perceptual decoder; resumed exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor

from scaleflow.adversarial.perceptual_weights import load_second_synthesis
from scaleflow.codec.models.capabilities import require_parts
from scaleflow.codec.models.registry import load_model
from scaleflow.codec.models.scaleflow_codec import ScaleFlowCodec
from scaleflow.errors import DataError, UsageError
from scaleflow.training.codec.configuration import AdversarialConfig, ModelConfig, StageConfig, TrainingConfig
from scaleflow.training.codec.configuration_file import configuration_of, preset
from scaleflow.training.codec.export import export_checkpoint
from scaleflow.training.codec.models.adversarial import AdversarialTraining
from scaleflow.training.codec.models.decoded_parts import decoded_parts
from scaleflow.training.codec.models.perceptual import PerceptualTraining
from scaleflow.training.codec.models.trainable import TrainableModel
from scaleflow.training.codec.run import make_model
from scaleflow.training.loop.configuration_file import override
from scaleflow.training.loop.distributed import Processes
from scaleflow.training.loop.loop import TrainingLoop
from tests.places import SHARED
from tests.training.loop.test_loop import ALONE, Batches

BACKBONE = SHARED / "weights" / "lpips_alexnet_features.safetensors"


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def configuration(*changes: str, name: str = "perceptual") -> TrainingConfig:
    values = preset("perceptual" if name == "perceptual" else "adversarial")
    sizes = ["model.start=random", "model.intra_latents=16", "model.residual_latents=16"]
    stage = "adversary" if name == "perceptual" else "adversarial"
    steps = [f"stages.{stage}.steps=4", f"stages.{stage}.batch=2", f"stages.{stage}.micro_batch=2"]
    if name == "perceptual":
        for early in ("lpips", "long"):
            steps += [f"stages.{early}.steps={2 if early == 'lpips' else 1}", f"stages.{early}.batch=2"]
            steps += [f"stages.{early}.micro_batch=2"]
    common = ["adversarial.lpips=0", "adversarial.ramp=2", "optimization.precision=fp32", "checkpoint_every=2"]
    override(values, [f"model.name={name}", *([] if name == "perceptual" else sizes), *steps, *common, *changes])
    return configuration_of(values)


def loop_of(config: TrainingConfig, folder: Path, processes: Processes = ALONE) -> tuple[TrainingLoop, TrainableModel]:
    model = make_model(config)
    return TrainingLoop(config, model, Batches(config.seed), folder, processes), model


def checkpoint(folder: Path) -> dict[str, Tensor]:
    state = torch.load(folder / "last.ckpt", weights_only=True)
    return dict(state["network"])


@pytest.mark.parametrize("name", ["perceptual", "default"])
def test_a_resumed_run_is_the_run_that_was_not_stopped(name: str, tmp_path: Path) -> None:
    """Discriminators, their spectral norms, the ramp and the price of a bit included."""
    extra = [] if name == "perceptual" else ["adversarial.bits_per_pixel=0.1", "adversarial.feature_matching=0.1"]
    config = configuration(*extra, name=name)
    assert loop_of(config, tmp_path / "plain")[0].run()
    for number, stop in enumerate((1, 3, 1, 100)):
        loop, _ = loop_of(config, tmp_path / "stopped")
        if number:
            loop.resume()
        calls = iter(range(1000))
        if loop.run(lambda: next(calls) >= stop):  # noqa: B023 - asked at once
            break
    plain, resumed = checkpoint(tmp_path / "plain"), checkpoint(tmp_path / "stopped")
    assert plain.keys() == resumed.keys()
    assert all(torch.equal(resumed[key], value) for key, value in plain.items())
    assert any("discriminators" in key for key in plain) and any(key.endswith("_u") for key in plain)
    assert not any("lpips" in key or "network.net" in key for key in plain)


def trained(model: TrainableModel, stage: StageConfig) -> set[str]:
    """What a step changes or would change: parameters that a gradient reaches."""
    model.network.train()
    parts = next(iter(Batches().steps(0, stage, 0)))
    model.network.zero_grad(set_to_none=True)
    result = model.step(parts[0].clips, stage)
    assert torch.isfinite(result.loss)
    result.loss.backward()
    return {name for name, parameter in model.network.named_parameters() if parameter.grad is not None}


def test_stages_train_what_they_say() -> None:
    config = configuration()
    model = make_model(config)
    assert isinstance(model, PerceptualTraining)
    with torch.no_grad():
        model.generator.key.get_parameter("finish_last.weight").normal_(0, 0.01)
    plain, _, with_adversary = config.stages
    for stage in (plain, with_adversary):
        grouped = {name for group in model.parameter_groups(stage) for name in group.names}
        known = {name for name, _ in model.network.named_parameters()}
        assert grouped <= known and grouped == trained(model, stage)
        assert any("discriminators" in name for name in grouped) == (stage is with_adversary)
    assert not any(parameter.grad is not None for parameter in model.codec.network.parameters())


def test_the_decoder_learns_from_the_adversary_and_does_not_teach_it() -> None:
    """The adversarial loss reaches the decoder alone, the discriminators' loss them alone."""
    without = ("adversarial.squared_error=0", "adversarial.flicker=0", "adversarial.feature_matching=0")
    config = configuration(*without, "adversarial.weight=1")
    model = make_model(config)
    assert isinstance(model, PerceptualTraining)
    stage = config.stages[-1]
    clips = next(iter(Batches().steps(0, stage, 0)))[0].clips
    model.network.train()
    before = {key: value.clone() for key, value in model.network.state_dict().items()}
    gradients = {}
    for weight in (0.0, 1.0):
        model.terms.config = replace(model.terms.config, weight=weight)
        model.network.zero_grad(set_to_none=True)
        model.network.load_state_dict(before)  # power iterations of the spectral norm included
        torch.manual_seed(0)
        model.step(clips, stage).loss.backward()
        own = [p.grad for name, p in model.network.named_parameters() if "discriminators" in name]
        gradients[weight] = (model.generator.inter.get_parameter("finish_last.weight").grad, own)
    without, with_adversary = gradients[0.0][0], gradients[1.0][0]
    assert without is not None and not without.any() and with_adversary is not None and with_adversary.any()
    assert all(torch.equal(a, b) for a, b in zip(gradients[0.0][1], gradients[1.0][1], strict=True))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("default", ["adversarial.loss=relativistic"]),
        ("recurrent", ["adversarial.loss=non-saturating"]),
        ("ssf2020", ["adversarial.loss=least-squares", "data.crop=128"]),
    ],
)
def test_every_codec_is_trained_end_to_end(name: str, changes: list[str]) -> None:
    config = configuration("adversarial.weight=0.1", *changes, name=name)
    model = make_model(config)
    assert isinstance(model, AdversarialTraining)
    (stage,) = config.stages
    batches = Batches()
    if name == "ssf2020":
        stage = replace(stage, unroll=(2, 2))
        parts = next(iter(batches.steps(0, stage, 0)))
        luma = parts[0].clips.planes[0]
        enlarged = torch.nn.functional.interpolate(luma.flatten(0, 1), size=(128, 128)).unflatten(0, luma.shape[:2])
        clips = replace(parts[0].clips, planes=(enlarged.repeat(1, 1, 3, 1, 1),))
        model.network.train()
        result = model.step(clips, stage)
        result.loss.backward()
        reached = {n for n, parameter in model.network.named_parameters() if parameter.grad is not None}
    else:
        reached = trained(model, stage)
    assert any(part.startswith("codec.") for part in reached)
    assert any("discriminators" in part for part in reached)


def test_the_ramp_begins_anew_with_each_stage() -> None:
    config = configuration("adversarial.weight=1", "adversarial.ramp=4")
    model = make_model(config)
    assert isinstance(model, PerceptualTraining)
    stage = config.stages[-1]
    clips = next(iter(Batches().steps(0, stage, 0)))[0].clips
    model.network.train()
    weights = [model.step(clips, stage).scalars["adversarial weight"] for _ in range(5)]
    assert weights == [0.25, 0.5, 0.75, 1.0, 1.0]
    model.start(stage, iter([]))
    assert model.step(clips, stage).scalars["adversarial weight"] == 0.25


def test_parts_are_what_the_decoder_has() -> None:
    """What the network is trained on is what the decoder gives it, up to the estimate of integers by floats."""
    from scaleflow.codec.models.capabilities import require_parts
    from scaleflow.codec.models.picture_order import PictureOrder
    from scaleflow.codec.models.registry import load_model
    from scaleflow.codec.models.transforms import pack_planes
    from scaleflow.codec.models.video_model import PictureGeometry

    codec = load_model()
    assert isinstance(codec, ScaleFlowCodec)
    network = codec.trainable_network().eval()
    stage = StageConfig("a", "all", 1, batch=1, micro_batch=1, unroll=(2, 2))
    clips = next(iter(Batches().steps(0, stage, 0)))[0].clips
    rounded = [(plane * 255).round() for plane in clips.planes]
    pictures = [pack_planes(rounded[0][:, t] / 255, rounded[1][:, t] / 255) for t in range(2)]
    quality = torch.tensor([30.0])
    torch.manual_seed(0)
    with torch.no_grad():
        floats = decoded_parts(network, pictures, quality)
    geometry, reference = PictureGeometry(64, 64), None
    for number, parts in enumerate(floats):
        planes = (rounded[0][0, number, 0], *rounded[1][0, number])
        arrays = tuple(plane.numpy().astype("uint8") for plane in planes)
        level = float((parts.quality * 16).round() / 16)
        coded = codec.encode_picture(arrays, geometry, reference, PictureOrder(level))
        decoded, exact = require_parts(codec).decode_picture_and_parts(coded.payload, geometry, reference)
        reference = decoded
        assert float((exact.picture - parts.picture).abs().mean()) < 0.05
        assert exact.key == parts.key == (number == 0)
        if exact.flow is not None and parts.flow is not None:
            assert float((exact.flow - parts.flow).abs().mean()) < 0.2


@pytest.mark.skipif(not BACKBONE.is_file(), reason="../shared/weights is not there")
def test_lpips_draws_a_blurred_picture_to_the_original() -> None:
    from scaleflow.adversarial.perceptual_loss import LpipsLoss

    loss = LpipsLoss(BACKBONE)
    generator = torch.Generator().manual_seed(0)
    original = torch.randn(1, 6, 32, 32, generator=generator)
    picture = torch.nn.functional.avg_pool2d(original, 3, 1, 1).requires_grad_(True)
    distances = []
    for _ in range(6):
        distance = loss(original, picture).mean()
        (gradient,) = torch.autograd.grad(distance, picture)
        picture = (picture - 0.05 * gradient / gradient.abs().mean()).detach().requires_grad_(True)
        distances.append(float(distance.detach()))
    assert all(later < earlier for earlier, later in pairwise(distances))
    with pytest.raises(UsageError, match="LPIPS takes pictures of 32"):
        loss(torch.zeros(1, 6, 8, 8), torch.zeros(1, 6, 8, 8))


def test_configurations_are_checked(tmp_path: Path) -> None:
    values = preset("perceptual")
    values["adversarial"]["loss"] = "wasserstein"
    with pytest.raises(UsageError, match=r"adversarial\.loss"):
        configuration_of(values)
    with pytest.raises(UsageError, match=r"adversarial\.discriminators is empty"):
        AdversarialConfig(weight=1, discriminators=())
    with pytest.raises(UsageError, match=r"model.name = perceptual: set adversarial"):
        TrainingConfig(stages=(StageConfig("a", "all", 1, unroll=(2, 2)),), model=ModelConfig(name="perceptual"))
    with pytest.raises(UsageError, match="there is no such file of LPIPS backbone weights"):
        make_model(configuration("adversarial.lpips=1", f"adversarial.lpips_backbone={tmp_path / 'none'}"))


def test_export_writes_the_decoder_alone_and_the_codec_alone(tmp_path: Path) -> None:
    config = configuration("stages.lpips.steps=1", "stages.adversary.steps=1")
    assert loop_of(config, tmp_path / "run")[0].run()
    report = export_checkpoint(tmp_path / "run" / "last.ckpt", tmp_path / "decoder.safetensors")
    assert report.model == "perceptual" and report.file_bytes < 8e6
    whole = configuration("stages.adversarial.steps=1", name="default")
    assert loop_of(whole, tmp_path / "whole")[0].run()
    report = export_checkpoint(tmp_path / "whole" / "last.ckpt", tmp_path / "codec.safetensors")
    assert report.model == "default"
    with pytest.raises(DataError, match="no perceptual decoder"):
        load_second_synthesis(tmp_path / "codec.safetensors", require_parts(load_model()))
