"""A codec tuned for a frozen network: what learns, what does not, resumed exactly, and streams of an encoder alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from scaleflow.codec.frame_coder import FrameDecoder, FrameEncoder
from scaleflow.codec.models.encoder_weights import is_of_the_encoder, read_encoder
from scaleflow.codec.models.registry import load_model
from scaleflow.codec.models.scaleflow_codec import ScaleFlowCodec
from scaleflow.codec.models.transforms import pack_planes
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import VideoProperties
from scaleflow.codec.video.working_format import rgb_picture
from scaleflow.errors import DataError, UsageError
from scaleflow.training.codec.configuration import TrainingConfig
from scaleflow.training.codec.configuration_file import configuration_of, preset
from scaleflow.training.codec.export import export_checkpoint
from scaleflow.training.codec.models.scaleflow import ScaleFlowTraining
from scaleflow.training.codec.models.task import TaskTraining, shown_rgb
from scaleflow.training.codec.models.trainable import ClipBatch, TrainableModel
from scaleflow.training.codec.run import make_model
from scaleflow.training.codec.start import load_start
from scaleflow.training.loop.checkpoint import save_checkpoint
from scaleflow.training.loop.configuration_file import override
from scaleflow.training.loop.loop import TrainingLoop
from tests.codec.models.recurrent.tiny_codec import tiny_recurrent
from tests.efficient_nets.network_loss.test_network_loss import network_file
from tests.training.loop.test_loop import ALONE, Batches

SIZES = ("model.intra_latents=16", "model.residual_latents=16", "model.motion_latents=8")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return network_file(tmp_path_factory.mktemp("network"), "segmentation")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a small codec, as they are exported."""
    folder = tmp_path_factory.mktemp("weights")
    values = preset("tiny")
    override(values, [*SIZES, "model.start=random"])
    config = configuration_of(values)
    torch.manual_seed(3)
    model = ScaleFlowTraining(config.model, config.loss, config.optimization)
    state = {"config": config.to_mapping(), "network": model.network.state_dict(), "stage": 2, "step": 0}
    save_checkpoint(folder / "a.ckpt", state | {"seconds": {}, "optimizer": None, "average": None})
    export_checkpoint(folder / "a.ckpt", folder / "tiny.safetensors")
    return folder / "tiny.safetensors"


def configuration(network: Path, *changes: str) -> TrainingConfig:
    values = preset("task")
    short = ["stages.task.steps=4", "stages.task.batch=2", "stages.task.micro_batch=1", "stages.task.unroll=[2,2]"]
    common = [f"task.network={network}", "optimization.precision=fp32", "checkpoint_every=2"]
    override(values, [*short, *common, *changes])
    return configuration_of(values)


def of_tiny(network: Path, tiny: Path, *changes: str) -> TrainingConfig:
    return configuration(network, *SIZES, f"model.start={tiny}", *changes)


def loop_of(config: TrainingConfig, folder: Path) -> TrainingLoop:
    return TrainingLoop(config, make_model(config), Batches(config.seed), folder, ALONE)


def clips_of(config: TrainingConfig, rgb: bool = False) -> ClipBatch:
    clips: ClipBatch = next(iter(Batches().steps(0, config.stages[0], 0)))[0].clips
    if not rgb:
        return clips
    luma = clips.planes[0]
    large = torch.nn.functional.interpolate(luma.flatten(0, 1), size=(128, 128)).unflatten(0, luma.shape[:2])
    return replace(clips, planes=(large.repeat(1, 1, 3, 1, 1),))


def reached(model: TrainableModel, clips: ClipBatch, config: TrainingConfig) -> set[str]:
    """Parameters that a gradient reaches."""
    model.network.train()
    model.network.zero_grad(set_to_none=True)
    result = model.step(clips, config.stages[0])
    assert torch.isfinite(result.loss) and result.scalars["network loss"] >= 0
    result.loss.backward()
    return {name for name, parameter in model.network.named_parameters() if parameter.grad is not None}


