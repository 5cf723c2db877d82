"""Objects in boxes or outlines, from a file in the form of COCO: each sample has the category of what covers it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from scaleflow.efficient_nets.data.coco_file import CocoObject, read_coco
from scaleflow.efficient_nets.data.label_maps import VOID
from scaleflow.efficient_nets.data.labelled_frames import LabelledData, LabelledFrame
from scaleflow.efficient_nets.tasks.label_map_task import LabelMapTask

BACKGROUND = "background"


class Instances(LabelMapTask):
    """Outlines (``segmentation`` as polygons) where there are some, boxes elsewhere; smaller objects lie on top.

    The measure is the mean intersection over union over the categories and the background. Crowds count as void.
    """

    name = "instances"

    def open(self, folder: Path, part: str) -> LabelledData:
        """A ``.json`` file, or a folder with one; pictures lie beside it, or in ``images`` or ``part`` there."""
        found = read_coco(folder, part)
        frames = [
            LabelledFrame(picture.video, picture.name, picture.path, partial(_draw, picture.size, picture.objects))
            for picture in found.pictures
        ]
        return LabelledData(str(found.path), (BACKGROUND, *found.categories), tuple(frames), still=found.still)


def _draw(size: tuple[int, int], objects: tuple[CocoObject, ...]) -> Tensor:
    """Labels (H, W): category numbers from 1 on, :data:`VOID` of crowds."""
    from PIL import Image, ImageDraw

    canvas = Image.new("L", (size[1], size[0]))
    pen = ImageDraw.Draw(canvas)
    for item in sorted(objects, key=lambda item: item.area, reverse=True):
        label = VOID if item.crowd else item.category + 1
        for outline in item.outlines:
            pen.polygon(outline, fill=label)
        if not item.outlines:
            left, top, width, height = item.box
            pen.rectangle((round(left), round(top), round(left + width) - 1, round(top + height) - 1), fill=label)
    return torch.from_numpy(np.array(canvas))
