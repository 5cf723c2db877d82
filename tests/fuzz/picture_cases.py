"""Altered masks, label maps, annotations and training clips."""

from __future__ import annotations

import io
import json
import random
import tarfile
from fractions import Fraction
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from scaleflow.codec.picture import VideoProperties
from scaleflow.efficient_nets.data.action_clips import open_action_data, read_clip
from scaleflow.efficient_nets.data.cityscapes import read_label_ids
from scaleflow.efficient_nets.data.coco_file import read_coco
from scaleflow.efficient_nets.data.label_maps import read_labels
from scaleflow.efficient_nets.data.picture_file import read_picture
from scaleflow.roi.mask_sources.mask_file import open_mask_file
from scaleflow.training.data.clip import ClipRequest, ClipSource
from scaleflow.training.data.image_folder import ImageFolder
from scaleflow.training.data.packed import FORMAT, MANIFEST, PackedClips
from scaleflow.training.data.photographs import load_picture
from scaleflow.training.data.shards import ENDINGS, ShardedClips
from scaleflow.training.data.video_index import INDEX_NAME, index_folder
from tests.fuzz.mutation import VALUES, changed_bytes, changed_value

_VIDEO = VideoProperties(48, 32, "yuv420p", 8, Fraction(25), Fraction(1, 25))
_JSON_VALUES = tuple(value for value in VALUES if not isinstance(value, bytes))


