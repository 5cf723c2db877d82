"""Where clips come from, as configurations of training say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from scaleflow.errors import UsageError
from scaleflow.training.loop.configuration import STRICT, check_range


@dataclass(frozen=True)
class DataConfig:
    """Where clips come from.

    Attributes:
        kind: ``videos`` (a folder of any video), ``vimeo`` (septuplets or triplets as their archives unpack),
            ``davis`` (pictures with masks, as DAVIS unpacks), ``images`` (for the intra stage only), ``packed`` (a
            cache of crops) or ``shards`` (tar files).
        path: the folder.
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
    kind: Literal["videos", "vimeo", "davis", "images", "packed", "shards"] = "videos"
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
        check_range("data.stride", self.stride, 1, 16)
        check_range("data.workers", self.workers, 0, 256)
        if self.masks == "annotations" and self.kind != "davis":
            raise UsageError(
                f"data.masks = annotations: data.kind = {self.kind} has none; use data.kind=davis, or random masks "
                "such as data.masks=mixed"
            )
