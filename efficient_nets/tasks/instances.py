"""Objects in boxes or outlines, from a file in the form of COCO: each sample has the category of what covers it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from codec.errors import DataError, UsageError
from efficient_nets.tasks.label_maps import VOID, LabelMapTask
from efficient_nets.tasks.task import LabelledData, LabelledFrame
from roi.mask_sources import json_values

BACKGROUND = "background"
FILE_NAMES = ("annotations.json", "_annotations.coco.json")


@dataclass(frozen=True)
class _Object:
    """Category number from 1 on (:data:`VOID` of crowds), and its box or outlines in samples."""

    label: int
    box: tuple[float, ...]
    outlines: tuple[tuple[float, ...], ...]

    @property
    def area(self) -> float:
        return self.box[2] * self.box[3]


class Instances(LabelMapTask):
    """Outlines (``segmentation`` as polygons) where there are some, boxes elsewhere; smaller objects lie on top.

    The measure is the mean intersection over union over the categories and the background. Crowds count as void.
    """

    name = "instances"

    def open(self, folder: Path, part: str) -> LabelledData:
        """A ``.json`` file, or a folder with one; pictures lie beside it, or in ``images`` or ``part`` there."""
        path = folder if folder.suffix == ".json" else _file_in(folder, part)
        values = json_values.record(json_values.read_json(path), str(path))
        categories = _categories(values, path)
        names = (BACKGROUND, *(name for _, name in sorted(categories.values())))
        objects: dict[int, list[_Object]] = {}
        images = _records(values, "images", path)
        for number, item in enumerate(images):
            key = json_values.whole_number(json_values.field(item, "id", f"{path}: images[{number}]"), f"{path}: id")
            if key in objects:
                raise DataError(f"{path}: images[{number}]: another image has the id {key}")
            objects[key] = []
        for number, item in enumerate(_records(values, "annotations", path)):
            place = f"{path}: annotations[{number}]"
            key = json_values.whole_number(json_values.field(item, "image_id", place), f"{place}.image_id")
            if key not in objects:
                raise DataError(f"{place}: there is no image with the id {key}")
            objects[key].append(_object(item, categories, place))
        if not images or not any(objects.values()):
            raise DataError(f"{path}: has no images with annotations")
        frames = [_frame(item, objects[item["id"]], path, part, number) for number, item in enumerate(images)]
        return LabelledData(str(path), names, tuple(frames), still=True)


def _file_in(folder: Path, part: str) -> Path:
    if not folder.is_dir():
        raise UsageError(f"{folder}: there is no such folder or file")
    places = [place / name for place in (folder, folder / part) for name in FILE_NAMES]
    places += sorted(folder.glob(f"annotations/instances_{part}*.json")) or sorted(folder.glob("*.json"))
    for path in places:
        if path.is_file():
            return path
    raise UsageError(f"{folder}: has no {FILE_NAMES[0]}: name the .json file itself")


def _records(values: dict[str, Any], key: str, path: Path) -> list[dict[str, Any]]:
    return json_values.records(json_values.field(values, key, str(path)), f"{path}: {key}")


def _categories(values: dict[str, Any], path: Path) -> dict[int, tuple[int, str]]:
    """By id: number from 1 on in the order of the ids, and name."""
    found: dict[int, str] = {}
    for number, item in enumerate(_records(values, "categories", path)):
        place = f"{path}: categories[{number}]"
        key = json_values.whole_number(json_values.field(item, "id", place), f"{place}.id")
        if key in found:
            raise DataError(f"{place}: another category has the id {key}")
        found[key] = str(json_values.field(item, "name", place))
    if not 1 <= len(found) < VOID:
        raise DataError(f"{path}: has {len(found)} categories: 1 to {VOID - 1} are possible")
    return {key: (number, found[key]) for number, key in enumerate(sorted(found), 1)}


def _object(item: dict[str, Any], categories: dict[int, tuple[int, str]], place: str) -> _Object:
    category = json_values.whole_number(json_values.field(item, "category_id", place), f"{place}.category_id")
    if category not in categories:
        raise DataError(f"{place}: there is no category with the id {category}")
    box = json_values.numbers(json_values.field(item, "bbox", place), 4, f"{place}.bbox")
    if min(box[2:]) <= 0:
        raise DataError(f"{place}: a box of {box[2]:g}x{box[3]:g} covers nothing")
    crowd = item.get("iscrowd", 0) == 1
    outlines = item.get("segmentation", [])
    polygons = outlines if isinstance(outlines, list) and not crowd else []
    for outline in polygons:
        json_values.numbers(outline, len(outline) if isinstance(outline, list) else 6, f"{place}.segmentation")
        if len(outline) < 6 or len(outline) % 2:
            raise DataError(f"{place}.segmentation: an outline of {len(outline)} numbers: three points are needed")
    return _Object(VOID if crowd else categories[category][0], box, tuple(map(tuple, polygons)))


def _frame(item: dict[str, Any], objects: list[_Object], path: Path, part: str, number: int) -> LabelledFrame:
    place = f"{path}: images[{number}]"
    name = str(json_values.field(item, "file_name", place))
    size = tuple(
        json_values.whole_number(json_values.field(item, side, place), f"{place}.{side}", 1)
        for side in ("height", "width")
    )
    folders = (path.parent, path.parent / "images", path.parent / part, path.parent.parent / part)
    picture = next((folder / name for folder in folders if (folder / name).is_file()), None)
    if picture is None:
        raise DataError(f"{place}: there is no picture {name} beside the file, in images or in {part}")
    return LabelledFrame("", name, picture, partial(_draw, (size[0], size[1]), tuple(objects)))


def _draw(size: tuple[int, int], objects: tuple[_Object, ...]) -> Tensor:
    """Labels (H, W)."""
    from PIL import Image, ImageDraw

    canvas = Image.new("L", (size[1], size[0]))
    pen = ImageDraw.Draw(canvas)
    for item in sorted(objects, key=lambda item: item.area, reverse=True):
        for outline in item.outlines:
            pen.polygon(outline, fill=item.label)
        if not item.outlines:
            left, top, width, height = item.box
            pen.rectangle((round(left), round(top), round(left + width) - 1, round(top + height) - 1), fill=item.label)
    return torch.from_numpy(np.array(canvas))
