"""Pictures as networks take them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scaleflow.errors import DataError

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
"""Of files that are looked at."""


def read_picture(path: Path) -> Tensor:
    """RGB (3, H, W) in 0..1; grey pictures have three equal channels.

    Raises:
        DataError: it cannot be read.
    """
    samples = read_samples(path, "RGB")[1]
    return torch.from_numpy(samples).permute(2, 0, 1).float() / 255


def picture_size(path: Path) -> tuple[int, int]:
    """(width, height) of a picture, as its head says.

    Raises:
        DataError: it cannot be read.
    """
    from PIL import Image

    try:
        with Image.open(path) as picture:
            width, height = picture.size
            return width, height
    except Exception as error:  # Pillow raises whatever it stumbles on in a damaged file.
        raise DataError(f"{path}: is no picture that can be read") from error


def read_samples(path: Path, mode: str | None = None) -> tuple[str, NDArray[Any]]:
    """Pillow's mode of a picture, and its samples (H, W) or (H, W, C); converted to ``mode`` where one is given.

    Raises:
        DataError: it cannot be read.
    """
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return picture.mode, np.array(picture if mode is None else picture.convert(mode))
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders raise whatever they stumble on in a damaged file.
        raise DataError(f"{path}: is no picture that can be read") from error
