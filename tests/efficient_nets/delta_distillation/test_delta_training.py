"""Training with delta distillation: targets, losses, gradients, and a search on real frames."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from scaleflow.efficient_nets.delta_distillation.method import DeltaDistillation
from scaleflow.efficient_nets.delta_distillation.training import (
    cost_loss,
    delta_layers,
    distillation_loss,
    student_parameters,
)
from scaleflow.efficient_nets.video.conversion import accelerate
from scaleflow.efficient_nets.video.network import VideoNetwork
from scaleflow.errors import UsageError
from tests.efficient_nets.conftest import moving_square


def teacher() -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1),
    )
    return model.requires_grad_(False)


def predictor(model: nn.Module, **settings: Any) -> VideoNetwork:
    return accelerate(model, DeltaDistillation(**settings), exclude=("0",)).train()


def made_clips() -> Tensor:
    return torch.stack(moving_square(4, 16, 20, channels=3, batch=2), 1)


def differences(clip: Tensor, reference: str) -> Tensor:
    return clip[:, 1:] - (clip[:, :1] if reference == "key" else clip[:, :-1])


@pytest.mark.parametrize("reference", ["key", "previous"])
def test_students_learn_the_changes_of_the_teacher_from_what_they_see(reference: Any) -> None:
    model, clips = teacher(), made_clips()
    video_model = predictor(model, search=False, reference=reference)
    output = video_model.forward_clip(clips)
    first, second = delta_layers(video_model)

    def each(layer: nn.Module, clip: Tensor) -> Tensor:
        return layer(clip.flatten(0, 1)).unflatten(0, clip.shape[:2])

    x = each(model[:2], clips)
    after_first = each(model[2], x)
    predicted = each(first.students["compressed"], differences(x, reference))
    added = predicted.cumsum(1) if reference == "previous" else predicted
    seen = torch.cat((after_first[:, :1], after_first[:, :1] + added), 1).relu()
    second_predicted = each(second.students["compressed"], differences(seen, reference))
    wrong = [
        predicted - differences(after_first, reference),
        second_predicted - differences(each(model[3:], after_first), reference),
    ]
    errors = [layer.errors[0].item() for layer in (first, second)]
    assert errors == pytest.approx([each.square().mean().item() for each in wrong], rel=1e-4)
    added = second_predicted.cumsum(1) if reference == "previous" else second_predicted
    assert torch.allclose(output[:, 1:], each(model[3:], after_first)[:, :1] + added, atol=1e-5)


@pytest.mark.parametrize("per_layer", [False, True])
def test_the_loss_is_over_its_first_value(per_layer: bool) -> None:
    video_model = predictor(teacher(), search=False)
    layers = delta_layers(video_model)
    firsts = []
    for factors in ((1, 1), (3, 1), (1, 2)):
        video_model.forward_clip(made_clips())
        for layer, factor in zip(layers, factors, strict=True):
            layer.errors = [layer.errors[0] * factor]
        firsts = firsts or [layer.errors[0].item() for layer in layers]
        loss = distillation_loss(video_model, per_layer=per_layer).item()
        weights = (1, 1) if per_layer else firsts
        expected = sum(weight * factor for weight, factor in zip(weights, factors, strict=True)) / sum(weights)
        assert loss == pytest.approx(expected, rel=1e-5)
    again = predictor(teacher(), search=False)
    again.load_state_dict(video_model.state_dict())
    again.forward_clip(2 * made_clips())
    assert distillation_loss(again).item() > 3, "the scale is that of the training that goes on"


def test_the_scale_of_a_search_is_that_of_compressed_candidates() -> None:
    """A full candidate starts without an error, of which nothing can be a multiple."""
    scales = set()
    for seed in range(8):
        torch.manual_seed(seed)
        video_model = predictor(teacher())
        for parameter in (layer.log_odds for layer in delta_layers(video_model)):
            nn.init.zeros_(parameter)
        video_model.forward_clip(made_clips())
        assert 0 <= distillation_loss(video_model, per_layer=True).item() < 1.01
        scales.add(round(float(delta_layers(video_model)[0].first_error), 6))
    assert len(scales) == 1, "whatever was drawn"


def test_a_clip_that_stands_still_says_nothing_of_the_scale() -> None:
    video_model = predictor(teacher(), search=False)
    video_model.forward_clip(made_clips()[:, :1].expand(-1, 3, -1, -1, -1))
    assert distillation_loss(video_model).item() == 0
    for _ in range(2):
        video_model.forward_clip(made_clips())
        assert distillation_loss(video_model).item() == pytest.approx(1)


@pytest.mark.parametrize("full", ["copy", "teacher"])
def test_gradients_go_where_they_belong(full: Any) -> None:
    model = teacher().requires_grad_(True)
    video_model = predictor(model, full=full)
    students = student_parameters(video_model)
    last = video_model.model[4]

    def gradients(loss: Tensor) -> tuple[float, float]:
        video_model.zero_grad()
        loss.backward()
        of_students = sum(float(p.grad.abs().sum()) for p in students if p.grad is not None)
        return of_students, 0.0 if last.bias.grad is None else float(last.bias.grad.abs().sum())

    on_students, on_bias = gradients(video_model.forward_clip(made_clips()).square().mean())
    assert on_students > 0 and on_bias > 0, "the task trains both"
    video_model.forward_clip(made_clips())
    on_students, on_bias = gradients(distillation_loss(video_model))
    assert on_students > 0 and on_bias == 0, "targets are detached"
    video_model.forward_clip(made_clips())
    on_students, on_bias = gradients(cost_loss(video_model))
    assert on_students > 0 and on_bias == 0
    assert all(layer.log_odds is not None and layer.log_odds.grad is not None for layer in delta_layers(video_model))


def test_the_cost_is_the_share_of_macs_that_the_clip_spent() -> None:
    video_model = predictor(teacher())
    found = set()
    for _ in range(12):
        video_model.clear_cost()
        video_model.forward_clip(made_clips())
        layers = video_model.cost().latest[1].layers
        spent = sum(layers[name].macs for name in ("2", "4")) / sum(layers[name].dense_macs for name in ("2", "4"))
        assert float(cost_loss(video_model)) == pytest.approx(spent, rel=1e-5)
        found.add(round(spent, 4))
    compressed = 4 * 16 * 3 * 2 / (16 * 16 * 9)
    assert found == {round(share, 4) for share in (compressed, (1 + compressed) / 2, 1)}, "drawn by chance"
    constant = predictor(teacher(), search=False)
    constant.forward_clip(made_clips())
    assert float(cost_loss(constant)) == pytest.approx(compressed)


def test_what_is_missing_is_named() -> None:
    video_model = predictor(teacher())
    video_model.eval().forward_clip(made_clips())
    with pytest.raises(UsageError, match=r"call train\(\), then forward_clip\(\)"):
        distillation_loss(video_model)
    video_model.train().forward_clip(made_clips()[:, :1])
    with pytest.raises(UsageError, match="two frames or more"):
        distillation_loss(video_model)
    with pytest.raises(UsageError, match="no layer of the network predicts changes"):
        distillation_loss(accelerate(nn.Conv2d(1, 1, 1), DeltaDistillation()))


def searched(model: nn.Module, clips: Tensor, cost_weight: float) -> list[str]:
    """Choices of the layers after a search of 50 steps."""
    torch.manual_seed(1)
    video_model = predictor(model)
    odds = [layer.log_odds for layer in delta_layers(video_model) if layer.log_odds is not None]
    weights = [layer.students.parameters() for layer in delta_layers(video_model)]
    groups = [{"params": odds, "lr": 0.2}, *({"params": list(each), "lr": 3e-3} for each in weights)]
    optimizer = torch.optim.Adam(groups)
    for step in range(50):
        video_model.forward_clip(clips[step % len(clips)][None])
        loss = distillation_loss(video_model) + cost_weight * cost_loss(video_model)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return [layer.choice for layer in delta_layers(video_model)]


def test_a_search_on_real_frames_picks_cheaper_layers_where_cost_weighs_more(frames: list[Tensor]) -> None:
    clips = torch.stack([torch.cat(frames[start : start + 3])[:, :, 32:, 96:] for start in (0, 1, 2)])
    full = [searched(teacher(), clips, weight).count("full") for weight in (0.0, 10.0)]
    assert full == [2, 0]


def test_distillation_beats_its_start_on_real_frames(frames: list[Tensor]) -> None:
    model = teacher()
    clip = torch.cat(frames)[None, :, :, 32:, 96:]
    expected = model(clip[0])[None]
    video_model = predictor(model, search=False)

    def error() -> float:
        with torch.no_grad():
            found = video_model.eval().forward_clip(clip)
        video_model.train()
        return float((found - expected).square().mean())

    before = error()
    optimizer = torch.optim.Adam(student_parameters(video_model), 3e-3)
    for _ in range(40):
        video_model.forward_clip(clip[:, :4])
        loss = distillation_loss(video_model)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.5
    assert error() < 0.5 * before, "on a frame that was not learned from as well"
