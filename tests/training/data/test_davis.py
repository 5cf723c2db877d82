"""DAVIS's pictures with their masks, as clips."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from skimage.io import imread, imsave

from scaleflow.errors import DataError, UsageError
from scaleflow.training.data.clip import ClipRequest
from scaleflow.training.data.configuration import DataConfig
from scaleflow.training.data.davis import DavisSource
from scaleflow.training.data.samples import SampleKey, SampleSet
from tests.davis_clips import DAVIS

SEQUENCES = {"libby": 4, "soapbox": 3}


@pytest.fixture
def davis(tmp_path: Path) -> Path:
    """Two sequences of DAVIS, their first pictures."""
    if not DAVIS.is_dir():
        pytest.skip("needs the sequences of ../shared/data/davis")
    for kind, suffix in (("JPEGImages", "jpg"), ("Annotations", "png")):
        for sequence, pictures in SEQUENCES.items():
            folder = tmp_path / kind / "480p" / sequence
            folder.mkdir(parents=True)
            for number in range(pictures):
                shutil.copy(DAVIS / kind / "480p" / sequence / f"{number:05d}.{suffix}", folder)
    return tmp_path


def test_masks_are_the_files_at_the_place_of_the_crop(davis: Path) -> None:
    source = DavisSource(davis)
    assert len(source) == 2 and list(source.weights()) == [4, 3]
    assert source.describe() == "2 sequences of DAVIS with their masks, 7 pictures."
    request = ClipRequest(frames=4, crop=64, working_format="rgb", flip=False, reverse=False)
    clip = source.read(0, request, np.random.default_rng(0))
    assert clip.mask is not None and clip.mask.shape == (4, 1, 64, 64) and set(np.unique(clip.mask)) == {0, 1}
    masks = [imread(davis / f"Annotations/480p/libby/{number:05d}.png") > 127 for number in range(4)]
    windows = [np.lib.stride_tricks.sliding_window_view(mask, (64, 64))[::2, ::2] for mask in masks]
    found = np.logical_and.reduce([(w == m[0]).all((2, 3)) for w, m in zip(windows, clip.mask, strict=True)])
    places = np.argwhere(found) * 2
    assert len(places)
    # The picture's crop is at one of those places; decoders of JPEG differ a little.
    picture = imread(davis / "JPEGImages/480p/libby/00000.jpg").transpose(2, 0, 1).astype(int)
    errors = [np.abs(picture[:, y : y + 64, x : x + 64] - clip.planes[0][0]).mean() for y, x in places]
    assert min(errors) < 3


def test_mirrored_with_their_pictures(davis: Path) -> None:
    source = DavisSource(davis)
    plain = ClipRequest(frames=3, crop=128, flip=False, reverse=False)
    changed = ClipRequest(frames=3, crop=128)
    for seed in range(8):
        a, b = (source.read(1, request, np.random.default_rng(seed)) for request in (plain, changed))
        assert a.mask is not None and b.mask is not None
        axes: list[tuple[int, ...]] = [(), (0,), (2,), (3,), (0, 2), (0, 3), (2, 3), (0, 2, 3)]
        (same,) = [axis for axis in axes if (np.flip(a.planes[0], axis) == b.planes[0]).all()]
        assert (np.flip(a.mask, same) == b.mask).all()
        assert (np.flip(a.planes[1], same) == b.planes[1]).all()


def test_crops_meet_the_region(davis: Path) -> None:
    samples = SampleSet(DavisSource(davis), DataConfig(kind="davis", masks="annotations", crop=64), 0, "yuv420")
    for number in range(20):
        sample = samples.load(SampleKey(0, number, 2))
        assert sample.masks is not None and sample.masks.any()
        assert sample.masks.shape == (2, 1, 64, 64) and sample.planes[1].shape == (2, 2, 32, 32)


def test_what_is_not_davis(davis: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is no DAVIS: expected JPEGImages/480p/SEQUENCE/00000\.jpg"):
        DavisSource(davis / "JPEGImages")
    with pytest.raises(UsageError, match=r"data\.masks = annotations: data\.kind = packed has none"):
        DataConfig(kind="packed", masks="annotations")
    with pytest.raises(DataError, match="soapbox: has 3 pictures, 4 are asked for"):
        DavisSource(davis).read(1, ClipRequest(frames=4, crop=64), np.random.default_rng(0))
    mask = davis / "Annotations/480p/libby/00001.png"
    imsave(mask, imread(mask)[:-1], check_contrast=False)
    with pytest.raises(DataError, match="libby: has pictures and masks of different sizes"):
        DavisSource(davis).read(0, ClipRequest(frames=4, crop=64), np.random.default_rng(0))
    mask.unlink()
    with pytest.raises(DataError, match=r"00001\.png: is missing, though JPEGImages has its picture"):
        DavisSource(davis)
