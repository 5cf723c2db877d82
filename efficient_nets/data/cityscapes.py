"""Cityscapes as its archives unpack: a folder for each city, pictures and label ids apart.

Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding", CVPR 2016.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from scaleflow.efficient_nets.data.label_maps import VOID, read_numbers
from scaleflow.efficient_nets.data.labelled_frames import LabelledFrame
from scaleflow.errors import DataError, UsageError

PICTURES_FOLDER, LABELS_FOLDER = "leftImg8bit", "gtFine"
PICTURE_END, LABEL_END = "_leftImg8bit.png", "_gtFine_labelIds.png"

CLASSES = {
    "road": 7, "sidewalk": 8, "building": 11, "wall": 12, "fence": 13, "pole": 17, "traffic light": 19,
    "traffic sign": 20, "vegetation": 21, "terrain": 22, "sky": 23, "person": 24, "rider": 25, "car": 26, "truck": 27,
    "bus": 28, "train": 31, "motorcycle": 32, "bicycle": 33,
}  # fmt: skip
"""The nineteen classes that are evaluated, in their order, and their label ids."""

IDS = 34
"""Label ids are 0 to 33; 255 stands for the licence plates of -1. All that are no class are void."""


def is_cityscapes(folder: Path) -> bool:
    """Whether a folder has the layout, or a part of it."""
    return (folder / PICTURES_FOLDER).is_dir() or (folder / LABELS_FOLDER).is_dir()


def cityscapes_frames(folder: Path, part: str) -> tuple[LabelledFrame, ...]:
    """Frames of ``leftImg8bit/PART/CITY/*_leftImg8bit.png``, each with ``gtFine/PART/CITY/*_gtFine_labelIds.png``.

    The city is what frames call their video, though each is of a video of its own.

    Raises:
        UsageError: a folder is missing.
        DataError: there are no pictures, or one has no labels.
    """
    for name, end in ((PICTURES_FOLDER, PICTURE_END), (LABELS_FOLDER, LABEL_END)):
        if not (folder / name / part).is_dir():
            raise UsageError(
                f"{folder}: has no {name}/{part}: expected {name}/{part}/CITY/*{end}, as Cityscapes' {name} archive "
                "unpacks"
            )
    pictures = sorted((folder / PICTURES_FOLDER / part).glob(f"*/*{PICTURE_END}"))
    if not pictures:
        raise DataError(f"{folder / PICTURES_FOLDER / part}: holds no CITY/*{PICTURE_END}")
    frames = []
    for picture in pictures:
        city, name = picture.parent.name, picture.name.removesuffix(PICTURE_END)
        label = folder / LABELS_FOLDER / part / city / f"{name}{LABEL_END}"
        if not label.is_file():
            raise DataError(f"{picture}: has no labels: {label} is not there")
        frames.append(LabelledFrame(city, picture.name, picture, partial(read_label_ids, label)))
    return tuple(frames)


def read_label_ids(path: Path) -> Tensor:
    """Class numbers (H, W) from a picture of label ids, void as :data:`scaleflow.efficient_nets.data.label_maps.VOID`.

    Raises:
        DataError: the picture has colours instead, or a number that is no label id.
    """
    ids = read_numbers(path)
    wrong = ~((ids >= 0) & (ids < IDS) | (ids == VOID))
    if wrong.any():
        line, column = np.argwhere(wrong)[0]
        raise DataError(
            f"{path}: {int(ids[line, column])} at column {column}, line {line} is no label id of Cityscapes: there are "
            f"0 to {IDS - 1}"
        )
    numbers = np.full(VOID + 1, VOID, np.uint8)
    numbers[list(CLASSES.values())] = np.arange(len(CLASSES))
    return torch.from_numpy(numbers[ids])
