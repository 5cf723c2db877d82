"""SALISA's warps: exact at control points, never folded, boxes there and back, small things magnified."""

from __future__ import annotations

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch import Tensor

from scaleflow.efficient_nets.salisa.content_aware_sampling import sampling_targets
from scaleflow.efficient_nets.salisa.resampler import Resampler
from scaleflow.efficient_nets.salisa.saliency import SaliencySettings, saliency_map
from scaleflow.efficient_nets.salisa.thin_plate_spline import LEAST_STRETCH, ThinPlateSpline, control_points, places
from scaleflow.errors import UsageError

SIZE = (360, 640)


def saliency_of(*boxes: tuple[float, float, float, float]) -> Tensor:
    return saliency_map(torch.tensor(boxes).view(-1, 4), torch.ones(len(boxes)), SIZE, SaliencySettings())[None]


@st.composite
def some_boxes(draw: st.DrawFn) -> list[tuple[float, float, float, float]]:
    boxes = []
    for _ in range(draw(st.integers(1, 4))):
        width, height = draw(st.floats(4, 160)), draw(st.floats(4, 120))
        left, top = draw(st.floats(0, SIZE[1] - width)), draw(st.floats(0, SIZE[0] - height))
        boxes.append((left, top, left + width, top + height))
    return boxes


def test_control_points_go_where_they_are_sent() -> None:
    spline = ThinPlateSpline(5)
    torch.manual_seed(0)
    targets = control_points(5) + 0.1 * torch.randn(2, 25, 2)
    assert torch.allclose(spline.warp(spline.coefficients(targets), control_points(5)), targets, atol=1e-4)


def test_affine_targets_give_affine_warps() -> None:
    spline = ThinPlateSpline(6)
    matrix, shift = torch.tensor([[0.7, 0.2], [-0.1, 1.1]]), torch.tensor([0.1, -0.2])
    coefficients = spline.coefficients((control_points(6) @ matrix.T + shift)[None])
    points = places(7, 9).flatten(0, 1)
    assert torch.allclose(spline.warp(coefficients, points)[0], points @ matrix.T + shift, atol=1e-4)
    assert torch.allclose(spline.derivative(coefficients, points)[0], matrix.expand(63, 2, 2), atol=1e-3)
    assert float(spline.stretch(coefficients)) == pytest.approx(float(torch.linalg.det(matrix)), abs=1e-3)


def test_warps_that_would_fold_are_held_back() -> None:
    spline = ThinPlateSpline(4)
    torch.manual_seed(1)
    wild = control_points(4) + 1.5 * torch.randn(3, 16, 2)
    assert (spline.stretch(spline.coefficients(wild)) < 0).all()
    assert (spline.stretch(spline.fold_free(wild)) >= LEAST_STRETCH).all()
    mild = control_points(4)[None] * 0.9
    assert torch.allclose(spline.fold_free(mild), spline.coefficients(mild))


@settings(max_examples=8, phases=(Phase.explicit, Phase.generate))
@given(some_boxes())
def test_boxes_come_back_within_half_a_sample(boxes: list[tuple[float, float, float, float]]) -> None:
    resampler = Resampler()
    with torch.no_grad():
        warped = resampler(torch.zeros(1, 3, *SIZE), saliency_of(*boxes), (180, 320))
        assert float(resampler.spline.stretch(warped.coefficients)) >= LEAST_STRETCH
        given_boxes = torch.tensor(boxes)
        there = resampler.boxes_from_source(given_boxes, warped)
        back = resampler.boxes_to_source(there, warped)
        points = 2 * torch.rand(1, 50, 2) - 1
        again = resampler.spline.warp(warped.coefficients, resampler.spline.inverse(warped.coefficients, points))
    assert (back - given_boxes).abs().max() < 0.5
    assert ((again - points).abs() * torch.tensor([SIZE[1] / 2, SIZE[0] / 2])).max() < 0.1


