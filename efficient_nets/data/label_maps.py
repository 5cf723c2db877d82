"""Maps of class numbers as picture files hold them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from scaleflow.efficient_nets.data.picture_file import PICTURE_SUFFIXES, read_samples
from scaleflow.errors import DataError, UsageError

VOID = 255
"""Number of samples that no class is asked of."""


def read_labels(path: Path, classes: int, void: int | None) -> Tensor:
    """Class numbers (H, W) from a grey or indexed picture, void as :data:`VOID`.

    Raises:
        DataError: the picture has colours instead, or a number that is no class.
    """
    labels = read_numbers(path)
    if void is not None:
        labels = np.where(labels == void, VOID, labels)
    wrong = (labels >= classes) & (labels != VOID)
    if wrong.any():
        line, column = np.argwhere(wrong)[0]
        raise DataError(
            f"{path}: {int(labels[line, column])} at column {column}, line {line} is no class: there are 0 to "
            f"{classes - 1}" + (f" and void {void}" if void is not None else "") + "; name them with task.classes"
        )
    return torch.from_numpy(labels.astype(np.uint8))


def read_numbers(path: Path) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Samples (H, W) of a grey or indexed picture.

    Raises:
        DataError: it cannot be read, or has several channels.
    """
    mode, samples = read_samples(path)
    if samples.ndim != 2:
        raise DataError(f"{path}: has the channels {mode}: labels are grey or indexed pictures of class numbers")
    return samples.astype(np.int64)


def pictures_below(folder: Path) -> list[Path]:
    """Picture files right in a folder, by name.

    Raises:
        UsageError: there is no such folder.
        DataError: it holds none.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: there is no such folder")
    found = sorted(path for path in folder.glob("[!.]*") if path.suffix.lower() in PICTURE_SUFFIXES)
    if not found:
        raise DataError(f"{folder}: holds no pictures (.jpg, .png, .bmp)")
    return found
