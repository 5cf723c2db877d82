"""Tasks: labels move as their pictures do, losses and predictions mean the same, measures are what they are called."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scaleflow.efficient_nets.data.label_maps import VOID
from scaleflow.efficient_nets.data.window import Window
from scaleflow.efficient_nets.tasks.description import TaskSettings
from scaleflow.efficient_nets.tasks.keypoints import Keypoints
from scaleflow.efficient_nets.tasks.known_tasks import make_task

sides = st.integers(8, 40)


@given(sides, sides, st.integers(-6, 20), st.integers(-6, 20), st.booleans())
def test_labels_and_points_move_with_the_picture(height: int, width: int, top: int, left: int, mirror: bool) -> None:
    """A picture of which each sample has a value of its own, its class; a point is where its value lies."""
    classes = torch.arange(height * width).view(height, width) % 251
    picture = classes.float().expand(3, -1, -1) / 255
    window = Window((height, width), (height, width), top, left, (24, 16), mirror)
    labels, moved = window.labels(classes.to(torch.uint8), VOID), window.picture(picture)
    known = labels != VOID
    assert torch.equal((255 * moved[0]).round()[known].long(), labels[known].long())
    assert (moved[0][~known] == 0.5).all()
    point = torch.tensor([[width // 2, height // 2]], dtype=torch.float32)
    x, y = window.points(point)[0].tolist()
    inside = top <= height // 2 < top + 24 and left <= width // 2 < left + 16
    assert inside == math.isfinite(x)
    if inside:
        assert labels[round(y), round(x)] == classes[height // 2, width // 2]


def test_scaling_keeps_points_on_their_place() -> None:
    picture = torch.zeros(3, 64, 64)
    picture[:, 40:44, 12:16] = 1
    window = Window((64, 64), (32, 48), 0, 0, (32, 48))
    x, y = window.points(torch.tensor([[13.5, 41.5]]))[0].tolist()
    weights = window.picture(picture)[0]
    across = (weights.sum(0) * torch.arange(48)).sum() / weights.sum()
    down = (weights.sum(1) * torch.arange(32)).sum() / weights.sum()
    assert (x, y) == pytest.approx((float(across), float(down)), abs=0.05)


def test_what_keypoints_learn_is_what_they_find() -> None:
    """Heatmaps that were fitted to the loss alone find the points, to a fraction of a sample."""
    task = Keypoints()
    targets = torch.tensor([[[13.0, 41.0], [50.25, 7.5], [math.nan, math.nan]]])
    heatmaps = torch.zeros(1, 3, 16, 16, requires_grad=True)
    optimizer = torch.optim.Adam([heatmaps], lr=0.3)
    for _ in range(150):
        optimizer.zero_grad()
        task.loss(heatmaps, targets).backward()
        optimizer.step()
    found = task.prediction(heatmaps[0].detach(), (64, 64))
    assert (found[:2] - targets[0, :2]).abs().max() < 0.5
    meter = task.meter(("a", "b", "c"))
    meter.add("", found, targets[0])
    meter.add("", found + 20, targets[0])
    assert meter.values()["pck"] == 50


def test_iou_of_labels() -> None:
    meter = make_task("segmentation", TaskSettings(("road", "car", "sky"))).meter(("road", "car", "sky"))
    target = torch.tensor([[0, 0, 1, VOID]], dtype=torch.uint8)
    meter.add("", torch.tensor([[0, 1, 1, 2]], dtype=torch.uint8), target)
    values = meter.values()
    assert values["iou road"] == values["iou car"] == 50 and math.isnan(values["iou sky"])
    assert values["miou"] == 50 and values["accuracy"] == pytest.approx(200 / 3)


def test_j_is_a_mean_over_frames_then_videos() -> None:
    meter = make_task("foreground").meter(("background", "foreground"))
    one, none = torch.ones(2, 2, dtype=torch.uint8), torch.zeros(2, 2, dtype=torch.uint8)
    for found, target, video in ((one, one, "a"), (none, one, "a"), (none, none, "b")):
        meter.add(video, found, target)
    assert meter.values() == {"j": 75, "f": 100, "j a": 50, "j b": 100}
