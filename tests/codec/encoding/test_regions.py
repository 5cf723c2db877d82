"""Masks of regions of interest on their way from a source to the coder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from scaleflow.codec.container import SfvReader, VideoPacket
from scaleflow.codec.distortion import picture_psnr, region_psnr
from scaleflow.codec.encoding.file import encode_file
from scaleflow.codec.encoding.settings import EncodeSettings
from scaleflow.codec.frame_coder import FrameDecoder
from scaleflow.codec.picture import Picture, VideoProperties
from scaleflow.codec.video.reader import open_video
from scaleflow.errors import DataError, UsageError
from scaleflow.roi.coding import RegionSettings
from tests.codec.stand_in import StandInModel

WIDTH, HEIGHT = 88, 72


@dataclass
class MovingColumn:
    """Marks eight columns of samples, further right in each picture."""

    asked: list[tuple[int, float]] = field(default_factory=list)
    empty: bool = False

    def mask_at(self, number: int, seconds: float) -> NDArray[np.float32]:
        self.asked.append((number, seconds))
        mask = np.zeros((HEIGHT, WIDTH), np.float32)
        if not self.empty:
            mask[:, 2 * (number % 32) : 2 * (number % 32) + 8] = 1
        return mask


def _encode(
    carphone: Path, folder: Path, masks: MovingColumn | BrightSamples, **settings: object
) -> tuple[Path, object]:
    target = folder / "out.sfv"
    chosen = {"quality": 63.0, "intra_quality_offset": 0.0, "scene_cut": False, "region": RegionSettings(), **settings}
    return target, encode_file(carphone, target, StandInModel(), EncodeSettings(**chosen), masks=masks)


def _changed_columns(path: Path) -> list[list[int]]:
    """Of each picture, the columns of luma in which anything was coded."""
    decoder = FrameDecoder(StandInModel(), width=WIDTH, height=HEIGHT)
    before = np.full((HEIGHT, WIDTH), 128, np.int32)
    columns = []
    with SfvReader(path) as reader:
        for packet in reader:
            assert isinstance(packet, VideoPacket)
            key = packet.kind == "intra"
            luma = decoder.decode(packet.payload, key=key)[0].astype(np.int32)
            base = np.full_like(before, 128) if key else before
            columns.append(sorted(set(np.nonzero(luma != base)[1].tolist())))
            before = luma
    return columns


@pytest.mark.parametrize("workers", [1, 2])
def test_each_picture_is_coded_with_its_own_mask(carphone: Path, tmp_path: Path, workers: int) -> None:
    path, _ = _encode(carphone, tmp_path, MovingColumn(), frames=12, intra_period=5, workers=workers)
    columns = _changed_columns(path)
    assert len(columns) == 12
    for number, found in enumerate(columns):
        assert found and set(found) <= set(range(2 * number, 2 * number + 8))


@dataclass
class BrightSamples:
    """Implements :class:`scaleflow.codec.encoding.region_masks.InLoopMasks`, and keeps what it was shown."""

    shown: list[NDArray[np.generic]] = field(default_factory=list)

    def mask_from(self, picture: Picture, video: VideoProperties) -> NDArray[np.float32]:
        assert picture.planes[0].shape == (video.height, video.width)
        self.shown.append(picture.planes[0])
        return (picture.planes[0] > 128).astype(np.float32)


def test_masks_are_made_of_what_the_decoder_shows(carphone: Path, tmp_path: Path) -> None:
    """Of key frames of what is to be coded."""
    masks = BrightSamples()
    path, _ = _encode(carphone, tmp_path, masks, frames=9, intra_period=4, quality=10.0)
    with open_video(carphone) as reader:
        sources = [picture.planes[0] for picture, _ in zip(reader, range(9), strict=False)]
    decoder = FrameDecoder(StandInModel(), width=WIDTH, height=HEIGHT)
    with SfvReader(path) as reader:
        packets = [item for item in reader if isinstance(item, VideoPacket)]
    keys = [packet.kind == "intra" for packet in packets]
    decoded = [decoder.decode(packet.payload, key=key)[0] for packet, key in zip(packets, keys, strict=True)]
    assert keys == [number % 4 == 0 for number in range(9)] and len(masks.shown) == 9
    for number, key in enumerate(keys):
        expected = sources[number] if key else decoded[number - 1]
        assert np.array_equal(masks.shown[number], expected)
    assert not np.array_equal(decoded[0], sources[0])


def test_masks_in_the_loop_are_made_in_workers_too(carphone: Path, tmp_path: Path) -> None:
    streams = []
    for workers in (1, 2):
        options = {"frames": 8, "intra_period": 3, "overwrite": True, "workers": workers}
        path, _ = _encode(carphone, tmp_path, BrightSamples(), **options)
        streams.append(path.read_bytes())
    assert streams[0] == streams[1]


def test_masks_of_an_excerpt_are_those_of_its_pictures(carphone: Path, tmp_path: Path) -> None:
    masks = MovingColumn()
    path, _ = _encode(carphone, tmp_path, masks, start=0.5, frames=4)
    assert masks.asked == [(number, pytest.approx(number / 20)) for number in range(10, 14)]
    assert all(set(found) <= set(range(2 * n + 20, 2 * n + 28)) for n, found in enumerate(_changed_columns(path)))


def test_psnr_within_the_region_is_reported_and_can_be_aimed_at(carphone: Path, tmp_path: Path) -> None:
    path, summary = _encode(carphone, tmp_path, MovingColumn(), frames=8, measure=True)
    assert summary.region_psnr_yuv == 100.0 > summary.psnr_yuv
    settings = {"quality": None, "target_roi_psnr": 40.0, "overwrite": True}
    _, aimed = _encode(carphone, tmp_path, MovingColumn(), frames=30, **settings)
    assert aimed.region_psnr_yuv == pytest.approx(40.0, abs=0.1)
    decoder, values = FrameDecoder(StandInModel(), width=WIDTH, height=HEIGHT), []
    with SfvReader(path) as reader, open_video(carphone) as original:
        for number, (packet, picture) in enumerate(zip(reader, original, strict=False)):
            assert isinstance(packet, VideoPacket)
            planes = decoder.decode(packet.payload, key=packet.kind == "intra")
            mask = (MovingColumn().mask_at(number, 0) * 255).astype(np.uint8)
            values.append(region_psnr(picture.planes, planes, 8, mask))
    assert aimed.passes >= 1 and len(values) == 30


def test_region_psnr_weighs_samples_by_the_mask() -> None:
    generator = np.random.default_rng(1)
    first = tuple(generator.integers(0, 256, shape).astype(np.uint8) for shape in ((5, 7), (3, 4), (3, 4)))
    second = tuple(generator.integers(0, 256, plane.shape).astype(np.uint8) for plane in first)
    full = region_psnr(first, second, 8, np.full((5, 7), 255, np.uint8))
    assert full is not None
    assert full[0] == pytest.approx(picture_psnr(first, second, 8)[0])
    mask = np.zeros((5, 7), np.uint8)
    mask[1, 2], mask[4, 6] = 255, 51
    found = region_psnr(first, second, 8, mask)
    assert found is not None
    errors = (first[0].astype(float) - second[0]) ** 2
    assert found[0] == pytest.approx(10 * np.log10(255**2 / ((5 * errors[1, 2] + errors[4, 6]) / 6)))
    errors = (first[1].astype(float) - second[1]) ** 2
    assert found[1] == pytest.approx(10 * np.log10(255**2 / ((5 * errors[0, 1] + errors[2, 3]) / 6)))


def test_an_empty_region_has_no_psnr(carphone: Path, tmp_path: Path) -> None:
    _, summary = _encode(carphone, tmp_path, MovingColumn(empty=True), frames=3, measure=True)
    assert summary.region_psnr_yuv is None and summary.psnr_yuv is not None
    with pytest.raises(DataError, match="empty in all pictures"):
        _encode(
            carphone, tmp_path, MovingColumn(empty=True), frames=3, overwrite=True, quality=None, target_roi_psnr=30
        )


def test_errors(carphone: Path, tmp_path: Path) -> None:
    class TooShort(MovingColumn):
        def mask_at(self, number: int, seconds: float) -> NDArray[np.float32]:
            if number == 3:
                raise DataError("masks: end after 3 pictures, the video goes on")
            return super().mask_at(number, seconds)

    with pytest.raises(DataError, match="end after 3"):
        _encode(carphone, tmp_path, TooShort(), frames=8)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError, match="target_roi_psnr is of a region"):
        encode_file(carphone, tmp_path / "out.sfv", StandInModel(), EncodeSettings(target_roi_psnr=30.0))
    make: Callable[..., EncodeSettings] = EncodeSettings
    with pytest.raises(UsageError, match="give one"):
        make(target_roi_psnr=30.0, quality=3.0)
