"""Two objects, from a clip to its decoded pictures, with the shipped model."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scaleflow.codec.container import SfvReader
from scaleflow.codec.decoding.stream_decoder import DecodedPicture, StreamDecoder
from scaleflow.codec.distortion import region_psnr
from scaleflow.codec.encoding.request import VideoSource
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.codec.models.registry import load_model
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import Planes
from scaleflow.codec.video import open_video
from scaleflow.errors import DataError, UsageError
from scaleflow.roi.baselines.filled_pictures import fill_unknown
from scaleflow.roi.baselines.object_file import STEPS, ObjectFile, decode_masks, encode_masks
from scaleflow.roi.baselines.objects import background_quality, decode_objects, encode_objects, object_bits
from scaleflow.roi.baselines.region_cells import cells_of_mask
from tests.davis_clips import opened, read_masks


@pytest.fixture(scope="module")
def model() -> VideoModel:
    return load_model()


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory, car: Path, car_masks: Path, model: VideoModel) -> Path:
    path = tmp_path_factory.mktemp("objects") / "car.objects"
    encode_objects(VideoSource(car), path, model, EncodeSettings(quality=40.0), opened(car_masks), 8.0)
    return path


def streams(path: Path, model: VideoModel) -> list[list[Planes]]:
    found = []
    for data in (ObjectFile.read(path).region, ObjectFile.read(path).background):
        with SfvReader(io.BytesIO(data)) as reader:
            events = list(StreamDecoder(reader.header, model).decode(reader))
        found.append([event.planes for event in events if isinstance(event, DecodedPicture)])
    return found


def pictures(path: Path) -> list[Planes]:
    with open_video(path) as reader:
        return [picture.planes for picture in reader]


def test_each_sample_comes_from_its_object(coded: Path, car_masks: Path, model: VideoModel, tmp_path: Path) -> None:
    decode_objects(coded, tmp_path / "car.y4m", lambda header: model)
    regions, backgrounds = streams(coded, model)
    masks = read_masks(car_masks)
    for joined, region, background, mask in zip(
        pictures(tmp_path / "car.y4m"), regions, backgrounds, masks, strict=True
    ):
        cells = np.kron(mask.reshape(6, 16, 10, 16).any((1, 3)), np.ones((16, 16), bool))
        assert np.array_equal(joined[0], np.where(cells, region[0], background[0]))
        assert np.array_equal(joined[2], np.where(cells[::2, ::2], region[2], background[2]))


def test_the_region_is_better(car: Path, coded: Path, car_masks: Path, model: VideoModel, tmp_path: Path) -> None:
    decode_objects(coded, tmp_path / "car.y4m", lambda header: model)
    for original, decoded, mask in zip(
        pictures(car), pictures(tmp_path / "car.y4m"), read_masks(car_masks), strict=True
    ):
        inside = region_psnr(original, decoded, 8, mask.astype(np.uint8))
        outside = region_psnr(original, decoded, 8, 1 - mask.astype(np.uint8))
        assert inside is not None and outside is not None and inside[0] > outside[0] + 5


def test_all_bits_are_counted(coded: Path) -> None:
    bits, kinds = object_bits(coded)
    held = ObjectFile.read(coded)
    assert kinds == ["intra", "inter", "inter", "inter"]
    assert sum(part["masks"] for part in bits) == 8 * sum(map(len, held.masks)) > 0
    total = sum(sum(part.values()) for part in bits)
    assert 0.8 < total / (8 * coded.stat().st_size) < 1
    assert all(part["region"] > part["background"] > 0 for part in bits[1:])


def test_a_full_and_an_empty_mask(car: Path, model: VideoModel, tmp_path: Path) -> None:
    class Masks:
        def mask_at(self, number: int, seconds: float) -> np.ndarray:
            return np.full((96, 160), float(number == 0), np.float32)

    settings = EncodeSettings(quality=20.0)
    encode_objects(VideoSource(car), tmp_path / "a.objects", model, settings, lambda video, pictures: Masks(), 2.0)
    decode_objects(tmp_path / "a.objects", tmp_path / "a.y4m", lambda header: model)
    regions, backgrounds = streams(tmp_path / "a.objects", model)
    found = pictures(tmp_path / "a.y4m")
    assert np.array_equal(found[0][0], regions[0][0]) and np.array_equal(found[1][0], backgrounds[1][0])


def test_damage_is_found(coded: Path, model: VideoModel, tmp_path: Path) -> None:
    data = coded.read_bytes()
    held = ObjectFile.read(coded)
    for name, content, message in (
        ("text", b"no objects", "is no file of scaleflow baseline objects"),
        ("cut", data[:-5], f"has {len(data) - 5} bytes, not the {len(data)} that it says"),
        ("flipped", data.replace(held.region[300:400], bytes(100)), "flipped: damage at byte"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(DataError, match=message):
            decode_objects(path, tmp_path / "a.y4m", lambda header: model)
    replace(held, masks=held.masks[:-1]).write(tmp_path / "fewer", False)
    with pytest.raises(DataError, match="are not of as many pictures"):
        decode_objects(tmp_path / "fewer", tmp_path / "a.y4m", lambda header: model)
    assert not (tmp_path / "a.y4m").exists()
    with pytest.raises(UsageError, match="cannot be opened"):
        ObjectFile.read(tmp_path / "none")


@given(arrays(np.int32, (3, 4, 5), elements=st.integers(0, STEPS)))
def test_masks_come_back(levels: np.ndarray) -> None:
    found = list(decode_masks(encode_masks(levels), 16 * 5 - 3, 16 * 4 - 15))
    assert np.array_equal(found, levels)


@given(st.binary(max_size=200))
def test_anything_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.objects"
    path.write_bytes(b"SFOBJ1" + data)
    try:
        held = ObjectFile.read(path)
    except DataError:
        return
    held.write(path, True)
    assert ObjectFile.read(path) == held


def test_a_quality_for_wider_steps() -> None:
    assert background_quality(40.0, 8.0) == pytest.approx(13.0)
    assert background_quality(5.0, 64.0) == 0.0


def test_cells_hold_what_is_highest() -> None:
    mask = np.zeros((40, 20), np.float32)
    mask[3, 17], mask[33, 2] = 1, 0.2
    assert np.allclose(cells_of_mask(mask), [[0, 1], [0, 0], [0.2, 0]])


def test_what_is_unknown_is_filled_smoothly() -> None:
    plane = np.tile(np.linspace(50, 150, 33), (21, 1)).round().astype(np.uint8)
    known = np.ones(plane.shape, bool)
    known[6:15, 10:24] = False
    spoilt = np.where(known, plane, np.uint8(255))
    filled = fill_unknown(spoilt, known, 8)
    assert np.array_equal(filled[known], plane[known])
    assert np.abs(filled.astype(int) - plane).max() < 25
    assert fill_unknown(np.full((4, 4), 700, np.uint16), np.zeros((4, 4), bool), 10).tolist() == [[512] * 4] * 4