def grouped(model: TrainableModel, config: TrainingConfig) -> set[str]:
    return {name for group in model.parameter_groups(config.stages[0]) for name in group.names}


def test_the_encoder_alone_learns(network: Path, tiny: Path) -> None:
    config = of_tiny(network, tiny)
    model = make_model(config)
    assert isinstance(model, TaskTraining)
    encoder = {name for name, _ in model.network.named_parameters() if is_of_the_encoder(name)}
    assert reached(model, clips_of(config), config) == grouped(model, config) == encoder
    whole = of_tiny(network, tiny, "stages.task.trains=all")
    model = make_model(whole)
    assert encoder < reached(model, clips_of(whole), whole)
    assert encoder < grouped(model, whole)


def test_the_network_alone_teaches_where_distortion_has_no_share(network: Path, tiny: Path) -> None:
    """Its gradient reaches every part of the encoder, in proportion to its weight, and it is not changed by it."""
    silent = ("loss.distortion_share=0", "loss.prediction=0", "task.pictures=0")
    gradients = []
    for weight in (0.0, 100.0, 200.0):
        config = of_tiny(network, tiny, *silent, f"task.weight={weight}")
        model = make_model(config)
        assert isinstance(model, TaskTraining)
        torch.manual_seed(0)
        reached(model, clips_of(config), config)
        assert not any(p.requires_grad for p in model._loss.network._module.parameters())
        found = dict(model.network.named_parameters())["residual.analysis.linear.weight"].grad
        assert found is not None
        gradients.append(found.clone())
    own = gradients[1] - gradients[0]
    assert own.abs().max() > 0
    assert torch.allclose(gradients[2] - gradients[0], 2 * own, atol=1e-3 * float(own.abs().max()))


def test_a_resumed_run_is_the_run_that_was_not_stopped(network: Path, tiny: Path, tmp_path: Path) -> None:
    config = of_tiny(network, tiny, "task.pictures=1")
    assert loop_of(config, tmp_path / "plain").run()
    for number, stop in enumerate((1, 2, 100)):
        loop = loop_of(config, tmp_path / "stopped")
        if number:
            loop.resume()
        calls = iter(range(1000))
        if loop.run(lambda: next(calls) >= stop):  # noqa: B023 - asked at once
            break
    states = [torch.load(tmp_path / name / "last.ckpt", weights_only=True)["network"] for name in ("plain", "stopped")]
    start = make_model(config).network.state_dict()
    assert states[0].keys() == states[1].keys() == start.keys()
    assert all(torch.equal(states[1][name], value) for name, value in states[0].items())
    moved = {name for name, value in states[0].items() if not torch.equal(value, start[name])}
    assert moved and all(map(is_of_the_encoder, moved))
    with pytest.raises(UsageError, match="was made with other settings of task"):
        loop_of(replace(config, task=replace(config.task, weight=1.0)), tmp_path / "plain").resume()  # type: ignore[type-var]


@pytest.mark.parametrize("distance", ["outputs", "features"])
def test_recurrent_and_ssf2020_are_tuned_too(network: Path, tmp_path: Path, distance: str) -> None:
    changes = ["model.name=ssf2020", "model.start=random", "stages.task.trains=all", "data.crop=128"]
    config = configuration(network, *changes, f"task.distance={distance}")
    model = make_model(config)
    names = reached(model, clips_of(config, rgb=True), config)
    assert names == grouped(model, config) and "img_decoder.0.weight" in names
    exported = tmp_path / "ssf2020.safetensors"
    save_file({key: value.contiguous() for key, value in model.network.state_dict().items()}, exported)
    with torch.no_grad():
        model.network.get_parameter("img_decoder.0.weight").zero_()
    load_start(model, str(exported))  # type: ignore[arg-type]
    assert model.network.get_parameter("img_decoder.0.weight").any()

    recurrent = ["model.name=recurrent", "model.start=random", f"task.distance={distance}"]
    config = configuration(network, *SIZES, *recurrent, "stages.task.trains=all")
    model = make_model(config)
    assert any("synthesis" in name for name in reached(model, clips_of(config), config))
    weights = tmp_path / "recurrent.safetensors"
    from scaleflow.codec.models.recurrent.weights_file import serialized_weights

    weights.write_bytes(serialized_weights(model.freeze()))  # type: ignore[arg-type]
    config = configuration(network, *SIZES, *recurrent, f"model.start={weights}")
    model = make_model(config)
    assert reached(model, clips_of(config), config) <= grouped(model, config)
    assert all(map(is_of_the_encoder, grouped(model, config)))


