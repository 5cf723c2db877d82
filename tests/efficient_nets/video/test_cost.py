"""Counted work beside counts made by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from scaleflow.efficient_nets.skip_convolutions.method import SkipConv
from scaleflow.efficient_nets.video.conversion import accelerate
from scaleflow.efficient_nets.video.cost import Cost
from scaleflow.efficient_nets.video.cost_record import DETAILED_FRAMES
from tests.efficient_nets.conftest import moving_square


def test_macs_of_a_change_that_is_known() -> None:
    """One sample changes: nine positions of a 3x3 convolution see it, and of blocks of 4 those in two."""
    frame = torch.randn(1, 6, 16, 16)
    changed = frame.clone()
    changed[0, 2, 5, 8] += 1
    gate = 6 * 16 * 16 + 2 * 9 * 16 * 16
    for block, positions in ((1, 9), (4, 32)):
        video_model = accelerate(nn.Conv2d(6, 10, 3, padding=1), SkipConv(threshold=0, block=block))
        for each in (frame, changed, changed):
            video_model(each)
        first, second, third = (each.total for each in video_model.cost().latest)
        dense = 6 * 10 * 9 * 256
        assert first == Cost(dense, 0, dense, dense * 1024, dense, dense * 1024)
        assert second.macs == 540 * positions + gate and second.gate_macs == gate
        assert second.executed_macs == second.macs and second.dense_macs == dense
        assert second.bops == second.macs * 32 * 32
        assert third.macs == gate
        total = video_model.cost().total
        assert total == first + second + third
        assert video_model.cost().ratio == 3 * dense / (dense + 540 * positions + 2 * gate)


def test_blocks_at_the_edge_count_what_is_inside_and_execute_what_they_are() -> None:
    video_model = accelerate(nn.Conv2d(1, 1, 1), SkipConv(threshold=0, block=4, dense_above=1))
    frame = torch.zeros(1, 1, 5, 6)
    video_model(frame)
    frame[0, 0, 4, 5] = 1
    video_model(frame)
    gate = 30 + 2 * 30
    cost = video_model.cost().latest[-1].total
    assert (cost.macs - gate, cost.executed_macs - gate) == (2, 16)


def test_masked_execution_says_that_it_ran_dense() -> None:
    video_model = accelerate(nn.Conv2d(4, 8, 3), SkipConv(threshold=0, block=1, execution="masked"))
    for frame in moving_square(3, 20, 24):
        video_model(frame)
    cost = video_model.cost().latest[-1].total
    assert cost.macs < cost.dense_macs == cost.executed_macs - cost.gate_macs


def test_layers_that_are_not_converted_count_in_full() -> None:
    model = nn.Sequential(
        nn.Conv2d(4, 6, 3, padding=1, groups=2),
        nn.ConvTranspose2d(6, 4, 2, stride=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 5),
    )
    video_model = accelerate(model, SkipConv(threshold=0, block=2))
    for frame in moving_square(3, 16, 20, batch=2):
        video_model(frame)
    cost = video_model.cost()
    assert cost.frames == 3 and list(cost.layers) == ["0", "1", "4"]
    up, linear = 2 * 16 * 20 * 6 * 4 * 4, 2 * 4 * 5
    for frame in cost.latest:
        assert frame.layers["1"].macs == frame.layers["1"].dense_macs == up
        assert frame.layers["4"].macs == linear
    assert cost.layers["0"].dense_macs == 3 * 2 * 16 * 20 * 6 * 2 * 9
    assert cost.layers["0"].ratio > 1 == cost.layers["1"].ratio
    assert cost.total.dense_macs == sum(layer.dense_macs for layer in cost.layers.values())


def test_calls_of_one_layer_add_up() -> None:
    layer = nn.Conv2d(4, 4, 1)
    video_model = accelerate(nn.Sequential(layer, nn.ReLU(), layer), SkipConv(threshold=0))
    video_model(torch.zeros(1, 4, 8, 8))
    assert {name: cost.macs for name, cost in video_model.cost().layers.items()} == {"0": 2 * 16 * 64}


def test_counting_starts_again_and_takes_constant_memory() -> None:
    video_model = accelerate(nn.Conv2d(1, 1, 1), SkipConv(threshold=0))
    frame = torch.zeros(1, 1, 4, 4)
    for _ in range(DETAILED_FRAMES + 10):
        video_model(frame)
    cost = video_model.cost()
    assert (cost.frames, len(cost.latest)) == (DETAILED_FRAMES + 10, DETAILED_FRAMES)
    video_model.clear_cost()
    assert video_model.cost().frames == 0 and video_model.cost().total == Cost() and video_model.cost().ratio == 1
    video_model(frame)
    assert not video_model.cost().latest[0].key, "the video goes on"


def test_a_frame_that_fails_does_not_count() -> None:
    video_model = accelerate(nn.Sequential(nn.Conv2d(2, 2, 1), nn.Linear(8, 3)), SkipConv(threshold=0))
    video_model(torch.zeros(1, 2, 8, 8))
    video_model.reset()
    with pytest.raises(RuntimeError):
        video_model(torch.zeros(1, 2, 8, 9))
    video_model(torch.zeros(1, 2, 8, 8))
    assert video_model.cost().frames == 2
    assert [frame.key for frame in video_model.cost().latest] == [True, True]
