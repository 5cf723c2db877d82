"""Squared error of luma in which errors count by how visible they are: most where the original is smooth."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

ACTIVITY = 16.0
"""Mean strength of high frequencies, in code values of 8 bits, at which an error counts as its square: texture."""

LEAST_ACTIVITY = 2.0
"""Below it nothing is smoother: noise of less than one code value."""

NEIGHBOURHOOD = 9
"""Samples to each side of the square that activity is the mean of."""

_HIGH_PASS = ((-1.0, -2.0, -1.0), (-2.0, 12.0, -2.0), (-1.0, -2.0, -1.0))


def visible_error(original: Tensor, shown: Tensor) -> Tensor:
    """Mean over samples of the squared error times (16 / activity)^2, in squared code values of 8 bits, a scalar.

    Texture hides errors, and smooth parts show them: a network that is taught by LPIPS alone draws fine lines on skin
    and walls. Activity is that of XPSNR, the mean magnitude of a 3x3 high-pass of the original (Helmrich et al.,
    "XPSNR: a low-complexity extension of the perceptually weighted peak signal-to-noise ratio", ICASSP 2020); here of
    the neighbourhood of each sample in place of a block, and the weight falls with its square in place of its root.

    Args:
        original, shown: luma (N, 1, H, W) in 0..1; no gradient is taken of the original.
    """
    with torch.no_grad():
        kernel = original.new_tensor(_HIGH_PASS)[None, None] / 4
        strength = F.conv2d(F.pad(original, (1, 1, 1, 1), mode="replicate"), kernel).abs() * 255
        half = NEIGHBOURHOOD // 2
        strength = F.pad(strength, (half, half, half, half), mode="replicate")
        activity = F.avg_pool2d(strength, NEIGHBOURHOOD, 1).clamp(min=LEAST_ACTIVITY)
        visibility = (ACTIVITY / activity).square()
    return (visibility * (255 * (shown - original)).square()).mean()
