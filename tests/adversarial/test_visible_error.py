"""Errors count where they are seen."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from scaleflow.adversarial.visible_error import ACTIVITY, LEAST_ACTIVITY, visible_error


def noise(strength: float) -> Tensor:
    """Grey luma with noise of a standard deviation in code values."""
    torch.manual_seed(0)
    return 0.5 + strength / 255 * torch.randn(1, 1, 64, 64)


def test_nothing_is_seen_of_what_is_equal() -> None:
    luma = noise(5)
    assert visible_error(luma, luma) == 0


def test_in_smooth_parts_an_error_counts_by_the_least_activity() -> None:
    grey = torch.full((1, 1, 32, 32), 0.5)
    found = visible_error(grey, grey + 2 / 255)
    assert found.item() == pytest.approx(4 * (ACTIVITY / LEAST_ACTIVITY) ** 2, rel=1e-4)


@pytest.mark.parametrize(("strength", "most"), [(5, 2.0), (20, 0.15)])
def test_texture_hides_errors(strength: float, most: float) -> None:
    luma = noise(strength)
    found = visible_error(luma, luma + 1 / 255)
    assert most / 2 < found.item() < most


def test_lines_on_the_smooth_half_cost_what_the_textured_half_hides() -> None:
    luma = torch.cat((noise(0.3), noise(20)), 3)
    lines = torch.zeros_like(luma)
    lines[..., ::2, :64] = 2 / 255
    smooth, textured = visible_error(luma, luma + lines), visible_error(luma, luma + lines.flip(3))
    assert smooth > 50 * textured


def test_gradients_reach_what_is_shown_alone() -> None:
    luma, shown = noise(1).requires_grad_(), noise(2).requires_grad_()
    visible_error(luma.detach(), shown).backward()
    assert shown.grad is not None
    assert shown.grad.abs().sum() > 0
