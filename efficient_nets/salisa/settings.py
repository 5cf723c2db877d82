"""SALISA's settings, as a method of its own beside those that convert layers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from scaleflow.efficient_nets.salisa.saliency import SaliencySettings
from scaleflow.errors import UsageError

LEAST_SIDE = 32


@dataclass(frozen=True)
class Salisa:
    """What a detector is shown.

    Attributes:
        size: WIDTHxHEIGHT of the picture that the detector sees.
        whole_every: every so many frames are reduced evenly, as the first one of a video is; 0 for that one alone.
        whole_size: WIDTHxHEIGHT of those frames, where it shall not be ``size``: the paper's key frames, which a larger
            detector sees.
        boxes: that saliency is made of: ``detections`` in the frame before, or its ``labels``, to see what perfect
            detections would give.
        least_score: of detections that make saliency.
        spread, smallest, small_first, floor: see :class:`scaleflow.efficient_nets.salisa.saliency.SaliencySettings`.
        points: control points of the warp along each side.
    """

    size: str = "240x180"
    whole_every: int = 0
    whole_size: str = ""
    boxes: Literal["detections", "labels"] = "detections"
    least_score: float = 0.1
    spread: float = 1.0
    smallest: float = 0.06
    small_first: float = 1.0
    floor: float = 0.1
    points: int = 16

    def __post_init__(self) -> None:
        for name in ("size", "whole_size"):
            if getattr(self, name) or name == "size":
                _size(getattr(self, name), name)
        if self.boxes not in ("detections", "labels"):
            raise UsageError(f"boxes = {self.boxes}: use detections or labels")
        if not (isinstance(self.whole_every, int) and self.whole_every >= 0):
            raise UsageError(f"whole_every = {self.whole_every}: frames are meant, 0 or more")
        if not 0 <= self.least_score <= 1:
            raise UsageError(f"least_score = {self.least_score} is outside 0..1")
        if not (isinstance(self.points, int) and 2 <= self.points <= 64):
            raise UsageError(f"points = {self.points}: 2 to 64 control points along a side are possible")
        _ = self.saliency

    @property
    def detector_size(self) -> tuple[int, int]:
        """(width, height) of what the detector sees."""
        return _size(self.size, "size")

    @property
    def even_size(self) -> tuple[int, int]:
        """(width, height) of frames that are reduced evenly."""
        return _size(self.whole_size, "whole_size") if self.whole_size else self.detector_size

    @property
    def saliency(self) -> SaliencySettings:
        """How boxes become a map."""
        return SaliencySettings(
            spread=self.spread, smallest=self.smallest, small_first=self.small_first, floor=self.floor
        )

    def is_even(self, number: int) -> bool:
        """Whether frame ``number`` of a video is reduced evenly, whatever was found before it."""
        return number % self.whole_every == 0 if self.whole_every else number == 0


def _size(text: str, name: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", str(text))
    if match is None:
        raise UsageError(f"{name} = {text}: WIDTHxHEIGHT is needed, such as 240x180")
    width, height = int(match[1]), int(match[2])
    if min(width, height) < LEAST_SIDE:
        raise UsageError(f"{name} = {text}: {LEAST_SIDE} and more are needed")
    return width, height
