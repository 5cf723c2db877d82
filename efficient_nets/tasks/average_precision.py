"""Mean average precision as COCO has it, by pycocotools."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from scaleflow.efficient_nets.data.box_rows import known

SURE = 0.3
"""Weight of a label from which on it counts; where the detections of another network are the labels, their score."""

FIRST_MEASURES = ("map", "map_50", "map_75", "map_small", "map_medium", "map_large")
"""As COCO's summary has them: over overlaps of 0.5 to 0.95, and of objects below 32x32, to 96x96, and above."""


class AveragePrecision:
    """Implements :class:`scaleflow.efficient_nets.tasks.task.Meter` for rows of
    :mod:`scaleflow.efficient_nets.data.box_rows`.

    Labels that do not count, for their weight, are COCO's crowds: what is found there is neither right nor wrong. Areas
    are those of boxes.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = tuple(classes)
        self._images: list[dict[str, Any]] = []
        self._labels: list[dict[str, Any]] = []
        self._found: list[dict[str, Any]] = []

    def add(self, video: str, prediction: Tensor, target: Tensor) -> None:
        """See :class:`scaleflow.efficient_nets.tasks.task.Meter`."""
        image = len(self._images) + 1
        self._images.append({"id": image})
        for rows, records in ((target, self._labels), (prediction, self._found)):
            for left, top, right, bottom, kind, weight in known(rows).tolist():
                record = {"id": len(records) + 1, "image_id": image, "category_id": int(kind)}
                box = [left, top, right - left, bottom - top]
                crowd = int(rows is target and weight < SURE)
                records.append(record | {"bbox": box, "area": box[2] * box[3], "score": weight, "iscrowd": crowd})

    def values(self) -> dict[str, float]:
        """:data:`FIRST_MEASURES`, and of each class ``map CLASS``, in percent; NaN where there are no objects."""
        if not self._images:
            return dict.fromkeys(FIRST_MEASURES, math.nan)
        from pycocotools.cocoeval import COCOeval

        with contextlib.redirect_stdout(io.StringIO()):  # both say what they do
            evaluation = COCOeval(self._coco(self._labels), self._coco(self._found), "bbox")
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        measures = dict(zip(FIRST_MEASURES, map(_percent, evaluation.stats[: len(FIRST_MEASURES)]), strict=True))
        precision = evaluation.eval["precision"]  # (overlaps, recalls, classes, areas, most detections)
        for number, name in enumerate(self._classes):
            own = precision[:, :, number, 0, -1]
            measures[f"map {name}"] = _percent(float(own[own > -1].mean()) if (own > -1).any() else -1.0)
        return measures

    def _coco(self, records: list[dict[str, Any]]) -> Any:
        from pycocotools.coco import COCO

        coco = COCO()
        categories = [{"id": number, "name": name} for number, name in enumerate(self._classes)]
        coco.dataset = {"images": self._images, "annotations": records, "categories": categories}
        coco.createIndex()
        return coco


def _percent(value: float | np.floating[Any]) -> float:
    return 100 * float(value) if value >= 0 else math.nan
