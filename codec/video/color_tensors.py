"""R'G'B' and Y'CbCr 4:2:0 as tensors, with gradients: between what networks see and what the default model codes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from scaleflow.codec.video.color import luma_weights
from scaleflow.errors import UsageError

_LUMA_OFFSET, _LUMA_EXTENT = 16 / 255, 219 / 255
_CHROMA_MIDDLE, _CHROMA_EXTENT = 128 / 255, 224 / 255


def rgb_to_planes(rgb: Tensor, matrix: str = "bt709") -> tuple[Tensor, Tensor]:
    """Clips in R'G'B' as luma and chroma of 4:2:0, limited range, as fractions of the largest code value of 8 bits.

    Chroma is the mean of four samples, as of JPEG; files are converted at the sites that they name, by
    :mod:`scaleflow.codec.video.working_format`, and that is what is exact.

    Args:
        rgb: (N, T, 3, H, W), 0..1, H and W even.
        matrix: FFmpeg's name of the matrix.

    Returns:
        (N, T, 1, H, W) and (N, T, 2, H / 2, W / 2), 0..1, not rounded.

    Raises:
        UsageError: another shape.
        DataError: a matrix without a linear form.

    Example:
        >>> import torch
        >>> luma, chroma = rgb_to_planes(torch.ones(1, 1, 3, 4, 4))
        >>> round(float(luma.mean()) * 255), round(float(chroma.mean()) * 255)
        (235, 128)
    """
    if rgb.dim() != 5 or rgb.shape[2] != 3 or rgb.shape[3] % 2 or rgb.shape[4] % 2:
        raise UsageError(f"rgb of shape {tuple(rgb.shape)}: expected (N, T, 3, H, W), H and W even")
    red, green, blue = luma_weights(matrix)
    r, g, b = rgb.unbind(2)
    luma = red * r + green * g + blue * b
    chroma = torch.stack(((b - luma) / (2 * (1 - blue)), (r - luma) / (2 * (1 - red))), 2)
    halved = F.avg_pool2d(chroma.flatten(0, 1), 2).unflatten(0, rgb.shape[:2])
    return luma[:, :, None] * _LUMA_EXTENT + _LUMA_OFFSET, halved * _CHROMA_EXTENT + _CHROMA_MIDDLE


def planes_to_rgb(luma: Tensor, chroma: Tensor, matrix: str = "bt709") -> Tensor:
    """Inverse of :func:`rgb_to_planes` but for what 4:2:0 loses: (N, T, 3, H, W), limited to 0..1.

    Example:
        >>> import torch
        >>> grey = torch.full((1, 1, 3, 4, 4), 0.25)
        >>> bool(torch.allclose(planes_to_rgb(*rgb_to_planes(grey)), grey, atol=1e-6))
        True
    """
    red, green, blue = luma_weights(matrix)
    enlarged = F.interpolate(chroma.flatten(0, 1), scale_factor=2, mode="bilinear", align_corners=False)
    cb, cr = ((enlarged.unflatten(0, luma.shape[:2]) - _CHROMA_MIDDLE) / _CHROMA_EXTENT).unbind(2)
    y = (luma[:, :, 0] - _LUMA_OFFSET) / _LUMA_EXTENT
    b, r = y + 2 * (1 - blue) * cb, y + 2 * (1 - red) * cr
    return torch.stack((r, (y - red * r - blue * b) / green, b), 2).clamp(0, 1)
