"""Files in the form of COCO: pictures, categories, boxes and outlines; with videos as in CocoVID, if there are some."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scaleflow import json_values
from scaleflow.efficient_nets.data.label_maps import VOID
from scaleflow.errors import DataError, UsageError

FILE_NAMES = ("annotations.json", "_annotations.coco.json")


@dataclass(frozen=True)
class CocoObject:
    """One annotation.

    Attributes:
        category: number of its category, from 0 on in the order of the ids.
        box: left, top, width, height in samples.
        outlines: polygons, x and y in turn.
        crowd: it stands for many, of which none is told from another.
    """

    category: int
    box: tuple[float, ...]
    outlines: tuple[tuple[float, ...], ...]
    crowd: bool

    @property
    def area(self) -> float:
        """Of the box, in samples."""
        return self.box[2] * self.box[3]


@dataclass(frozen=True)
class CocoPicture:
    """A picture and what is in it.

    Attributes:
        video: name of its video; empty where the file knows of none.
        name: as the file has it.
        path: where it is.
        size: (height, width) as the file says.
        objects: in the order of the file.
    """

    video: str
    name: str
    path: Path
    size: tuple[int, int]
    objects: tuple[CocoObject, ...]


@dataclass(frozen=True)
class CocoFile:
    """What a file holds.

    Attributes:
        path: of the file.
        categories: their names, in the order of their ids.
        pictures: those of one video behind one another, in the order of time.
        still: there are no videos.
    """

    path: Path
    categories: tuple[str, ...]
    pictures: tuple[CocoPicture, ...]
    still: bool


def read_coco(folder: Path, part: str) -> CocoFile:
    """Read a ``.json`` file, or the one in a folder; pictures lie beside it, or in ``images`` or ``part`` there.

    Videos are those of CocoVID: a list ``videos`` of ids and names, and ``video_id`` and ``frame_id`` of each image.

    Raises:
        UsageError: there is no such file.
        DataError: it has another form, or a picture is not there; the message names the place.
    """
    path = folder if folder.suffix == ".json" else coco_file_in(folder, part)
    values = json_values.record(json_values.read_json(path), str(path))
    categories = _categories(values, path)
    videos = _videos(values, path)
    objects: dict[int, list[CocoObject]] = {}
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
    places = [f"{path}: images[{number}]" for number in range(len(images))]
    if videos:
        order = sorted(range(len(images)), key=lambda number: _moment(images[number], videos, places[number]))
    else:
        order = list(range(len(images)))
    pictures = [
        _picture(images[number], tuple(objects[images[number]["id"]]), videos, path, part, places[number])
        for number in order
    ]
    names = tuple(name for _, name in sorted(categories.values()))
    return CocoFile(path, names, tuple(pictures), still=not videos)


def coco_file_in(folder: Path, part: str) -> Path:
    """The file that belongs to a folder, or to a part of it. Raises :class:`UsageError` where there is none."""
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
    """By id: number from 0 on in the order of the ids, and name."""
    found: dict[int, str] = {}
    for number, item in enumerate(_records(values, "categories", path)):
        place = f"{path}: categories[{number}]"
        key = json_values.whole_number(json_values.field(item, "id", place), f"{place}.id")
        if key in found:
            raise DataError(f"{place}: another category has the id {key}")
        found[key] = str(json_values.field(item, "name", place))
    if not 1 <= len(found) < VOID:
        raise DataError(f"{path}: has {len(found)} categories: 1 to {VOID - 1} are possible")
    return {key: (number, found[key]) for number, key in enumerate(sorted(found))}


def _videos(values: dict[str, Any], path: Path) -> dict[int, str]:
    """Names by id; empty where the file has no videos."""
    found: dict[int, str] = {}
    if "videos" not in values:
        return found
    for number, item in enumerate(_records(values, "videos", path)):
        place = f"{path}: videos[{number}]"
        key = json_values.whole_number(json_values.field(item, "id", place), f"{place}.id")
        if key in found:
            raise DataError(f"{place}: another video has the id {key}")
        found[key] = str(item.get("name", key))
    return found


def _moment(item: dict[str, Any], videos: dict[int, str], place: str) -> tuple[int, int]:
    """Id of the video, and number of the frame."""
    video = json_values.whole_number(json_values.field(item, "video_id", place), f"{place}.video_id")
    if video not in videos:
        raise DataError(f"{place}: there is no video with the id {video}")
    return video, json_values.whole_number(json_values.field(item, "frame_id", place), f"{place}.frame_id")


def _object(item: dict[str, Any], categories: dict[int, tuple[int, str]], place: str) -> CocoObject:
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
    return CocoObject(categories[category][0], box, tuple(map(tuple, polygons)), crowd)


def _picture(
    item: dict[str, Any],
    objects: tuple[CocoObject, ...],
    videos: dict[int, str],
    path: Path,
    part: str,
    place: str,
) -> CocoPicture:
    name = str(json_values.field(item, "file_name", place))
    height, width = (
        json_values.whole_number(json_values.field(item, side, place), f"{place}.{side}", 1)
        for side in ("height", "width")
    )
    folders = (path.parent, path.parent / "images", path.parent / part, path.parent.parent / part)
    picture = next((folder / name for folder in folders if (folder / name).is_file()), None)
    if picture is None:
        raise DataError(f"{place}: there is no picture {name} beside the file, in images or in {part}")
    video = videos[item["video_id"]] if videos else ""
    return CocoPicture(video, name, picture, (height, width), objects)
