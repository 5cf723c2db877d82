"""The perceptual decoder beside the recurrent model: shown as trained, and trained on what is decoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from scaleflow.adversarial.perceptual_codec import PerceptualCodec, with_perceptual_decoder
from scaleflow.adversarial.perceptual_weights import load_second_synthesis, serialized_second_synthesis
from scaleflow.adversarial.second_synthesis import SecondSynthesis
from scaleflow.codec.frame_coder import CodedFrame, FrameEncoder
from scaleflow.codec.models.capabilities import require_parts
from scaleflow.codec.models.picture_order import PictureOrder
from scaleflow.codec.models.recurrent.codec import RecurrentCodec
from scaleflow.codec.models.recurrent.weights_file import load_recurrent, serialized_weights
from scaleflow.codec.models.transforms import pack_planes
from scaleflow.codec.models.video_model import PictureGeometry
from scaleflow.codec.video.reader import open_video
from scaleflow.errors import DataError
from scaleflow.training.codec.configuration import LossConfig, ModelConfig, OptimizationConfig
from scaleflow.training.codec.export import export_checkpoint
from scaleflow.training.codec.models.decoded_parts import decoded_parts
from scaleflow.training.codec.models.perceptual import PerceptualTraining
from scaleflow.training.codec.models.recurrent import RecurrentTraining
from scaleflow.training.codec.run import make_model
from tests.adversarial.changed_decoder import changed_synthesis, write_changed_decoder
from tests.adversarial.test_perceptual_codec import same, shown
from tests.codec.models.recurrent.tiny_codec import tiny_recurrent
from tests.training.codec.test_adversarial import configuration, loop_of
from tests.training.codec.test_recurrent import INTER, INTRA, batch, moving_clip


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recurrent") / "recurrent.safetensors"


@pytest.fixture(scope="module")
def codec(weights: Path) -> RecurrentCodec:
    torch.set_num_threads(1)
    return tiny_recurrent(weights)


@pytest.fixture(scope="module")
def synthesis(codec: RecurrentCodec) -> SecondSynthesis:
    return changed_synthesis(codec)


@pytest.fixture(scope="module")
def coded(codec: RecurrentCodec, carphone: Path) -> list[CodedFrame]:
    with open_video(carphone) as reader:
        pictures = [picture.planes for _, picture in zip(range(3), reader, strict=False)]
    height, width = pictures[0][0].shape
    encoder = FrameEncoder(codec, width=width, height=height)
    return [encoder.encode(planes, key=number == 0, quality=15.0) for number, planes in enumerate(pictures)]


def test_fidelity_stays_what_it_was(codec: RecurrentCodec, synthesis: SecondSynthesis, coded: list[CodedFrame]) -> None:
    nothing = shown(PerceptualCodec(codec, SecondSynthesis(codec)), coded)
    without = shown(PerceptualCodec(codec, synthesis, 0.0), coded)
    full = shown(PerceptualCodec(codec, synthesis), coded)
    for number, frame in enumerate(coded):
        assert same(without[number], frame.planes)
        for ours, theirs in zip(nothing[number], frame.planes, strict=True):  # which are rounded twice
            difference = np.abs(ours.astype(int) - theirs)
            assert difference.max() <= 1 and difference.mean() < 0.05
        assert not same(full[number], frame.planes)


def test_decoders_know_their_codec(codec: RecurrentCodec, synthesis: SecondSynthesis, tmp_path: Path) -> None:
    path = tmp_path / "sharp.safetensors"
    path.write_bytes(serialized_second_synthesis(synthesis, codec.weights_hash))
    assert with_perceptual_decoder(codec, path).strength == 1.0
    with pytest.raises(DataError, match=f"and {codec.weights_hash} decode here"):
        with_perceptual_decoder(codec, write_changed_decoder(path))  # the default model's


def test_training_sees_what_the_decoder_has(tmp_path: Path) -> None:
    """Up to the estimate of integers by floats; by transforms that code, as an untrained network's do not."""
    torch.manual_seed(0)
    sizes = ModelConfig(name="recurrent", intra_latents=16, residual_latents=16, motion_latents=16)
    training = RecurrentTraining(sizes, LossConfig(), OptimizationConfig(precision="fp32"))
    for stage in (INTRA, INTER):
        training.start(stage, iter([batch(first=10 * number) for number in range(4)]))
    path = tmp_path / "started.safetensors"
    path.write_bytes(serialized_weights(training.freeze()))
    codec = load_recurrent(path)
    luma, chroma = (torch.from_numpy(plane) for plane in moving_clip(100).planes)
    pictures = [pack_planes(luma[None, t] / 255, chroma[None, t] / 255) for t in range(3)]
    with torch.no_grad():
        floats = decoded_parts(codec.network.eval(), pictures, torch.tensor([30.0]))
    geometry, reference = PictureGeometry(64, 64), None
    for number, parts in enumerate(floats):
        arrays = (luma[number, 0].numpy(), *chroma[number].numpy())
        order = PictureOrder(float((parts.quality * 16).round() / 16))
        payload = codec.encode_picture(arrays, geometry, reference, order).payload
        reference, exact = require_parts(codec).decode_picture_and_parts(payload, geometry, reference)
        assert float(exact.quality) == pytest.approx(order.quality) and exact.key == parts.key == (number == 0)
        assert exact.picture.shape == parts.picture.shape and exact.latents.shape == parts.latents.shape
        assert float((exact.picture - parts.picture).abs().mean()) < 0.05
        if exact.flow is not None and parts.flow is not None:
            assert exact.flow.shape == parts.flow.shape and abs(float(parts.flow[:, 0].median()) - 2) < 0.7
            assert float((exact.flow - parts.flow).abs().mean()) < 0.4


def test_a_decoder_of_the_recurrent_model_is_trained_and_exported(
    codec: RecurrentCodec, weights: Path, coded: list[CodedFrame], tmp_path: Path
) -> None:
    changes = (
        "stages.lpips.steps=1",
        "stages.long.steps=1",
        "stages.adversary.steps=2",
        "adversarial.weight=1",
        "adversarial.ramp=0",
    )
    config = configuration(f"model.start={weights}", "optimization.average=0", *changes)
    loop, model = loop_of(config, tmp_path / "run")
    assert isinstance(model, PerceptualTraining) and model.codec.name == "recurrent"
    before = {name: value.clone() for name, value in model.codec.network.state_dict().items()}
    assert loop.run()
    assert all(torch.equal(value, before[name]) for name, value in model.codec.network.state_dict().items())
    path = tmp_path / "sharp.safetensors"
    report = export_checkpoint(tmp_path / "run" / "last.ckpt", path)
    trained, untrained = load_second_synthesis(path, codec).state_dict(), SecondSynthesis(codec).state_dict()
    assert report.model == "perceptual" and all(key in untrained for key in trained)
    assert any(not torch.equal(value, untrained[key].half().float()) for key, value in trained.items())
    pictures = shown(with_perceptual_decoder(codec, path), coded)
    assert len(pictures) == 3 and all(np.isfinite(plane).all() for plane in pictures[2])


def test_a_start_of_neither_model_is_refused(tmp_path: Path) -> None:
    path = write_changed_decoder(tmp_path / "other.safetensors")
    with pytest.raises(DataError, match="weights format 'scaleflow-perceptual-2', expected 'scaleflow-1'"):
        make_model(configuration(f"model.start={path}"))
