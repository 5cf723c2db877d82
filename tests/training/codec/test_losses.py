"""Losses against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from scaleflow.codec.models.quality import quantization_step
from scaleflow.codec.models.rate_distortion import squared_error
from scaleflow.training.codec.configuration import LossConfig
from scaleflow.training.codec.losses import distortion, rate_distortion, spread_qualities, structural_error


def planes(luma: float, blue: float, red: float) -> tuple[torch.Tensor, torch.Tensor]:
    chroma = torch.stack([torch.full((16, 16), blue), torch.full((16, 16), red)])[None]
    return torch.full((1, 1, 32, 32), luma), chroma


def test_squared_error_weighs_samples_or_planes() -> None:
    ours, theirs = planes(0.5, 0.5, 0.5), planes(0.5 + 2 / 255, 0.5 - 4 / 255, 0.5 + 6 / 255)
    alike = squared_error(ours, theirs)
    # four luma samples for each one of either chroma
    assert float(alike) == pytest.approx((4 * 4 + 16 + 36) / 6, rel=1e-4)
    # PSNR-YUV's weights are of planes, so a chroma sample counts four times
    by_plane = squared_error(ours, theirs, (6 / 4, 1, 1))
    assert float(by_plane) == pytest.approx((6 * 4 + 16 + 36) / 8, rel=1e-4)


def test_squared_error_of_rgb_is_the_mean() -> None:
    generator = torch.Generator().manual_seed(0)
    ours, theirs = (torch.rand(2, 3, 8, 8, generator=generator) for _ in range(2))
    expected = (255 * (ours - theirs)).square().mean((1, 2, 3))
    assert torch.allclose(squared_error((ours,), (theirs,)), expected, rtol=1e-5)


def test_structural_error_is_none_for_equal_pictures_and_grows() -> None:
    generator = torch.Generator().manual_seed(0)
    luma = torch.nn.functional.interpolate(torch.rand(1, 1, 24, 24, generator=generator), size=(192, 192))
    noise = torch.randn(luma.shape, generator=generator)
    errors = [float(structural_error((luma,), ((luma + noise * s).clamp(0, 1),))) for s in (0.0, 0.05, 0.2)]
    assert errors[0] == pytest.approx(0, abs=1e-5)
    assert 0.001 < errors[1] < errors[2] < 1
    config = LossConfig(distortion="ms-ssim")
    assert float(distortion((luma,), (luma,), config)) == pytest.approx(0, abs=0.03)
    with pytest.raises(ValueError, match="161"):
        structural_error((luma[..., :128],), (luma[..., :128],))


def test_the_nominal_step_is_the_best_one() -> None:
    """Where D = step^2 / 12 and each sample costs a bit less when the step doubles: within a few percent."""
    config = LossConfig()
    quality = torch.tensor([10.0, 30.0, 50.0])
    nominal = quantization_step(quality)
    factors = torch.linspace(0.5, 2, 301)
    losses = []
    for factor in factors:
        step = nominal * factor
        # all samples above the noise: each costs a bit less when the step doubles
        losses.append(rate_distortion(1.5 * -torch.log2(step), step.square() / 12, quality, config))
    best = factors[torch.stack(losses).argmin(0)]
    expected = math.sqrt(0.13 * 12 / (2 * math.log(2)))
    assert torch.allclose(best, torch.full((3,), expected), atol=0.01)


def test_successive_samples_cover_the_qualities() -> None:
    for first in (0, 17, 1000):
        qualities = spread_qualities(first, 12, 0.0, 63.0, seed=3).sort().values
        assert qualities.min() >= 0 and qualities.max() <= 63
        assert float(qualities.diff().max()) < 63 / 5
    both = spread_qualities(0, 8, 0.0, 63.0, seed=3)
    assert torch.equal(both[4:], spread_qualities(4, 4, 0.0, 63.0, seed=3))
