"""Motion compensation by a long filter."""

from __future__ import annotations

import torch

from scaleflow.codec.models.interpolation import double_size, sample_at


def test_samples_stay_and_halves_are_interpolated() -> None:
    x = torch.arange(64, dtype=torch.float32)
    wave = torch.sin(0.4 * x).expand(1, 1, 32, 64)
    doubled = double_size(wave)
    assert doubled.shape == (1, 1, 64, 128)
    assert torch.equal(doubled[:, :, ::2, ::2], wave)
    middle = slice(8, -8)
    halves = torch.sin(0.4 * (x + 0.5))
    assert torch.allclose(doubled[0, 0, 0, 1::2][middle], halves[middle], atol=5e-3)


def test_motion_moves_a_picture_by_any_fraction() -> None:
    y, x = torch.meshgrid(torch.arange(48.0), torch.arange(64.0), indexing="ij")
    picture = (torch.sin(0.5 * x) * torch.cos(0.3 * y))[None, None]
    flow = torch.zeros(1, 2, 48, 64)
    flow[:, 0], flow[:, 1] = 2.25, -1.5
    moved = sample_at(double_size(picture), flow, 2)
    expected = torch.sin(0.5 * (x + 2.25)) * torch.cos(0.3 * (y - 1.5))
    inner = (slice(8, -8), slice(8, -8))
    long = float((moved[0, 0][inner] - expected[inner]).abs().max())
    short = float((sample_at(picture, flow, 1)[0, 0][inner] - expected[inner]).abs().max())
    assert long < 0.01 and long < short / 2


def test_no_motion_gives_the_picture() -> None:
    picture = torch.rand(2, 2, 16, 24)
    assert torch.allclose(sample_at(picture, torch.zeros(2, 2, 16, 24), 1), picture, atol=1e-5)
