"""Where clips come from, as configurations of training say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from scaleflow.errors import UsageError
from scaleflow.training.loop.configuration import STRICT, check_range

SourceKind = Literal["videos", "vimeo", "davis", "images", "photographs", "synthetic", "packed", "pool", "shards"]
DataKind = Literal[
    "videos", "vimeo", "davis", "images", "photographs", "synthetic", "packed", "pool", "shards", "mixture"
]


@dataclass(frozen=True)
class DataPart:
    """One source of a mixture; ``share`` of its clips, in any unit."""

    __pydantic_config__ = STRICT

    kind: SourceKind
    path: str
    share: float = 1.0

    def __post_init__(self) -> None:
        check_range("data.parts.share", self.share, 1e-6, 1e6)


@dataclass(frozen=True)
class DataConfig:
    """Where clips come from.

    Attributes:
        kind: ``videos`` (a folder of any video), ``vimeo`` (septuplets or triplets as their archives unpack),
            ``davis`` (pictures with masks, as DAVIS unpacks), ``images`` and ``photographs`` (for the intra stage
            only), ``synthetic`` (clips rendered from photographs), ``packed`` (a cache of crops), ``pool`` (packed
            folders that another process renews), ``shards`` (tar files) or ``mixture``.
        path: the folder.
        parts: sources of a mixture.
        crop: side of the square crops in samples, a multiple of 64.
        stride: largest distance in time between successive pictures of a clip.
        flip, reverse: mirror crops, and play clips backwards, at random.
        halve: reduce compressed sources of 360 lines and more by two.
        masks: regions of interest that come with the clips, for models that heed them: random ones, or
            ``annotations``, those that DAVIS has.
        workers: processes that load; 0 loads between the steps.
    """

    __pydantic_config__ = STRICT

    path: str = ""
    kind: DataKind = "videos"
    parts: tuple[DataPart, ...] = ()
    crop: int = 192
    stride: int = 3
    flip: bool = True
    reverse: bool = True
    halve: bool = True
    masks: Literal["none", "perlin", "boxes", "mixed", "annotations"] = "none"
    workers: int = 1

    def __post_init__(self) -> None:
        check_range("data.crop", self.crop, 64, 4096)
        if self.crop % 64:
            raise UsageError(f"data.crop = {self.crop} is no multiple of 64: use {self.crop // 64 * 64 or 64}")
        if (self.kind == "mixture") != bool(self.parts):
            raise UsageError("data.parts: a mixture has parts, and nothing else has")
        check_range("data.stride", self.stride, 1, 16)
        check_range("data.workers", self.workers, 0, 256)
        if self.masks == "annotations" and self.kind != "davis":
            raise UsageError(
                f"data.masks = annotations: data.kind = {self.kind} has none; use data.kind=davis, or random masks "
                "such as data.masks=mixed"
            )
