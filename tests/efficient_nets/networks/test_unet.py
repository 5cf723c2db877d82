"""U-Net: any size, its outputs as large as the picture, and skipping on video."""

from __future__ import annotations

import pytest
import torch

from scaleflow.efficient_nets.networks.unet import UNet
from scaleflow.efficient_nets.skip_convolutions.method import SkipConv
from scaleflow.efficient_nets.video.conversion import accelerate
from scaleflow.errors import UsageError
from tests.efficient_nets.conftest import moving_square, seeded


def test_outputs_are_as_large_as_pictures_of_any_size() -> None:
    network = UNet(5, 4).eval()
    for height, width in ((64, 96), (37, 51), (5, 3)):
        assert network(torch.rand(1, 3, height, width)).shape == (1, 5, height, width)


def test_parameters_of_the_papers_width_by_hand() -> None:
    """Two 3x3 convolutions with batch norms at each of nine places; those on the way up see both that they join."""
    with torch.device("meta"):
        parameters = sum(parameter.numel() for parameter in UNet(2, 64).parameters())
    pairs = [(3, 64), (64, 128), (128, 256), (256, 512), (512, 1024), (1536, 512), (768, 256), (384, 128), (192, 64)]
    assert parameters == sum(9 * own * (before + own) + 4 * own for before, own in pairs) + 2 * 65


def test_restoration_starts_as_the_picture_itself() -> None:
    picture = torch.rand(1, 3, 32, 32)
    assert torch.equal(UNet(3, 4, residual=True).eval()(picture), picture)
    with pytest.raises(UsageError, match="outputs = 5: what is added to a picture has 3 channels"):
        UNet(5, 4, residual=True)


def test_runs_accelerated_on_video() -> None:
    torch.manual_seed(0)
    network = seeded(UNet(4, 4)).eval()
    frames = moving_square(3, 64, 64, channels=3)
    video = accelerate(network, SkipConv(threshold=0.0, block=2))
    with torch.no_grad():
        for frame in frames:
            assert torch.allclose(video(frame), network(frame), atol=1e-4)
    first, second, _ = (frame.total for frame in video.cost().latest)
    assert second.macs < first.macs
    assert set(network.ends) <= {name for name, _ in network.named_modules()}
