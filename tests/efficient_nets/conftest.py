"""Frames of a real clip whose camera stands still, and made ones."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from scaleflow.codec.video.reader import open_video
from tests.places import SHARED

CLIP = SHARED / "data" / "train" / "intel_one-by-one-person-detection.mp4"
FIRST, FRAMES = 90, 5


@pytest.fixture(scope="session")
def frames() -> list[Tensor]:
    """Five frames (1, 3, 128, 192), normalised as for ImageNet: a still wall, then someone who walks."""
    if not CLIP.is_file():
        pytest.skip("needs ../shared/data/train/intel_one-by-one-person-detection.mp4")
    with open_video(CLIP, working_format="rgb") as reader:
        pictures = [np.stack(picture.planes) for picture in islice(reader, FIRST, FIRST + FRAMES)]
    cut = torch.from_numpy(np.stack(pictures)[:, :, :128, 240:432]).float() / 255
    return list(((cut - 0.45) / 0.225).split(1))


def moving_square(frames: int, height: int, width: int, channels: int = 4, batch: int = 1) -> list[Tensor]:
    """A textured ground that stays, and a square of 5x5 that moves one sample down and two to the right a frame."""
    generator = torch.Generator().manual_seed(7)
    ground = torch.randn(batch, channels, height, width, generator=generator)
    square = torch.randn(batch, channels, 5, 5, generator=generator)
    video = []
    for step in range(frames):
        frame = ground.clone()
        frame[:, :, 1 + step : 6 + step, 2 * step : 2 * step + 5] = square
        video.append(frame)
    return video


def seeded(model: nn.Module) -> nn.Module:
    """Batch norms with statistics that are not those of a fresh model, so that folding matters; in eval mode."""
    generator = torch.Generator().manual_seed(3)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.3, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
            if module.affine:
                module.weight.data.uniform_(0.5, 1.5, generator=generator)
                module.bias.data.normal_(0, 0.3, generator=generator)
    return model.eval()
