"""Pictures that stand alone, for the intra stage."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from skimage.io import imread, imsave

from scaleflow.errors import DataError, UsageError
from scaleflow.training.data.clip import ClipRequest
from scaleflow.training.data.configuration import DataConfig
from scaleflow.training.data.image_folder import ImageFolder
from scaleflow.training.data.samples import SampleKey, SampleSet

REQUEST = ClipRequest(frames=1, crop=128)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def folder(vimeo_septuplets: Path, tmp_path: Path) -> Path:
    """Three pictures, a JPEG of another size among them, in folders of folders, beside a file that is none."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    pictures = vimeo_septuplets / "sequences" / "00001" / "0001"
    shutil.copy(pictures / "im1.png", tmp_path / "a" / "one.png")
    shutil.copy(pictures / "im2.png", tmp_path / "a" / "b" / "two.PNG")
    imsave(tmp_path / "three.jpg", imread(pictures / "im3.png")[:150, :141], check_contrast=False)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "._one.png").write_bytes(b"what a file system leaves beside one.png")
    return tmp_path


def test_pictures_with_tags_of_cameras(folder: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    tags = image.Exif()
    tags[0x010F] = "Camera"
    image.open(folder / "a" / "one.png").save(folder / "four.jpg", exif=tags)
    image.open(folder / "a" / "one.png").save(folder / "five.tif")
    source = ImageFolder(folder)
    assert len(source) == 5
    for index in range(5):
        assert source.read(index, REQUEST, generator(index)).planes[0].shape == (1, 1, 128, 128)


def test_crops_are_the_files_sample_by_sample(folder: Path) -> None:
    source = ImageFolder(folder)
    assert len(source) == 3 and source.describe() == "3 pictures."
    for index in range(3):
        file = source.file_of(index)
        picture = imread(file).transpose(2, 0, 1)
        request = ClipRequest(frames=1, crop=64, working_format="rgb", flip=False)
        (clip,) = source.read(index, request, generator(index)).planes
        assert clip.shape == (1, 3, 64, 64)
        if file.suffix != ".jpg":  # whose decoders differ in the last bit
            windows = np.lib.stride_tricks.sliding_window_view(picture, (64, 64), axis=(1, 2))[:, ::2, ::2, ::9, ::9]
            assert (windows == clip[0, :, None, None, ::9, ::9]).all((0, 3, 4)).any()
        luma, chroma = source.read(index, REQUEST, generator(index)).planes
        assert luma.shape == (1, 1, 128, 128) and chroma.shape == (1, 2, 64, 64)


def test_what_is_no_stage_for_pictures(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="serve the intra stage only, not clips of 2"):
        ImageFolder(folder).read(0, ClipRequest(frames=2, crop=128), generator())
    with pytest.raises(DataError, match=r"one\.png: pictures of 448x256 are too small for crops of 320"):
        ImageFolder(folder / "a").read(1, ClipRequest(frames=1, crop=320), generator())


def test_folders_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no picture \(\.bmp"):
        ImageFolder(tmp_path)
    with pytest.raises(UsageError, match="no such folder of pictures"):
        ImageFolder(tmp_path / "none")


def test_small_and_damaged_pictures_are_replaced(folder: Path) -> None:
    whole = (folder / "a" / "one.png").read_bytes()
    (folder / "a" / "one.png").write_bytes(whole[:40])
    samples = SampleSet(ImageFolder(folder), DataConfig(crop=192), 0, "yuv420")
    loaded = [samples.load(SampleKey(0, number, 1)) for number in range(12)]
    reasons = {Path(one.file).name: one.reason for sample in loaded for one in sample.unread}
    assert reasons.keys() == {"one.png", "three.jpg"}
    assert "141x150 are too small for crops of 192" in reasons["three.jpg"] and "one.png" in reasons["one.png"]