def pictures_of(count: int = 3) -> list[tuple[np.ndarray, ...]]:
    generator = np.random.default_rng(0)
    base = np.kron(generator.integers(30, 220, (10, 14)), np.ones((8, 8))).astype(np.uint8)
    return [(base[:64, n : n + 96], base[:32, n : n + 48], 255 - base[:32, n : n + 48]) for n in range(count)]


def coded(codec: VideoModel, decoder: VideoModel) -> list[bytes]:
    """Payloads of a codec, which another decodes to the same pictures."""
    encoding, decoding = (FrameEncoder(codec, width=96, height=64), FrameDecoder(decoder, width=96, height=64))
    payloads = []
    for number, planes in enumerate(pictures_of()):
        picture = encoding.encode(planes, key=number == 0, quality=40.0)
        for ours, theirs in zip(decoding.decode(picture.payload, key=picture.key), picture.planes, strict=True):
            assert np.array_equal(ours, theirs)
        payloads.append(picture.payload)
    return payloads


def test_decoders_stay_where_the_encoder_alone_was_tuned(network: Path, tmp_path: Path) -> None:
    """The shipped codec: another encoder, streams of the shipped weights."""
    config = configuration(network, "stages.task.steps=2", "stages.task.learning_rate=0.01", "stages.task.warm_up=0")
    assert loop_of(config, tmp_path / "run").run()
    weights = tmp_path / "seg.safetensors"
    report = export_checkpoint(tmp_path / "run" / "last.ckpt", weights)
    shipped, tuned = load_model(), load_model(weights=weights)
    assert tuned.weights_hash == shipped.weights_hash and report.file_bytes < 8e6
    assert report.parameters == sum(value.numel() for value in read_encoder(weights).tensors.values())
    assert coded(tuned, shipped) != coded(shipped, shipped)
    # tuned further, it is still an encoder of the same weights
    again = configuration(network, f"model.start={weights}")
    values = make_model(again).network.state_dict()
    assert all(torch.equal(values[name], value.float()) for name, value in read_encoder(weights).tensors.items())


