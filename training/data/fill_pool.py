"""Fill pools of training clips, as a process beside the training.

The command is ``python -m scaleflow.training.data.fill_pool pool.yaml``. The file names the sources and how large the
pools are::

    videos: {path: videos, index: videos-index.json, held_videos: [a.mp4]}
    photographs: {path: pictures}
    frames: 7
    side: 224
    clips_of_part: 500
    parts: {videos: 24, synthetic: 16}
    seconds: 20000
    pause: 0

Folders ``videos`` and ``synthetic`` beside the file are the pools. Once they have so many parts, the oldest is replaced
by a new one, again and again; ``pause`` is how many seconds to rest for each second of work.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from pydantic import ConfigDict, TypeAdapter

from scaleflow.training.data.clip import Clip, ClipRequest
from scaleflow.training.data.clip_pool import remove_oldest, write_packed
from scaleflow.training.data.packed import MANIFEST
from scaleflow.training.data.synthetic import SyntheticClips
from scaleflow.training.data.video_sweep import SweepSettings, VideoSweep
from scaleflow.training.yaml_text import read_yaml_file

logger = logging.getLogger(__name__)

STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class VideoPart:
    """Videos that clips are cut from; ``index`` is where what is known of them is kept."""

    __pydantic_config__ = STRICT

    path: str
    index: str
    held_videos: tuple[str, ...] = ()


@dataclass(frozen=True)
class PhotographPart:
    """Photographs that clips are rendered of."""

    __pydantic_config__ = STRICT

    path: str


@dataclass(frozen=True)
class PoolConfig:
    """See the module."""

    __pydantic_config__ = STRICT

    videos: VideoPart
    photographs: PhotographPart
    parts: dict[str, int]
    frames: int = 7
    side: int = 224
    clips_of_part: int = 500
    seconds: float = 20000.0
    pause: float = 0.0
    seed: int = field(default=0)


def fill(config: PoolConfig, folder: Path) -> None:
    """Write parts of both pools in turn, those first that have fewest of what they should have, until time is over."""
    seed = [config.seed, int(time.time())]  # a pool that is filled again is to be another
    generator = np.random.default_rng(seed)
    settings = SweepSettings(config.frames, config.side, config.videos.held_videos)
    sweep = VideoSweep(Path(config.videos.path), settings, Path(config.videos.index))
    rendered = SyntheticClips(Path(config.photographs.path))
    clips = {"videos": sweep.clips(generator), "synthetic": _rendered(rendered, config, generator)}
    said = {"videos": sweep.describe(), "synthetic": rendered.describe()}
    ends = time.monotonic() + config.seconds
    while time.monotonic() < ends:
        started = time.monotonic()
        there = {name: len(list((folder / name).glob(f"*/{MANIFEST}"))) for name in config.parts}
        name = min(there, key=lambda name: (there[name] / config.parts[name], generator.random()))
        write_packed(clips[name], folder / name / f"{time.time_ns()}", config.clips_of_part, said[name])
        remove_oldest(folder / name, config.parts[name])
        seconds = time.monotonic() - started
        logger.info("%s: %d clips in %.0f s; parts %s", name, config.clips_of_part, seconds, there)
        time.sleep(config.pause * seconds)


def _rendered(source: SyntheticClips, config: PoolConfig, generator: np.random.Generator) -> Iterator[Clip]:
    request = ClipRequest(config.frames, config.side)
    while True:
        yield source.read(int(generator.integers(len(source))), request, generator)


def main() -> None:
    """Read the file that the command line names, and fill the pools beside it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    path = Path(sys.argv[1])
    fill(TypeAdapter(PoolConfig).validate_python(read_yaml_file(path)), path.parent)


if __name__ == "__main__":
    main()