def test_small_things_are_magnified_and_all_is_seen() -> None:
    small = (300.0, 100.0, 330.0, 124.0)
    resampler = Resampler()
    picture = torch.zeros(1, 1, *SIZE)
    picture[:, :, 100:124, 300:330] = 1
    with torch.no_grad():
        warped = resampler(picture, saliency_of(small), (90, 160))
        plain = torch.nn.functional.interpolate(picture, (90, 160), mode="area")
        corners = resampler.spline.warp(warped.coefficients, torch.tensor([[-1.0, -1.0], [1.0, 1.0]]))
    assert warped.picture.sum() > 2 * plain.sum()
    assert torch.allclose(corners[0], torch.tensor([[-1.0, -1.0], [1.0, 1.0]]), atol=1e-3)
    # It is found where it is said to be.
    left, top, right, bottom = resampler.boxes_from_source(torch.tensor([small]), warped)[0].tolist()
    rows, columns = (warped.picture[0, 0] > 0.5).nonzero().unbind(1)
    assert float(columns.min()) == pytest.approx(left, abs=1.5) and float(columns.max() + 1) == pytest.approx(
        right, abs=1.5
    )
    assert float(rows.min()) == pytest.approx(top, abs=1.5) and float(rows.max() + 1) == pytest.approx(bottom, abs=1.5)


def test_without_detections_the_picture_is_reduced_evenly() -> None:
    """To a tenth of a sample, and no other way than by that.

    The spline's weights, which should be 0 here, are sums of 256 large products in float32: about 1e-5 is left of them,
    and the 256 radial functions that they belong to add up to 0.05 of a sample. In double precision it is 3e-5.
    """
    resampler = Resampler()
    picture = torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        warped = resampler(picture, saliency_of(), (180, 320))
        moved = (resampler.spline.grid(warped.coefficients, 180, 320) - places(180, 320))[0].abs()
    moved = moved * torch.tensor([SIZE[1] / 2, SIZE[0] / 2])
    assert float(moved.max()) < 0.1
    expected = torch.nn.functional.interpolate(picture, (180, 320), mode="bilinear", align_corners=False)
    # Neighbours in noise differ by 1 at most, so that is how much a sample can change for each sample of movement.
    assert ((warped.picture - expected).abs() <= moved.sum(-1) + 1e-5).all()


def test_smaller_boxes_weigh_more() -> None:
    scores = torch.ones(2)
    boxes = torch.tensor([[20.0, 20, 60, 44], [300.0, 100, 560, 340]])
    found = saliency_map(boxes, scores, SIZE, SaliencySettings())
    alike = saliency_map(boxes, scores, SIZE, SaliencySettings(small_first=0))
    small, large = (2, 2), (19, 20)
    assert found[small] / found[large] > 2 * alike[small] / alike[large]
    assert float(found.mean()) == pytest.approx(1)


def test_targets_share_the_output_by_saliency() -> None:
    saliency = torch.ones(1, 4, 4)
    saliency[0, :, 1] = 5
    x = sampling_targets(saliency, 9)[0].unflatten(0, (9, 9))[0, :, 0]
    # Columns weigh 1, 5, 1, 1: the second, from -0.5 to 0, has five eighths of the output.
    assert torch.allclose(x, torch.tensor([-1, -0.5, -0.4, -0.3, -0.2, -0.1, 0, 0.5, 1.0]), atol=1e-6)


def test_the_network_is_drawn_to_the_target_and_learns() -> None:
    torch.manual_seed(0)
    resampler, saliency = Resampler(side=6, width=8), saliency_of((300, 100, 330, 124))
    assert float(resampler.regularizer(saliency).detach()) == 0
    resampler.last.bias.data[:] = 0.5  # type: ignore[operator, index]
    before = float(resampler.regularizer(saliency).detach())
    optimizer = torch.optim.Adam(resampler.parameters(), 1e-2)
    for _ in range(30):
        loss = resampler.regularizer(saliency)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.1 * before
    picture = torch.rand(1, 3, *SIZE)
    resampler(picture, saliency, (36, 64)).picture.square().mean().backward()
    assert resampler.last.weight.grad is not None and resampler.last.weight.grad.abs().sum() > 0


def test_wrong_settings() -> None:
    with pytest.raises(UsageError, match="floor = 0 must be above 0"):
        SaliencySettings(floor=0)
    with pytest.raises(UsageError, match="side = 1: a grid of control points"):
        ThinPlateSpline(1)
