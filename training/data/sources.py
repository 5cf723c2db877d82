"""The source of clips that a configuration names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from scaleflow.errors import UsageError
from scaleflow.training.data.clip import ClipSource
from scaleflow.training.data.clip_pool import ClipPool
from scaleflow.training.data.configuration import DataConfig
from scaleflow.training.data.davis import DavisSource
from scaleflow.training.data.image_folder import ImageFolder
from scaleflow.training.data.mixture import Mixture
from scaleflow.training.data.packed import PackedClips
from scaleflow.training.data.photographs import Photographs
from scaleflow.training.data.shards import ShardedClips
from scaleflow.training.data.synthetic import SyntheticClips
from scaleflow.training.data.video_folder import VideoFolder
from scaleflow.training.data.vimeo import VimeoSource


def open_source(config: DataConfig) -> ClipSource:
    """Open what ``config.path`` holds.

    Raises:
        UsageError: no path was given, or it is not of ``config.kind``.
        DataError: nothing can be read there.
    """
    if config.kind == "mixture":
        parts = [(open_source(replace(config, kind=p.kind, path=p.path, parts=())), p.share) for p in config.parts]
        return Mixture(parts)
    if not config.path:
        raise UsageError("data.path is empty: say where the training data lies, such as data.path=videos")
    path = Path(config.path)
    if config.kind == "videos":
        return VideoFolder(path, config.crop, halve=config.halve)
    if config.kind == "vimeo":
        return VimeoSource(path)
    if config.kind == "davis":
        return DavisSource(path)
    if config.kind == "images":
        return ImageFolder(path)
    if config.kind == "photographs":
        return Photographs(path)
    if config.kind == "synthetic":
        return SyntheticClips(path)
    if config.kind == "pool":
        return ClipPool(path)
    if config.kind == "packed":
        return PackedClips(path)
    return ShardedClips(path)
