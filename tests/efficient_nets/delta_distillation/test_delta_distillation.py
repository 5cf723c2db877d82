"""Delta distillation: the linear students, both forms, both references, costs and what is refused."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn

from scaleflow.efficient_nets.delta_distillation.delta_layer import DeltaLayer
from scaleflow.efficient_nets.delta_distillation.finalize import finalize
from scaleflow.efficient_nets.delta_distillation.low_rank import LowRankConvolution, student_macs, student_rank
from scaleflow.efficient_nets.delta_distillation.method import DeltaDistillation
from scaleflow.efficient_nets.delta_distillation.training import delta_layers
from scaleflow.efficient_nets.video.conversion import accelerate
from scaleflow.errors import UsageError
from tests.efficient_nets.conftest import moving_square, seeded

FORMS: list[dict[str, Any]] = [
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": (3, 5), "padding": (2, 1), "stride": (1, 2), "groups": 2},
    {"kernel_size": 3, "padding": 2, "dilation": 2, "stride": 2, "padding_mode": "reflect"},
    {"kernel_size": (2, 4), "padding": "same", "groups": 4, "padding_mode": "circular"},
    {"kernel_size": 1, "stride": 2, "padding": 1},
    {"kernel_size": (5, 1), "padding": (2, 3), "stride": (2, 3)},
    {"kernel_size": (1, 5), "padding": (3, 2), "stride": (2, 3)},
]


def trunk() -> nn.Sequential:
    """A resnet18 up to its first stage, with weights drawn at random."""
    torch.manual_seed(0)
    model = seeded(torchvision.models.resnet18(weights=None))
    names = ("conv1", "bn1", "relu", "maxpool", "layer1")
    return nn.Sequential(OrderedDict((name, getattr(model, name)) for name in names)).requires_grad_(False)


def choose(network: nn.Module, candidate: str) -> None:
    for layer in network.modules():
        if isinstance(layer, DeltaLayer) and layer.log_odds is not None:
            nn.init.constant_(layer.log_odds, 1.0 if candidate == "full" else -1.0)


@pytest.mark.parametrize("form", FORMS)
def test_of_full_rank_students_give_what_the_convolution_gives(form: dict[str, Any]) -> None:
    torch.manual_seed(0)
    dense = nn.Conv2d(4, 8, **form).requires_grad_(False)
    rank = student_rank(dense, "out", 0.01)
    height, width = dense.kernel_size
    assert rank == min(4 * height, 8 * width)
    student = LowRankConvolution(dense, rank, "svd")
    x = torch.randn(2, 4, 11, 14)
    assert dense.bias is not None
    assert torch.allclose(student(x), dense(x) - dense.bias[:, None, None], atol=1e-5)


def test_the_start_is_the_nearest_of_its_rank() -> None:
    """The error that is left is the sum of the squares of the singular values that were cut off."""
    torch.manual_seed(0)
    dense = nn.Conv2d(6, 5, (3, 4), bias=False).requires_grad_(False)
    values = torch.linalg.svdvals(dense.weight.permute(1, 2, 0, 3).reshape(18, 20))
    for rank in (1, 3, 7):
        column, row = LowRankConvolution(dense, rank, "svd")
        composed = torch.einsum("rchx,orxw->ochw", column.weight, row.weight).detach()
        left = float((composed - dense.weight).square().sum())
        assert left == pytest.approx(float(values[rank:].square().sum()), rel=1e-4)


@pytest.mark.parametrize(
    ("policy", "gamma", "channels", "groups", "rank"),
    [
        ("out", 4, (24, 64), 1, 16),
        ("min", 4, (24, 64), 1, 6),
        ("min", 100, (24, 64), 1, 1),
        ("out", 4, (8, 8), 8, 8),
    ],
)
def test_rank_by_policy(policy: Any, gamma: float, channels: tuple[int, int], groups: int, rank: int) -> None:
    dense = nn.Conv2d(*channels, 3, groups=groups)
    assert student_rank(dense, policy, gamma) == rank


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("reference", ["key", "previous"])
def test_macs_of_students_are_counted(reference: Any, form: dict[str, Any]) -> None:
    torch.manual_seed(0)
    dense = nn.Conv2d(4, 8, **form)
    settings = DeltaDistillation(gamma=8, policy="out", reference=reference)
    rank = student_rank(dense, settings.policy, settings.gamma)
    video_model = accelerate(dense, settings)
    for frame in moving_square(3, 18, 24, batch=2):
        output = video_model(frame)
    positions = output.numel() // 8
    key, later, last = (each.total for each in video_model.cost().latest)
    assert key.macs == key.dense_macs == later.dense_macs == positions * dense.weight.numel()
    assert later == last and later.executed_macs == later.macs
    assert later.macs == pytest.approx(positions * student_macs(dense, rank), rel=0.2)
    choose(video_model, "full")
    video_model(frame)
    assert video_model.cost().latest[-1].total.macs == key.macs


@pytest.mark.parametrize("reference", ["key", "previous"])
@pytest.mark.parametrize("full", ["copy", "teacher"])
def test_full_candidates_start_as_the_dense_network(full: Any, reference: Any, frames: list[Tensor]) -> None:
    model = trunk()
    video_model = accelerate(model, DeltaDistillation(full=full, reference=reference))
    choose(video_model, "full")
    for frame in frames:
        expected = model(frame)
        assert (video_model(frame) - expected).abs().max() <= 1e-5 * expected.abs().max()
    assert video_model.cost().ratio == 1


@pytest.mark.parametrize("reference", ["key", "previous"])
def test_both_forms_agree_on_a_real_network(reference: Any, frames: list[Tensor]) -> None:
    model = trunk()
    video_model = accelerate(model, DeltaDistillation(gamma=2, reference=reference, search=False), exclude=("conv1",))
    clip = torch.stack(frames[:3], 1)
    with torch.no_grad():
        found = video_model.forward_clip(clip)
    of_clip = video_model.cost()
    video_model.clear_cost()
    expected = torch.stack([video_model(frame) for frame in frames[:3]], 1)
    dense = model(clip[0])[None]
    scale = dense.abs().max()
    assert (found - expected).abs().max() <= 1e-5 * scale
    assert (found - dense)[:, 1:].abs().max() >= 1e-2 * scale
    assert torch.equal(found[:, 0], dense[:, 0]) or (found - dense)[:, 0].abs().max() <= 1e-5 * scale
    assert of_clip.latest == video_model.cost().latest
    assert of_clip.latest[1].total.ratio > 1.5


def test_linear_students_give_the_same_whatever_changes_are_measured_against(frames: list[Tensor]) -> None:
    """Changes between neighbours add up to the change since the key frame."""
    layer = seeded(torchvision.models.resnet18(weights=None)).conv1
    key, previous = (accelerate(layer, DeltaDistillation(reference=kind)) for kind in ("key", "previous"))
    for frame in frames:
        assert torch.allclose(key(frame), previous(frame), atol=1e-4)
    assert not torch.allclose(key(frame), layer(frame), atol=1e-2)


def test_a_picture_that_stays_keeps_its_output() -> None:
    """The bias is in the key frame's output, and is not added again."""
    torch.manual_seed(0)
    layer = nn.Conv2d(4, 8, 3, padding=1)
    nn.init.constant_(layer.bias, 5.0)
    for reference in ("key", "previous"):
        video_model = accelerate(layer, DeltaDistillation(reference=reference))
        frame = torch.randn(1, 4, 12, 12)
        first = video_model(frame)
        for _ in range(3):
            assert torch.equal(video_model(frame), first)