@cache
def _picture(mode: str, form: str, side: int = 32) -> bytes:
    """Blocks of eight numbers as a picture file."""
    generator = np.random.default_rng(3)
    samples = np.kron(generator.integers(0, 8, (side // 8, 6)), np.ones((8, 8))).astype(np.uint8)
    picture = Image.fromarray(samples)
    if mode == "P":
        picture = picture.convert("P")
        picture.putpalette([value for n in range(256) for value in (n, 255 - n, n // 2)])
    elif mode != "L":
        picture = picture.convert(mode)
    buffer = io.BytesIO()
    picture.save(buffer, form)
    return buffer.getvalue()


def _any_picture(source: random.Random) -> tuple[str, bytes]:
    form, suffix = source.choice((("PNG", "png"), ("BMP", "bmp"), ("TIFF", "tif"), ("JPEG", "jpg"), ("PPM", "pgm")))
    modes = {"PNG": ("L", "P", "RGB", "RGBA", "1", "I;16"), "JPEG": ("L", "RGB"), "PPM": ("L",)}.get(form, ("L", "RGB"))
    mode = source.choice(modes)
    return suffix, _picture("L" if mode == "I;16" else mode, form)


def _y4m(count: int) -> bytes:
    frame = b"FRAME\n" + bytes(range(48)) * 32 + bytes([128]) * 768
    return b"YUV4MPEG2 W48 H32 F25:1 Ip A1:1 C420jpeg\n" + frame * count


def masks_case(source: random.Random, folder: Path) -> None:
    """Masks in a picture, a folder, a pattern and a video, brought to the size of a video."""
    how = source.randrange(4)
    if how == 0:
        path = folder / "mask.y4m"
        path.write_bytes(changed_bytes(_y4m(3), source) if source.random() < 0.3 else _altered_y4m(source))
    else:
        for number in range(source.randint(1, 3)):
            suffix, data = _any_picture(source)
            one = folder / f"m{number:03}.{suffix}"
            one.write_bytes(changed_bytes(data, source) if source.random() < 0.6 else data)
        path = {1: folder, 2: folder / "m%03d.png", 3: one}[how]
    masks = open_mask_file(path, _VIDEO, 3)
    for number in range(3):
        mask = masks.mask_at(number, number / 25)
        assert mask.shape == (32, 48) and float(mask.min()) >= 0 and float(mask.max()) <= 1


def _altered_y4m(source: random.Random) -> bytes:
    line, rest = _y4m(3).split(b"\n", 1)
    fields = line.split(b" ")
    place = source.randrange(len(fields))
    digits = (b"0", b"-1", b"1", b"99999", b"99999999999999999999", b"1:0", b"0:0", b"\xff", b"mono", b"444p16", b"")
    fields[place] = fields[place][:1] + source.choice(digits)
    return b" ".join(fields) + b"\n" + rest


def labels_case(source: random.Random, folder: Path) -> None:
    """Label maps and pictures of networks' data sets, COCO's annotations, folders of actions."""
    how = source.randrange(5)
    if how < 3:
        suffix, data = _any_picture(source)
        path = folder / f"labels.{suffix}"
        path.write_bytes(changed_bytes(data, source))
        (lambda: read_labels(path, 8, 7), lambda: read_label_ids(path), lambda: read_picture(path))[how]()
    elif how == 3:
        (folder / "images").mkdir()
        (folder / "images" / "a.png").write_bytes(_picture("RGB", "PNG"))
        values = changed_value(_coco(), source, _JSON_VALUES)
        text = json.dumps(values).encode()
        (folder / "annotations.json").write_bytes(changed_bytes(text, source) if source.random() < 0.2 else text)
        read_coco(folder / "annotations.json", "train")
    else:
        for name in ("walk", "wave"):
            (folder / name).mkdir()
            (folder / name / "1.y4m").write_bytes(_altered_y4m(source) if source.random() < 0.5 else _y4m(3))
        (folder / "clips.csv").write_bytes(
            changed_bytes(b"clip,difficulty\nwalk/1.y4m,hard\nwave/1.y4m,easy\n", source)
        )
        data = open_action_data(folder, "train")
        read_clip(data.clips[0].path, 2, (16, 16))


def _coco() -> dict[str, Any]:
    image = {"id": 1, "width": 48, "height": 32, "file_name": "a.png", "video_id": 1, "frame_id": 0}
    box = {"id": 1, "image_id": 1, "bbox": [1, 2, 20, 20], "category_id": 1, "area": 400, "iscrowd": 0, "track_id": 1}
    categories = [{"id": 1, "name": "x"}]
    return {"images": [image], "annotations": [box], "categories": categories, "videos": [{"id": 1, "name": "v"}]}


def clips_case(source: random.Random, folder: Path) -> None:
    """Clips to train on: packed arrays, shards, the index of a folder of videos, pictures."""
    how = source.randrange(4)
    request = ClipRequest(2, 16)
    generator = np.random.default_rng(0)
    if how == 3:
        suffix, data = _any_picture(source)
        place = folder / f"a.{'png' if suffix == 'pgm' else suffix}"
        place.write_bytes(changed_bytes(data, source))
        _read(ImageFolder(folder), request, generator)
        load_picture(place)
        return
    if how == 2:
        (folder / "a.y4m").write_bytes(_y4m(3))
        index_folder(folder)
        index = folder / INDEX_NAME
        values = changed_value(json.loads(index.read_text()), source, _JSON_VALUES)
        text = json.dumps(values).encode()
        index.write_bytes(changed_bytes(text, source) if source.random() < 0.2 else text)
        index_folder(folder)
        return
    arrays = [np.zeros((2, 3, planes, side, side), np.uint8) for planes, side in ((1, 32), (2, 16))]
    if how == 0:
        for name, array in zip(("luma.npy", "chroma.npy"), arrays, strict=True):
            (folder / name).write_bytes(_altered_array(array, source))
        manifest = changed_value({"format": FORMAT, "source": "made"}, source, _JSON_VALUES)
        (folder / MANIFEST).write_text(json.dumps(manifest if source.random() < 0.3 else {"format": FORMAT}))
        _read(PackedClips(folder), request, generator)
        return
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for ending, array in zip(ENDINGS, arrays, strict=True):
            data = _altered_array(array[0], source)
            member = tarfile.TarInfo(f"000000000{ending}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    data = buffer.getvalue()
    (folder / "000000.tar").write_bytes(changed_bytes(data, source) if source.random() < 0.5 else data)
    _read(ShardedClips(folder), request, generator)


def _read(clips: ClipSource, request: ClipRequest, generator: np.random.Generator) -> None:
    clips.describe()
    for number in islice(range(len(clips)), 3):
        clips.read(number, request, generator)


def _altered_array(array: np.ndarray, source: random.Random) -> bytes:
    if source.random() < 0.2:  # a pickle, which may not be loaded
        array = np.array([{"a": 1}], dtype=object)
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    data = buffer.getvalue()
    return changed_bytes(data[:128], source) + data[128:] if source.random() < 0.6 else data
