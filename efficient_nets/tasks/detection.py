"""Detection: boxes with classes, from label maps or from files in the form of COCO."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torchvision.ops import box_iou

from scaleflow.efficient_nets.data.box_rows import cut_to, filled, known, moved
from scaleflow.efficient_nets.data.coco_file import CocoPicture, coco_file_in, read_coco
from scaleflow.efficient_nets.data.label_map_boxes import boxes_of_labels
from scaleflow.efficient_nets.data.label_maps import pictures_below, read_numbers
from scaleflow.efficient_nets.data.labelled_frames import LabelledData, LabelledFrame, check_folder
from scaleflow.efficient_nets.data.picture_file import picture_size
from scaleflow.efficient_nets.data.window import Window
from scaleflow.efficient_nets.tasks.average_precision import SURE, AveragePrecision
from scaleflow.efficient_nets.tasks.detection_output import detection_loss, detections
from scaleflow.efficient_nets.tasks.task import OUTPUT_STRIDE, Meter
from scaleflow.errors import DataError, UsageError
from scaleflow.optional_packages import require_packages

CAMVID_OBJECTS = {"car": 8, "pedestrian": 9, "cyclist": 10}
"""Numbers of these classes in CamVid's label maps of eleven classes."""

LEAST_AREA = 60.0
"""Samples of a connected component of a label map that counts, of 480x360 and in proportion: a piece of 8x8 or so."""

LEAST_AREA_OF = 480 * 360


class Detection:
    """Boxes of objects; the measure is COCO's mean average precision.

    Implements :class:`scaleflow.efficient_nets.tasks.task.Task`; targets and predictions are the rows of
    :mod:`scaleflow.efficient_nets.data.box_rows`, targets filled up to a fixed number.
    """

    name = "detection"
    measure = "map"
    mirrors = True

    def __init__(self, objects: Sequence[str] = (), least_area: float = LEAST_AREA) -> None:
        """What is an object, where the data are label maps; files in the form of COCO say it themselves.

        Args:
            objects: as in ``car=8``: names, and numbers in label maps. CamVid's cars, pedestrians and cyclists where
                empty.
            least_area: samples of a connected component that counts as an object, of a map of 480x360; in larger ones
                in proportion.

        Raises:
            UsageError: an object has no number, or a needed package is not installed.
        """
        require_packages("detection", "evaluate", ["pycocotools"])
        self._numbers = dict(map(_named_number, objects)) or CAMVID_OBJECTS
        self._least_area = least_area / LEAST_AREA_OF

    def open(self, folder: Path, part: str) -> LabelledData:
        """A file in the form of COCO or a folder with one, or ``images`` and ``labels`` as those of CamVid.

        Raises:
            UsageError, DataError: see :class:`scaleflow.efficient_nets.tasks.task.Task`.
        """
        if folder.suffix != ".json":
            check_folder(folder)
            for place in (folder, folder / part):
                if (place / "labels").is_dir():
                    return self._open_label_maps(place)
            try:
                coco_file_in(folder, part)
            except UsageError as error:
                raise UsageError(
                    f"{folder}: holds neither annotations.json nor images and labels, nor {part} with these"
                ) from error
        found = read_coco(folder, part)
        frames = [
            LabelledFrame(picture.video, picture.name, picture.path, partial(_coco_rows, picture, str(found.path)))
            for picture in found.pictures
        ]
        return LabelledData(str(found.path), found.categories, tuple(frames), still=found.still)

    def move(self, target: Tensor, window: Window) -> Tensor:
        """Of rows; see :func:`scaleflow.efficient_nets.data.box_rows.cut_to`."""
        factors = window.scaled[1] / window.source[1], window.scaled[0] / window.source[0]
        rows = moved(target, factors, (-window.left, -window.top))
        if window.mirror:
            rows = moved(rows, (-1, 1), (window.size[1], 0))
            rows = torch.where(target[:, 4:5] >= 0, rows[:, [2, 1, 0, 3, 4, 5]], rows)
        return cut_to(rows, window.size)

    def learn(self, data: LabelledData) -> None:
        """Nothing: all objects count alike. Raises :class:`DataError` where there are none in the first pictures."""
        frames = data.frames[:: max(1, len(data.frames) // 50)]
        if not any((frame.target()[:, 5] > 0).any() for frame in frames):
            raise DataError(
                f"{data.place}: has no {', no '.join(data.classes)} in {len(frames)} pictures that were looked at: "
                "name what the labels hold with task.objects"
            )

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See :func:`scaleflow.efficient_nets.tasks.detection_output.detection_loss`."""
        return detection_loss(outputs, targets)

    def prediction(self, output: Tensor, size: tuple[int, int]) -> Tensor:
        """Rows (D, 6) in samples of a picture (height, width), best first.

        The network's picture is taken to have had as many lines and columns as the output has, times its stride.
        """
        height, width = (OUTPUT_STRIDE * side for side in output.shape[-2:])
        return cut_to(moved(detections(output), (size[1] / width, size[0] / height)), size)

    def change(self, before: Tensor, after: Tensor) -> float:
        """Share of what is surely found in either that the other has not at the same place, in percent."""
        first, second = (rows[rows[:, 5] >= SURE] for rows in (known(before), known(after)))
        if not len(first) + len(second):
            return 0.0
        if not len(first) or not len(second):
            return 100.0
        same = box_iou(first[:, :4], second[:, :4]) * (first[:, 4:5] == second[:, 4])
        lost = int((same.amax(1) < 0.5).sum() + (same.amax(0) < 0.5).sum())
        return 100 * lost / (len(first) + len(second))

    def meter(self, classes: Sequence[str]) -> Meter:
        """Mean average precision."""
        return AveragePrecision(classes)

    def _open_label_maps(self, place: Path) -> LabelledData:
        if not (place / "images").is_dir():
            raise UsageError(f"{place}: has a folder labels, but none named images")
        labels = {path.stem: path for path in pictures_below(place / "labels")}
        frames = []
        for picture in pictures_below(place / "images"):
            if picture.stem not in labels:
                raise DataError(f"{picture}: has no label: {place / 'labels' / (picture.stem + '.png')} is not there")
            read = partial(self._label_map_rows, picture, labels[picture.stem])
            frames.append(LabelledFrame(place.name, picture.name, picture, read))
        return LabelledData(str(place), tuple(self._numbers), tuple(frames))

    def _label_map_rows(self, picture: Path, path: Path) -> Tensor:
        labels = read_numbers(path)
        height, width = labels.shape
        _check_size(picture, (height, width), "its labels")
        return filled(boxes_of_labels(labels, tuple(self._numbers.values()), self._least_area * labels.size), str(path))


def _named_number(text: str) -> tuple[str, int]:
    name, separator, number = text.partition("=")
    if not separator or not name or not number.isdigit():
        raise UsageError(f"task.objects: {text!r} is no name and number in label maps, as in car=8")
    return name, int(number)


def _coco_rows(picture: CocoPicture, file: str) -> Tensor:
    _check_size(picture.path, picture.size, file)
    rows = [
        (left, top, left + width, top + height, item.category, float(not item.crowd))
        for item in picture.objects
        for left, top, width, height in [item.box]
    ]
    return filled(torch.tensor(rows).view(-1, 6), str(picture.path))


def _check_size(path: Path, size: tuple[int, int], where: str) -> None:
    """Boxes are in samples of the picture, so both must agree on how many there are."""
    width, height = picture_size(path)
    if (height, width) != size:
        raise DataError(f"{path}: has {width}x{height} samples, {where} {size[1]}x{size[0]}")
