"""Steering acts outside the region alone, and drops what is small before it touches what is large."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from scaleflow.roi.coding import DEFAULT_NETWORKS
from scaleflow.roi.networks import LatentSteering, latent_step, load_region_networks

QUALITY, OCTAVES = torch.tensor([30.0]), torch.tensor([3.0])


@pytest.fixture
def steering() -> LatentSteering:
    torch.manual_seed(3)
    network = LatentSteering("residual", 4)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return network.requires_grad_(False)


def latents() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(4)
    values, towards = torch.randn(2, 1, 4, 6, 8, generator=generator).unbind()
    return 20 * values, towards


def test_nothing_changes_inside_and_at_strength_one(steering: LatentSteering) -> None:
    values, towards = latents()
    region = torch.zeros(1, 1, 6, 8)
    region[..., 2:4, 3:6] = 1
    steered = steering(values, towards, region, OCTAVES, QUALITY)
    inside = region.bool().expand_as(values)
    assert torch.allclose(steered[inside], values[inside], rtol=1e-6)
    assert not torch.allclose(steered[~inside], values[~inside], rtol=0.01)
    assert torch.allclose(steering(values, towards, region, torch.zeros(1), QUALITY), values, rtol=1e-6)


@pytest.mark.parametrize(
    ("octaves", "shares"),
    [
        (3.0, ((0.5, 0.0), (5.0, 0.01), (15.0, 1.0), (60.0, 1.0))),  # a threshold of 9 steps
        (5.0, ((5.0, 0.0), (15.0, 0.0), (60.0, 0.98), (100.0, 1.0))),  # and of 41
    ],
)
def test_what_is_below_a_threshold_that_grows_with_the_strength_is_dropped(
    steering: LatentSteering, octaves: float, shares: tuple[tuple[float, float], ...]
) -> None:
    for layer, value in ((steering.last, -20.0), (steering.threshold, 1.0)):  # no shrinking
        torch.nn.init.zeros_(layer.weight)
        assert layer.bias is not None
        torch.nn.init.constant_(layer.bias, value)
    step = float(latent_step("residual", QUALITY))
    towards = torch.full((1, 4, 6, 8), 0.5)
    for steps, kept in shares:
        steered = steering(towards + steps * step, towards, torch.zeros(1, 1, 6, 8), torch.tensor([octaves]), QUALITY)
        assert torch.allclose((steered - towards) / (steps * step), torch.tensor(kept), atol=0.02)


def test_what_is_shipped_has_learned_thresholds() -> None:
    networks = load_region_networks(DEFAULT_NETWORKS)
    for kind in ("intra", "residual"):
        steering = networks.steering[kind]
        assert isinstance(steering, LatentSteering) and float(steering.threshold.weight.detach().abs().max()) > 0.01
