"""Pictures as networks take them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from scaleflow.errors import DataError

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
"""Of files that are looked at."""


def read_picture(path: Path) -> Tensor:
    """RGB (3, H, W) in 0..1; grey pictures have three equal channels.

    Raises:
        DataError: it cannot be read.
    """
    from PIL import Image

    try:
        with Image.open(path) as picture:
            samples = np.array(picture.convert("RGB"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: is no picture that can be read") from error
    return torch.from_numpy(samples).permute(2, 0, 1).float() / 255
