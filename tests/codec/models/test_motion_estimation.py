"""Block matching finds the motion that is there."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from scaleflow.codec.models.motion_estimation import match_blocks, vector_smoothness


def textured(height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    noise = torch.rand(1, 1, height // 4, width // 4, generator=generator) * 255
    return F.interpolate(noise, size=(height, width), mode="bicubic", align_corners=False).clamp(0, 255)


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (5, -3), (-17, 9), (40, 24)])
def test_whole_sample_translation_is_found_exactly(dx: int, dy: int) -> None:
    reference = textured(192, 256)
    current = torch.roll(reference, (-dy, -dx), (2, 3))
    vectors = match_blocks(current, reference)
    inside = vectors[:, :, 6:-6, 8:-8]
    assert (inside[:, 0] == dx).float().mean() > 0.95
    assert (inside[:, 1] == dy).float().mean() > 0.95


def test_quarter_sample_translation_is_found() -> None:
    reference = textured(128, 128)
    y, x = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")
    grid = torch.stack(((2 * (x + 1.25) + 1) / 128 - 1, (2 * (y - 0.5) + 1) / 128 - 1), -1)[None]
    current = F.grid_sample(reference, grid, mode="bicubic", padding_mode="border", align_corners=False)
    vectors = match_blocks(current, reference)[:, :, 3:-3, 3:-3]
    assert (vectors[:, 0] == 1.25).float().mean() > 0.9
    assert (vectors[:, 1] == -0.5).float().mean() > 0.9


def test_smoothness_makes_vectors_of_noise_regular() -> None:
    generator = torch.Generator().manual_seed(0)
    current, reference = (torch.rand(1, 1, 64, 64, generator=generator) * 255 for _ in range(2))

    def irregularity(smoothness: float) -> float:
        vectors = match_blocks(current, reference, smoothness)
        return float((vectors[:, :, 1:] - vectors[:, :, :-1]).abs().mean())

    assert irregularity(2000.0) < 0.5 * irregularity(0.0)


def test_price_of_vectors_falls_with_quality() -> None:
    prices = [vector_smoothness(quality) for quality in (0, 20, 40, 63)]
    assert prices == sorted(prices, reverse=True)


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 16"):
        match_blocks(torch.zeros(1, 1, 40, 64), torch.zeros(1, 1, 40, 64))