@pytest.mark.parametrize("reference", ["key", "previous"])
def test_states_survive_what_is_changed_in_place(reference: Any) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 4, 3)).requires_grad_(False)
    video_model = accelerate(model, DeltaDistillation(reference=reference, full="teacher"))
    choose(video_model, "full")
    for frame in moving_square(4, 16, 18):
        expected = model(frame)
        given = frame.clone()
        found = video_model(given)
        assert torch.allclose(found, expected, atol=1e-5)
        found.zero_()
        given.zero_()


def test_layers_whose_student_would_cost_more_stay() -> None:
    model = nn.Sequential(
        OrderedDict(
            first=nn.Conv2d(3, 64, 3),
            depthwise=nn.Conv2d(64, 64, 3, groups=64),
            narrow=nn.Conv2d(64, 8, 1),
            wide=nn.Conv2d(8, 64, 3),
        )
    )
    video_model = accelerate(model, DeltaDistillation(gamma=2))
    assert [layer.name for layer in delta_layers(video_model)] == ["depthwise", "narrow"]
    assert {layer.reason for layer in video_model.unconverted} == {"too cheap for the method to pay"}


def test_the_choice_is_kept_and_the_rest_dropped() -> None:
    def network() -> Any:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(4, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3))
        return accelerate(model, DeltaDistillation())

    searched, again = network(), network()
    nn.init.constant_(searched.model[0].log_odds, 0.3)
    video = moving_square(3, 16, 18)
    expected = [searched(frame) for frame in video]
    searched.reset()
    choices = finalize(searched)
    assert choices == {"0": "full", "2": "compressed"}
    assert sorted(searched.state_dict()) == [
        *("model.0.bias", "model.0.first_error", "model.0.students.full.weight", "model.0.weight"),
        *("model.2.bias", "model.2.first_error"),
        *("model.2.students.compressed.column.weight", "model.2.students.compressed.row.weight", "model.2.weight"),
    ]
    assert all(torch.equal(searched(frame), output) for frame, output in zip(video, expected, strict=True))
    assert finalize(searched) == choices
    nn.init.zeros_(again.model[0].students["full"].weight)
    finalize(again, choices)
    again.load_state_dict(searched.state_dict())
    assert all(torch.equal(again(frame), output) for frame, output in zip(video, expected, strict=True))
    with pytest.raises(UsageError, match=r"0: candidate 'compressed' is none of full"):
        finalize(searched, {"0": "compressed", "2": "compressed"})
    with pytest.raises(UsageError, match="no layer 1, 2"):
        finalize(network(), {"0": "compressed", "1": "compressed"})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"gamma": 0.5}, "gamma = 0.5"),
        ({"gamma": float("nan")}, "gamma = nan"),
        ({"policy": "max"}, "policy = 'max' is none of out, min"),
        ({"reference": "first"}, "reference = 'first' is none of key, previous"),
        ({"full": "none"}, "full = 'none' is none of copy, teacher"),
        ({"start": "zero"}, "start = 'zero' is none of svd, random"),
    ],
)
def test_settings_that_make_no_sense(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DeltaDistillation(**wrong)
