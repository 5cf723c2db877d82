"""Whole blocks that a non-linear student predicts."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, conv1x1

from scaleflow.codec.models.layers import ResidualBlock
from scaleflow.efficient_nets.delta_distillation.block import DeltaBlock, probe
from scaleflow.efficient_nets.delta_distillation.finalize import finalize
from scaleflow.efficient_nets.delta_distillation.method import DeltaDistillation
from scaleflow.efficient_nets.delta_distillation.training import delta_layers, distillation_loss, student_parameters
from scaleflow.efficient_nets.skip_convolutions.method import SkipConv
from scaleflow.efficient_nets.video.conversion import accelerate
from scaleflow.errors import UsageError
from tests.efficient_nets.conftest import moving_square, seeded


def network() -> nn.Sequential:
    """A stem, two residual blocks of which the second halves the size, and a head."""
    torch.manual_seed(0)
    shortcut = nn.Sequential(conv1x1(8, 16, 2), nn.BatchNorm2d(16))
    parts = OrderedDict(
        stem=nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(inplace=True)),
        same=BasicBlock(8, 8),
        down=BasicBlock(8, 16, 2, shortcut),
        head=nn.Conv2d(16, 4, 1),
    )
    model = seeded(nn.Sequential(parts))
    assert isinstance(model, nn.Sequential)
    return model.requires_grad_(False)


def noisy(video_model: nn.Module) -> None:
    """Students that predict something, which untrained ones do not."""
    generator = torch.Generator().manual_seed(5)
    for layer in video_model.modules():
        if isinstance(layer, DeltaBlock):
            for parameter in layer.students.parameters():
                nn.init.normal_(parameter, std=0.2, generator=generator)


@pytest.mark.parametrize("reference", ["key", "previous"])
@pytest.mark.parametrize("inputs", ["both", "delta"])
@pytest.mark.parametrize("downscale", [1, 3])
def test_both_forms_agree(reference: Any, inputs: Any, downscale: int) -> None:
    model = network()
    settings = DeltaDistillation(
        gamma=2, reference=reference, blocks=(BasicBlock,), block_inputs=inputs, block_downscale=downscale
    )
    video_model = accelerate(model, settings, exclude=("stem", "head"))
    noisy(video_model)
    assert [layer.name for layer in delta_layers(video_model)] == ["same", "down"]
    clip = torch.stack(moving_square(4, 34, 38, channels=3, batch=2), 1)
    found = video_model.forward_clip(clip)
    of_clip = video_model.cost()
    video_model.clear_cost()
    for step in range(4):
        assert torch.allclose(video_model(clip[:, step]), found[:, step], atol=1e-5)
        if step:
            assert not torch.allclose(found[:, step], model(clip[:, step]), atol=1e-2)
    assert torch.allclose(found[:, 0], model(clip[:, 0]), atol=1e-5)
    assert of_clip.latest == video_model.cost().latest
    assert of_clip.latest[1].total.ratio > 1.5


def test_macs_of_blocks_are_those_of_what_ran() -> None:
    video_model = accelerate(network(), DeltaDistillation(gamma=4, blocks=("same", "down")), exclude=("stem", "head"))
    for frame in moving_square(2, 32, 32, channels=3):
        video_model(frame)
    key, later = (each.layers for each in video_model.cost().latest)
    assert key["same"].macs == later["same"].dense_macs == 2 * 8 * 8 * 9 * 256
    assert key["down"].macs == later["down"].dense_macs == (8 * 16 * 9 + 16 * 16 * 9 + 8 * 16) * 64
    assert later["same"].macs == (8 * 2 + 2 * 2 * 9 * 2 + 2 * 8 + 8) * 256
    assert later["down"].macs == 8 * 4 * 256 + (4 * 4 * 9 * 2 + 4 * 16) * 64
    assert set(key) == {"stem.0", "same", "down", "head"}, "layers inside of blocks are not counted again"


@pytest.mark.parametrize("reference", ["key", "previous"])
def test_the_full_candidate_of_a_block_is_the_block(reference: Any) -> None:
    model = network()
    settings = DeltaDistillation(full="teacher", reference=reference, blocks=("same", "down"))
    video_model = accelerate(model, settings, exclude=("stem", "head"))
    for layer in delta_layers(video_model):
        nn.init.constant_(layer.log_odds, 1.0)
    video = moving_square(4, 32, 36, channels=3)
    in_clip = video_model.forward_clip(torch.stack(video, 1))
    for step, frame in enumerate(video):
        assert torch.allclose(video_model(frame), model(frame), atol=1e-5)
        assert torch.allclose(in_clip[:, step], model(frame), atol=1e-5)
    assert video_model.cost().ratio == 1
    assert finalize(video_model) == {"same": "full", "down": "full"}
    video_model.reset()
    assert all(torch.allclose(video_model(frame), model(frame), atol=1e-5) for frame in video)


def test_students_that_see_changes_alone_keep_what_stays() -> None:
    video_model = accelerate(network(), DeltaDistillation(blocks=(BasicBlock,), block_inputs="delta"))
    noisy(video_model)
    frame = torch.randn(1, 3, 32, 32)
    first = video_model(frame)
    assert all(torch.allclose(video_model(frame), first, atol=1e-6) for _ in range(3))


def test_a_block_may_change_its_input_in_place() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(3, 3, 3))).requires_grad_(False)
    video_model = accelerate(model, DeltaDistillation(blocks=("0",)))
    frame = torch.randn(1, 3, 8, 8)
    kept = frame.clone()
    video_model(frame)
    assert torch.equal(frame, kept)


@pytest.mark.parametrize("inputs", ["both", "delta"])
def test_students_of_blocks_learn_from_real_frames(inputs: Any, frames: list[Tensor]) -> None:
    clips = torch.stack(frames[:3], 1)[:, :, :, 32:, 96:]
    settings = DeltaDistillation(gamma=1, search=False, blocks=(BasicBlock,), block_inputs=inputs)
    video_model = accelerate(network(), settings, exclude=("stem", "head")).train()
    optimizer = torch.optim.Adam(student_parameters(video_model), 1e-2)
    for _ in range(40):
        video_model.forward_clip(clips)
        loss = distillation_loss(video_model, per_layer=True)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.7


def test_the_start_hands_through_what_the_block_does() -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())
    through = [probe("block", block).through for block in (ResidualBlock(8), BasicBlock(8, 8).eval(), plain)]
    assert through[0] == pytest.approx(1, abs=0.1) and 0.3 < through[1] < 0.7 and through[2] < 0.1


def test_blocks_that_cannot_be_are_named() -> None:
    class Several(nn.Module):
        def __init__(self, outputs: int) -> None:
            super().__init__()
            self.layer, self.outputs = nn.Conv2d(4, 4, 3), outputs

        def forward(self, x: Tensor, *more: Tensor) -> list[Tensor]:
            if not more and self.outputs == 1:
                raise ValueError("two inputs are needed")
            return [self.layer(x)] * self.outputs

    for module, message in (
        (nn.Sequential(nn.ReLU()), "block 'part' has no convolution"),
        (Several(1), r"block 'part' does not take a picture of 4 channels alone \(two inputs are needed\)"),
        (Several(2), "block 'part' does not give one picture"),
    ):
        with pytest.raises(UsageError, match=message):
            accelerate(nn.Sequential(OrderedDict(part=module)), DeltaDistillation(blocks=("part",)))
    for blocks in (("sama",), (nn.LSTM,)):
        with pytest.raises(UsageError, match=r"blocks name .*(sama|LSTM).*, which the model does not have"):
            accelerate(network(), DeltaDistillation(blocks=blocks))
    with pytest.raises(UsageError, match=r"exclude names 'same.conv1', which is part of a block"):
        accelerate(network(), DeltaDistillation(blocks=("same",)), exclude=("same.conv1",))


def test_blocks_within_blocks_excluded_ones_and_whole_models() -> None:
    model = nn.Sequential(OrderedDict(outer=nn.Sequential(network()), last=BasicBlock(4, 4)))
    video_model = accelerate(model, DeltaDistillation(blocks=(BasicBlock, "outer")), exclude=("last",))
    assert [layer.name for layer in delta_layers(video_model)] == ["outer"]
    assert {layer.reason for layer in video_model.unconverted} == {"excluded"}
    whole = accelerate(BasicBlock(4, 4), DeltaDistillation(blocks=(BasicBlock,)))
    assert isinstance(whole.model, DeltaBlock) and len(delta_layers(whole)) == 1
    assert [type(layer).__name__ for layer in accelerate(model, SkipConv(0)).converted_layers()] == [
        "SkipConvolution"
    ] * 9
