"""LPIPS as a loss: with gradients, on clips of 4:2:0.

AlexNet looks at every fourth sample at one size: a network that learns from it puts detail where these looks fall,
which LPIPS likes and nobody else sees (of a gain of 16 %, half was gone when pictures were moved by a sample, and all
of it when they were enlarged by half). So pictures are moved, turned and enlarged at random before it judges them, as
in Kettunen et al., "E-LPIPS: robust perceptual image similarity via random transformation ensembles" (2019). And as
LPIPS normalises features, a grid of one code value in an even area passes for texture: noise is added, the same to both
pictures, in which what nobody sees is lost.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaleflow.adversarial.lpips_network import LEAST_SIDE, find_backbone, load_lpips
from scaleflow.codec.models.transforms import unpack_planes
from scaleflow.codec.video.color_tensors import planes_to_rgb
from scaleflow.errors import UsageError
from scaleflow.optional_packages import require_packages

MOST_ENLARGED = 2.0
"""Pictures are enlarged by at most this much; as much less of them is judged, so that the cost does not rise."""

SHARE_ENLARGED = 0.5
"""Share of the steps in which they are enlarged at all."""


HIDING_NOISE = 3 * 2 / 255
"""Standard deviation of the noise: three code values of 8 bits, of samples in -1..1."""


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

    def forward(self, original: Tensor, decoded: Tensor, *, transformed: bool = False) -> Tensor:
        """LPIPS of each picture, (N,), of packed pictures (N, 6, H / 2, W / 2) in BT.709; 0 is identical.

        Args:
            original, decoded: the pictures.
            transformed: after :func:`randomly_transformed`, as training needs it.

        Raises:
            UsageError: the pictures are too small for AlexNet.
        """
        if 2 * min(original.shape[2:]) < LEAST_SIDE:
            raise UsageError(f"LPIPS takes pictures of {LEAST_SIDE} samples and more, not of {2 * original.shape[2]}")
        first, second = (_signed_rgb(packed) for packed in (original, decoded))
        if transformed:
            first, second = randomly_transformed(torch.cat((first, second))).chunk(2)
            noise = HIDING_NOISE * torch.randn_like(first)
            first, second = first + noise, second + noise
        distances: Tensor = self.network(first, second)
        return distances.flatten(1).mean(1)


def randomly_transformed(pictures: Tensor) -> Tensor:
    """Pictures (N, C, H, W), all moved by up to 7 samples, turned, mirrored and enlarged alike, at random.

    What is left has a side of at least ``LEAST_SIDE``, where the pictures have.
    """
    height, width = pictures.shape[2:]
    if torch.rand(()) < SHARE_ENLARGED:
        factor = float(1 + (MOST_ENLARGED - 1) * torch.rand(()))
        size = [max(LEAST_SIDE, int(side / factor)) for side in (height, width)]
        top, left = (int(torch.rand(()) * (side - part + 1)) for side, part in zip((height, width), size, strict=True))
        window = pictures[:, :, top : top + size[0], left : left + size[1]]
        pictures = F.interpolate(window, (height, width), mode="bicubic", align_corners=False)
    top, left = (int(torch.rand(()) * (min(7, side - LEAST_SIDE) + 1)) for side in (height, width))
    pictures = pictures[:, :, top:, left:]
    for axis in (2, 3):
        if torch.rand(()) < 0.5:
            pictures = pictures.flip(axis)
    if torch.rand(()) < 0.5:
        pictures = pictures.transpose(2, 3)
    return pictures.contiguous(memory_format=torch.channels_last)


def _signed_rgb(packed: Tensor) -> Tensor:
    luma, chroma = unpack_planes(packed.float())
    rgb = planes_to_rgb(luma[:, None], chroma[:, None])[:, 0]
    return (rgb * 2 - 1).contiguous(memory_format=torch.channels_last)
