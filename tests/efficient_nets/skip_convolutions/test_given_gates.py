"""Gates that are told where a frame changed, and the maps that a decoder's prediction and residual make."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from scaleflow.codec.models.picture_change import PictureChange
from scaleflow.efficient_nets.skip_convolutions.decoded_change import DecodedChange
from scaleflow.efficient_nets.skip_convolutions.method import SkipConv
from scaleflow.efficient_nets.video.conversion import accelerate
from scaleflow.errors import UsageError
from tests.efficient_nets.conftest import moving_square


def changes(video: list[Tensor]) -> list[Tensor]:
    """Exact maps of each frame after the first."""
    return [(after != before).any(1) for before, after in pairwise(video)]


@pytest.mark.parametrize(
    "form",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 5, "padding": 2, "stride": 2, "groups": 2},
        {"kernel_size": 3, "padding": 2, "dilation": 2, "padding_mode": "reflect", "bias": False},
        {"kernel_size": 1, "stride": 3},
    ],
)
@pytest.mark.parametrize("execution", ["sparse", "compiled", "masked"])
@pytest.mark.parametrize("coarser", [1, 4])
def test_a_layer_gives_what_the_dense_one_gives(coarser: int, execution: str, form: dict[str, Any]) -> None:
    """Where the map is exact, and where it has cells of 4x4 that reach beyond the frame."""
    torch.manual_seed(0)
    layer = nn.Conv2d(4, 8, **form).requires_grad_(False)
    settings = SkipConv(gate="given", block=2, execution=execution, dense_above=1)
    video_model = accelerate(layer, settings)
    video = moving_square(5, 36, 44, batch=2)
    assert torch.allclose(video_model(video[0]), layer(video[0]), atol=1e-5)
    for frame, changed in zip(video[1:], changes(video), strict=True):
        if coarser > 1:
            cells = nn.functional.max_pool2d(changed.float(), coarser, ceil_mode=True)
            changed = cells.repeat_interleave(coarser, 1).repeat_interleave(coarser, 2)[:, :36, :44]
        video_model.change_map(changed)
        assert torch.allclose(video_model(frame), layer(frame), atol=1e-5)
    cost = video_model.cost().latest[-1].total
    assert 0 < cost.macs < 0.5 * cost.dense_macs and cost.gate_macs == 0


def test_maps_of_another_size_are_stretched_over_every_layer() -> None:
    """One quarter of the frame changed, told by a map of 2x2: each layer computes that quarter and what sees it."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 1, stride=2), nn.ReLU(), nn.Conv2d(4, 4, 1, stride=2)).requires_grad_(False)
    video_model = accelerate(model, SkipConv(gate="given", block=1, dense_above=1))
    first, second = torch.randn(2, 1, 3, 32, 48)
    kept = video_model(first)
    video_model.change_map(torch.tensor([[0, 0], [0, 1]]))
    output = video_model(second)
    assert torch.allclose(output[..., 4:, 6:], model(second)[..., 4:, 6:], atol=1e-6)
    assert torch.equal(output[..., :4, :], kept[..., :4, :]) and torch.equal(output[..., :6], kept[..., :6])
    layers = video_model.cost().latest[-1].layers
    assert [layer.macs / layer.dense_macs for layer in layers.values()] == [0.25, 0.25]


def test_where_nothing_changed_nothing_is_computed() -> None:
    layer = nn.Conv2d(2, 3, 3)
    video_model = accelerate(layer, SkipConv(gate="given"))
    output = video_model(torch.randn(1, 2, 12, 12))
    video_model.change_map(torch.zeros(12, 12, dtype=torch.bool))
    assert torch.equal(video_model(torch.randn(1, 2, 12, 12)), output)
    assert video_model.cost().latest[-1].total.macs == 0


def test_each_frame_needs_its_map() -> None:
    video_model = accelerate(nn.Conv2d(1, 1, 1), SkipConv(gate="given"))
    frame = torch.zeros(1, 1, 8, 8)
    video_model(frame)
    video_model.change_map(torch.ones(8, 8))
    video_model(frame)
    with pytest.raises(UsageError, match=r"needs network.change_map\(\) before each frame"):
        video_model(frame)
    with pytest.raises(UsageError, match=r"\(1, 1, 8, 8\)"):
        video_model.change_map(torch.ones(1, 1, 8, 8))
    with pytest.raises(UsageError, match="frames one by one"):
        video_model.forward_clip(frame[None])
    with pytest.raises(ValueError, match="takes no threshold"):
        SkipConv(threshold=0.1, gate="given")


def change(prediction: float = 0, residual: float = 0) -> PictureChange:
    """Of a picture of 20x24 in cells of 16, at the lower left one."""
    maps = np.zeros((2, 2, 2), np.float32)
    maps[:, 1, 0] = prediction, residual
    return PictureChange(maps[0], maps[1], 16, (20, 24))


@pytest.mark.parametrize("kind", ["prediction", "residual"])
def test_a_cell_has_changed_above_a_threshold_or_when_it_adds_up(kind: str) -> None:
    maps = DecodedChange(prediction=1, residual=1)
    found = []
    for size in (1.5, 0.6, 0.6, 0.6, 0.4, 0.4, 0.4, 0.6):
        changed = maps(change(**{kind: size}))
        assert changed is not None and changed.shape == (20, 24)
        assert not changed[:16].any() and not changed[:, 16:].any()
        found.append(bool(changed[16:, :16].all()))
    assert found == [True, False, True, False, False, False, False, True]


def test_after_a_key_picture_sums_begin_again() -> None:
    maps = DecodedChange(prediction=1)
    assert not maps(change(prediction=0.8)).any()
    assert maps(None) is None
    assert not maps(change(prediction=0.8)).any()
    with pytest.raises(ValueError, match="residual = -1"):
        DecodedChange(residual=-1)
