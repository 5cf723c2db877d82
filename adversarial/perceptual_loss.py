"""LPIPS as a loss: with gradients, on clips of 4:2:0."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from scaleflow.adversarial.lpips_network import LEAST_SIDE, find_backbone, load_lpips
from scaleflow.codec.models.transforms import unpack_planes
from scaleflow.codec.video.color_tensors import planes_to_rgb
from scaleflow.errors import UsageError
from scaleflow.optional_packages import require_packages


class LpipsLoss(nn.Module):
    """LPIPS of packed pictures, with the AlexNet of ImageNet and never with a random one.

    Args:
        backbone: AlexNet's weights, see :func:`scaleflow.adversarial.lpips_network.find_backbone`.

    Raises:
        UsageError: a package or the weights are missing; says where to get them.
        DataError: the file holds something else.
    """

    def __init__(self, backbone: Path | None = None) -> None:
        super().__init__()
        require_packages("the perceptual loss", "evaluate", ("lpips", "torchvision"))
        self.network = load_lpips(find_backbone(backbone)).requires_grad_(False).to(memory_format=torch.channels_last)

    def forward(self, original: Tensor, decoded: Tensor) -> Tensor:
        """LPIPS of each picture, (N,), of packed pictures (N, 6, H / 2, W / 2) in BT.709; 0 is identical.

        Raises:
            UsageError: the pictures are too small for AlexNet.
        """
        if 2 * min(original.shape[2:]) < LEAST_SIDE:
            raise UsageError(f"LPIPS takes pictures of {LEAST_SIDE} samples and more, not of {2 * original.shape[2]}")
        pictures = (_signed_rgb(packed) for packed in (original, decoded))
        distances: Tensor = self.network(*pictures)
        return distances.flatten(1).mean(1)


def _signed_rgb(packed: Tensor) -> Tensor:
    luma, chroma = unpack_planes(packed.float())
    rgb = planes_to_rgb(luma[:, None], chroma[:, None])[:, 0]
    return (rgb * 2 - 1).contiguous(memory_format=torch.channels_last)
