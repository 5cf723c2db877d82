"""Boxes in JSON files, in either of two vocabularies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from scaleflow.codec.encoding.region_masks import MaskSource
from scaleflow.codec.picture import VideoProperties
from scaleflow.errors import DataError
from scaleflow.json_values import read_json
from scaleflow.roi.mask_sources.addroi import AddroiBoxes
from scaleflow.roi.mask_sources.coco import CocoBoxes


class BoxFile(Protocol):
    """Boxes before the video is known that they are for. ``strength`` is what they ask for, if they say so."""

    strength: float | None

    def masks(self, video: VideoProperties, pictures: int | None = None) -> MaskSource:
        """Masks for a video of about so many pictures.

        Raises:
            DataError: the boxes do not fit it.
        """


def read_box_file(path: str | os.PathLike[str]) -> BoxFile:
    """Read COCO's vocabulary (:mod:`scaleflow.roi.mask_sources.coco`) or that of addroi
    (:mod:`scaleflow.roi.mask_sources.addroi`).

    Raises:
        UsageError: there is no such file.
        DataError: it is malformed.
    """
    name = os.fspath(path)
    values = read_json(Path(path))
    if isinstance(values, list):
        return AddroiBoxes(name, values)
    if isinstance(values, dict) and "images" in values and "annotations" in values:
        return CocoBoxes(name, values)
    raise DataError(
        f"{name}: holds neither COCO's images and annotations nor a list of boxes with x, y, w, h and qoffset"
    )