def test_encoders_find_the_weights_that_they_belong_to(
    network: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SCALEFLOW_WEIGHTS", raising=False)
    config = of_tiny(network, tiny, "stages.task.steps=1")
    assert loop_of(config, tmp_path / "run").run()
    weights = tmp_path / "seg.safetensors"
    export_checkpoint(tmp_path / "run" / "last.ckpt", weights)
    with pytest.raises(DataError, match=r"is an encoder for other weights, hash .*: put their file beside it"):
        load_model(weights=weights)
    (tmp_path / "beside.safetensors").write_bytes(tiny.read_bytes())
    codec = load_model(weights=weights)
    assert isinstance(codec, ScaleFlowCodec) and codec.weights_hash == load_model(weights=tiny).weights_hash
    coded(codec, load_model(weights=tiny))
    tiny_recurrent(tmp_path / "another.safetensors")
    (tmp_path / "beside.safetensors").unlink()
    monkeypatch.setenv("SCALEFLOW_WEIGHTS", str(tiny.parent))
    assert load_model(weights=weights).weights_hash == codec.weights_hash
    # Other weights under the name that the run started from
    changed = of_tiny(network, tiny, "stages.task.steps=1", "seed=5")
    state = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    state["network"]["residual.synthesis.stem.bias"] += 1
    torch.save({**state, "config": changed.to_mapping()}, tmp_path / "changed.ckpt")
    with pytest.raises(DataError, match=r"not the weights that the run started from.*residual\.synthesis\.stem\.bias"):
        export_checkpoint(tmp_path / "changed.ckpt", tmp_path / "changed.safetensors")
    assert not (tmp_path / "changed.safetensors").exists()


def test_networks_are_shown_what_files_show() -> None:
    """Up to where chroma lies between samples, and the rounding of RGB."""
    luma, chroma_blue, chroma_red = pictures_of(1)[0]
    smooth = [np.full_like(plane, value) for plane, value in ((luma, 120), (chroma_blue, 100), (chroma_red, 150))]
    planes = tuple(torch.from_numpy(part.astype(np.float32)) / 255 for part in smooth)
    shown = shown_rgb(pack_planes(planes[0][None, None], torch.stack(planes[1:])[None]))
    video = VideoProperties(96, 64, "yuv420p", 8, Fraction(25), Fraction(1, 25), color_matrix="bt709")
    expected = torch.from_numpy(rgb_picture(tuple(smooth), video).astype(np.float32)).permute(2, 0, 1) / 255
    assert float((shown[0] - expected).abs().max()) < 1 / 255


def test_configurations_are_checked(network: Path, tmp_path: Path) -> None:
    for changes, words in (
        (["task.distance=loss"], r"task\.distance"),
        (["task.weight=-1"], r"task\.weight = -1 is outside"),
        (["task.scal=1"], r"task\.scal is unknown: did you mean scale"),
        (["task.distance=labels"], r"task\.distance = labels: clips have none: use data\.kind=davis"),
        (["adversarial={weight: 0}"], "task and adversarial do not go together"),
        (["model.name=perceptual", "adversarial={weight: 0}"], "task: model perceptual is trained without it"),
        (["model.name=ssf2020", "data.crop=128"], r"stages\.task\.trains = encoder: streams of ssf2020 name all"),
        (["model.start=random"], r"model\.start = random: where encoders alone are trained"),
        (["loss.distortion_share=2"], r"loss\.distortion_share = 2 is outside 0\.\.1"),
    ):
        with pytest.raises(UsageError, match=words):
            configuration(network, *changes)
    for changes, kind, words in (
        (["task.network=''"], UsageError, r"task\.network is empty: name a run"),
        ([f"task.network={tmp_path}"], UsageError, r"task\.network: .*there is no such weights file"),
        (["task.name=keypoints"], UsageError, "was trained for segmentation, not for task keypoints"),
        (["task.distance=labels", "data.kind=davis", "data.masks=annotations"], UsageError, "labels is of foreground"),
        (["model.start=none.safetensors"], UsageError, "there is no such weights file"),
    ):
        with pytest.raises(kind, match=words):
            make_model(configuration(network, *changes))


def test_the_loss_of_labels_takes_the_masks_of_clips(tiny: Path, tmp_path: Path) -> None:
    foreground = network_file(tmp_path, "foreground")
    labels = ("task.distance=labels", "data.kind=davis", "data.masks=annotations", "task.pictures=0")
    config = of_tiny(foreground, tiny, *labels)
    clips = clips_of(config)
    masks = torch.zeros(1, 2, 1, 64, 64)
    masks[..., 20:40, 10:50] = 1
    model = make_model(config)
    losses: list[Tensor] = []
    model.network.eval()
    for mask in (masks, 1 - masks):
        torch.manual_seed(0)
        losses.append(model.step(replace(clips, mask=mask), config.stages[0]).loss.detach())
    assert losses[0] != losses[1]
