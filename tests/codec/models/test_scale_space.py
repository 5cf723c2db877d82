"""The scale-space warp moves by samples and blurs by level."""

from __future__ import annotations

import torch

from scaleflow.codec.models.scale_space import BLURRED_LEVELS, blur, blurred_volume, scale_space_warp


def picture() -> torch.Tensor:
    return torch.rand(1, 2, 48, 64, generator=torch.Generator().manual_seed(1))


def test_no_flow_at_the_sharp_level_is_the_picture() -> None:
    planes = picture()
    warped = scale_space_warp(planes, torch.zeros(1, 2, 48, 64), torch.zeros(1, 1, 48, 64))
    torch.testing.assert_close(warped, planes, atol=1e-5, rtol=0)


def test_flow_is_in_samples_whatever_the_size() -> None:
    planes = picture()
    flow = torch.zeros(1, 2, 48, 64)
    flow[:, 0], flow[:, 1] = 3, -2
    warped = scale_space_warp(planes, flow, torch.zeros(1, 1, 48, 64))
    torch.testing.assert_close(warped[:, :, 2:, :-3], planes[:, :, :-2, 3:], atol=1e-4, rtol=0)


def test_levels_are_the_slices_of_the_volume_and_linear_between_them() -> None:
    planes = picture()
    still = torch.zeros(1, 2, 48, 64)
    volume = blurred_volume(planes)
    at = {
        level: scale_space_warp(planes, still, torch.full((1, 1, 48, 64), float(level)))
        for level in (0.5, 1, 2, 2.5, 4)
    }
    torch.testing.assert_close(at[1], blur(planes), atol=1e-5, rtol=0)
    torch.testing.assert_close(at[2], volume[:, :, 1], atol=1e-5, rtol=0)
    torch.testing.assert_close(at[4], volume[:, :, BLURRED_LEVELS - 1], atol=1e-5, rtol=0)
    torch.testing.assert_close(at[0.5], (planes + blur(planes)) / 2, atol=1e-5, rtol=0)
    torch.testing.assert_close(at[2.5], (volume[:, :, 1] + volume[:, :, 2]) / 2, atol=1e-5, rtol=0)


def test_blur_grows_with_the_level_and_keeps_the_mean() -> None:
    planes = picture()
    volume = blurred_volume(planes)
    spread = [float(volume[:, :, level].std()) for level in range(BLURRED_LEVELS)]
    assert spread == sorted(spread, reverse=True)
    torch.testing.assert_close(volume.mean((3, 4)), planes.mean((2, 3))[..., None].expand(1, 2, 4), atol=0.02, rtol=0)
