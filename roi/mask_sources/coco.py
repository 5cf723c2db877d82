"""Boxes in the vocabulary of COCO: ``images``, and ``annotations`` that name an image and its ``bbox``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from scaleflow import json_values
from scaleflow.codec.picture import VideoProperties
from scaleflow.errors import DataError
from scaleflow.roi.mask_sources.boxes import Box
from scaleflow.roi.mask_sources.fitting import Mask, check_aspect
from scaleflow.roi.mask_sources.sequence import too_few_masks


@dataclass(frozen=True)
class _Image:
    """One picture of the video, of the size that its boxes count in, where that is said."""

    place: str
    size: tuple[int, int] | None
    boxes: list[Box]


class CocoBoxes:
    """The images of a file, which are the pictures of one video.

    Picture n is the image whose ``frame_id`` is n where images have one, else the n-th of the list. An image without
    annotations has an empty mask. Segmentations, categories and scores are left alone.
    """

    strength: float | None = None

    def __init__(self, name: str, values: dict[str, Any]) -> None:
        """``values`` is what the file ``name`` holds.

        Raises:
            DataError: it is malformed.
        """
        self._name = name
        self._images: dict[int, _Image] = {}
        by_id: dict[object, _Image] = {}
        images = json_values.records(json_values.field(values, "images", name), f"{name}: images")
        numbered = [item for item in images if "frame_id" in item]
        if numbered and len(numbered) != len(images):
            raise DataError(f"{name}: {len(numbered)} of {len(images)} images have a frame_id: give it to all or none")
        for order, item in enumerate(images):
            place = f"{name}: images[{order}]"
            number = json_values.whole_number(item["frame_id"], f"{place}.frame_id") if numbered else order
            image = _Image(place, _size(item, place), [])
            key = _key(json_values.field(item, "id", place), f"{place}.id")
            for known, value, what in ((self._images, number, "frame_id"), (by_id, key, "id")):
                if value in known:
                    raise DataError(f"{place}: another image has the {what} {value}; the images must be of one video")
            self._images[number], by_id[key] = image, image
        annotations = json_values.field(values, "annotations", name)
        for order, item in enumerate(json_values.records(annotations, f"{name}: annotations")):
            place = f"{name}: annotations[{order}]"
            key = _key(json_values.field(item, "image_id", place), f"{place}.image_id")
            if key not in by_id:
                raise DataError(f"{place}: there is no image with the id {key!r}")
            x, y, w, h = json_values.numbers(json_values.field(item, "bbox", place), 4, f"{place}.bbox")
            by_id[key].boxes.append(Box(x, y, w, h, place))

    def masks(self, video: VideoProperties, pictures: int | None = None) -> CocoMasks:
        """Masks for a video of about so many pictures.

        Raises:
            DataError: a box is outside the pictures, or images have another aspect ratio.
        """
        fitted = {number: _fitted(image, video) for number, image in self._images.items()}
        return CocoMasks(self._name, fitted, video, pictures)


class CocoMasks:
    """Implements :class:`scaleflow.codec.encoding.region_masks.MaskSource`: 1 in the boxes of a picture."""

    def __init__(self, name: str, boxes: dict[int, list[Box]], video: VideoProperties, pictures: int | None) -> None:
        self._name, self._boxes, self._video, self._pictures = name, boxes, video, pictures

    def mask_at(self, number: int, seconds: float) -> Mask:
        """See :class:`scaleflow.codec.encoding.region_masks.MaskSource`.

        Raises:
            DataError: the file has no image for this picture.
        """
        if number not in self._boxes:
            if number > max(self._boxes, default=-1):
                raise too_few_masks(self._name, len(self._boxes), number, self._pictures)
            raise DataError(f"{self._name}: has no image with the frame_id {number}: each picture needs one")
        mask = np.zeros((self._video.height, self._video.width), np.float32)
        for box in self._boxes[number]:
            box.draw(mask, 1.0)
        return mask


def _key(value: object, place: str) -> int | str:
    return value if isinstance(value, str) else json_values.whole_number(value, place)


def _size(item: dict[str, Any], place: str) -> tuple[int, int] | None:
    if "width" not in item and "height" not in item:
        return None
    width, height = (
        json_values.whole_number(json_values.field(item, side, place), f"{place}.{side}", 1)
        for side in ("width", "height")
    )
    return width, height


def _fitted(image: _Image, video: VideoProperties) -> list[Box]:
    across = down = 1.0
    if image.size is not None:
        check_aspect(image.place, *image.size, video)
        across, down = video.width / image.size[0], video.height / image.size[1]
    boxes = [box.scaled(across, down) for box in image.boxes]
    for box in boxes:
        box.check_inside(video)
    return boxes
