"""The same clips packed both ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from scaleflow.training.data.clip import ClipRequest
from scaleflow.training.data.configuration import DataConfig
from scaleflow.training.data.packed import pack_clips
from scaleflow.training.data.shards import write_shards
from scaleflow.training.data.vimeo import VimeoSource

PLAIN = ClipRequest(frames=3, crop=64, flip=False, reverse=False)
CUT = DataConfig(kind="vimeo", crop=64, flip=False, reverse=False)
COUNT = 10


@pytest.fixture(scope="session")
def packed(vimeo_septuplets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "packed"
    done: list[int] = []
    pack_clips(VimeoSource(vimeo_septuplets), folder, COUNT, 5, CUT, 3, done.append)
    assert done == list(range(1, COUNT + 1))
    return folder


@pytest.fixture(scope="session")
def shards(vimeo_septuplets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "shards"
    write_shards(VimeoSource(vimeo_septuplets), folder, COUNT, 4, 5, CUT, 3)
    return folder
