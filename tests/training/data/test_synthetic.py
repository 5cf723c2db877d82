"""Photographs, and clips that are rendered from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from scaleflow.codec.models.motion_estimation import match_blocks
from scaleflow.errors import DataError, UsageError
from scaleflow.training.data.clip import ClipRequest
from scaleflow.training.data.photographs import Photographs
from scaleflow.training.data.synthetic import SyntheticClips


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    generator = np.random.default_rng(0)
    for number, size in enumerate([(300, 400), (240, 260)]):
        small = Image.fromarray(generator.integers(0, 256, (size[0] // 6, size[1] // 6, 3)).astype(np.uint8))
        small.resize((size[1], size[0]), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


def test_pictures_are_cut_and_reduced(photographs: Path) -> None:
    source = Photographs(photographs)
    assert len(source) == 2 and "2 photographs" in source.describe()
    kinds = set()
    for seed in range(8):
        clip = source.read(0, ClipRequest(1, 128), np.random.default_rng(seed))
        luma, chroma = clip.planes
        assert luma.shape == (1, 1, 128, 128) and chroma.shape == (1, 2, 64, 64)
        assert 10 < luma.std() and 16 <= luma.min() and luma.max() <= 240
        kinds.add(luma.tobytes())
    assert len(kinds) == 8
    again = source.read(0, ClipRequest(1, 128), np.random.default_rng(3))
    assert again.planes[0].tobytes() in kinds


def test_pictures_alone_serve_no_clips(photographs: Path) -> None:
    with pytest.raises(UsageError, match="intra stage"):
        Photographs(photographs).read(0, ClipRequest(2, 128), np.random.default_rng(0))
    with pytest.raises(DataError, match="too small"):
        Photographs(photographs).read(1, ClipRequest(1, 256), np.random.default_rng(0))


def test_missing_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        Photographs(tmp_path / "nothing")
    with pytest.raises(DataError, match="no picture"):
        SyntheticClips(tmp_path)


def test_a_clip_follows_from_its_numbers(photographs: Path) -> None:
    source = SyntheticClips(photographs)
    request = ClipRequest(3, 64)
    first, second = (source.read(1, request, np.random.default_rng(5)) for _ in range(2))
    for ours, theirs in zip(first.planes, second.planes, strict=True):
        assert np.array_equal(ours, theirs)
    luma, chroma = first.planes
    assert luma.shape == (3, 1, 64, 64) and chroma.shape == (3, 2, 32, 32)


def test_clips_move_in_many_ways(photographs: Path) -> None:
    source = SyntheticClips(photographs)
    changes, speeds = [], []
    for seed in range(24):
        luma = source.read(seed % 2, ClipRequest(2, 64), np.random.default_rng(seed)).planes[0].astype(np.float32)
        changes.append(np.abs(luma[1] - luma[0]).mean())
        current, earlier = (torch.from_numpy(luma[number])[None] for number in (1, 0))
        speeds.append(float(match_blocks(current, earlier).square().sum(1).sqrt().median()))
    assert min(changes) < 1 and max(changes) > 8
    assert min(speeds) < 0.3 and max(speeds) > 3
    assert sum(speed % 1 > 0 for speed in speeds) > 5
