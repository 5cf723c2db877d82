"""Semantic segmentation: folders ``images`` and ``labels``, as those of CamVid, or the layout of Cityscapes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from scaleflow.efficient_nets.data.cityscapes import CLASSES, cityscapes_frames, is_cityscapes
from scaleflow.efficient_nets.data.label_maps import pictures_below, read_labels
from scaleflow.efficient_nets.data.labelled_frames import LabelledData, LabelledFrame, check_folder
from scaleflow.efficient_nets.tasks.label_map_task import LabelMapTask
from scaleflow.errors import DataError, UsageError

CAMVID_CLASSES = (
    "sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "cyclist",
)  # fmt: skip
"""Brostow et al., "Semantic object classes in video", 2009, in the eleven groups that are usual; void is 11."""

CAMVID_VOID = 11


class Segmentation(LabelMapTask):
    """A class for each sample; the measure is the mean intersection over union."""

    name = "segmentation"

    def __init__(self, classes: Sequence[str] = (), void: int = CAMVID_VOID) -> None:
        """``void`` is the number of samples that do not count; the others are the classes from 0 on.

        Where ``classes`` are empty, they are those of Cityscapes for data in its layout, and CamVid's for other data.
        """
        super().__init__()
        self._classes, self._void = tuple(classes), void
        if len(self._classes) == 1:
            raise UsageError(f"task.classes = {list(classes)}: at least two classes are needed")

    def open(self, folder: Path, part: str) -> LabelledData:
        """``folder`` or ``folder/part`` holds ``images`` and, of the same names, ``labels``: one video.

        Where it holds ``leftImg8bit`` or ``gtFine``, it is Cityscapes', whose frames stand alone.
        """
        check_folder(folder)
        if is_cityscapes(folder):
            return self._cityscapes(folder, part)
        classes = self._classes or CAMVID_CLASSES
        place = folder if (folder / "images").is_dir() else folder / part
        if not (place / "images").is_dir() or not (place / "labels").is_dir():
            raise UsageError(f"{folder}: has no folders images and labels, nor {part}/images and {part}/labels")
        labels = {path.stem: path for path in pictures_below(place / "labels")}
        frames = []
        for picture in pictures_below(place / "images"):
            if picture.stem not in labels:
                raise DataError(f"{picture}: has no label: {place / 'labels' / (picture.stem + '.png')} is not there")
            read = partial(read_labels, labels[picture.stem], len(classes), self._void)
            frames.append(LabelledFrame(place.name, picture.name, picture, read))
        return LabelledData(str(place), classes, tuple(frames))

    def _cityscapes(self, folder: Path, part: str) -> LabelledData:
        classes = tuple(CLASSES)
        if self._classes not in ((), classes):
            raise UsageError(
                f"{folder}: is laid out as Cityscapes, which has {len(classes)} classes of its own "
                f"({', '.join(classes)}), not {', '.join(self._classes)}"
            )
        return LabelledData(str(folder), classes, cityscapes_frames(folder, part), still=True)
