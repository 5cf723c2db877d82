"""Semantic segmentation: folders ``images`` and ``labels``, as those of CamVid."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from codec.errors import DataError, UsageError
from efficient_nets.tasks.label_maps import LabelMapTask, pictures_below, read_labels
from efficient_nets.tasks.task import LabelledData, LabelledFrame, check_folder

CAMVID_CLASSES = (
    "sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "cyclist",
)  # fmt: skip
"""Brostow et al., "Semantic object classes in video", 2009, in the eleven groups that are usual; void is 11."""

CAMVID_VOID = 11


class Segmentation(LabelMapTask):
    """A class for each sample; the measure is the mean intersection over union."""

    name = "segmentation"

    def __init__(self, classes: Sequence[str] = CAMVID_CLASSES, void: int = CAMVID_VOID) -> None:
        """``void`` is the number of samples that do not count; the others are the classes from 0 on."""
        super().__init__()
        self._classes, self._void = tuple(classes), void
        if len(self._classes) < 2:
            raise UsageError(f"task.classes = {list(classes)}: at least two classes are needed")

    def open(self, folder: Path, part: str) -> LabelledData:
        """``folder`` or ``folder/part`` holds ``images`` and, of the same names, ``labels``: one video."""
        check_folder(folder)
        place = folder if (folder / "images").is_dir() else folder / part
        if not (place / "images").is_dir() or not (place / "labels").is_dir():
            raise UsageError(f"{folder}: has no folders images and labels, nor {part}/images and {part}/labels")
        labels = {path.stem: path for path in pictures_below(place / "labels")}
        frames = []
        for picture in pictures_below(place / "images"):
            if picture.stem not in labels:
                raise DataError(f"{picture}: has no label: {place / 'labels' / (picture.stem + '.png')} is not there")
            read = partial(read_labels, labels[picture.stem], len(self._classes), self._void)
            frames.append(LabelledFrame(place.name, picture.name, picture, read))
        return LabelledData(str(place), self._classes, tuple(frames))
