"""From the detections of the frame before to what is worth looking at closely in this one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from scaleflow.efficient_nets.salisa.thin_plate_spline import places
from scaleflow.errors import UsageError


@dataclass(frozen=True)
class SaliencySettings:
    """How boxes become a map.

    Attributes:
        side: of the square map.
        spread: standard deviations of the bump around a box, in halves of its sides.
        smallest: parts of the picture's sides that boxes are taken to have at least: what moved, and boxes of a sample.
        small_first: power by which smaller boxes weigh more: 0 weighs all alike, 1 by one over the square root of their
            area.
        floor: what the rest of the picture keeps, beside a bump of 1.
    """

    side: int = 31
    spread: float = 1.0
    smallest: float = 0.06
    small_first: float = 1.0
    floor: float = 0.1

    def __post_init__(self) -> None:
        if self.side < 3:
            raise UsageError(f"side = {self.side}: a map of 3 or more is needed")
        if not (self.spread > 0 and 0 < self.smallest <= 1 and self.small_first >= 0):
            raise UsageError(
                f"spread = {self.spread}, smallest = {self.smallest}, small_first = {self.small_first}: the first is "
                "above 0, the second within 0..1, the third 0 or more"
            )
        if not self.floor > 0:
            raise UsageError(f"floor = {self.floor} must be above 0, or parts of the picture are never seen again")


def saliency_map(boxes: Tensor, scores: Tensor, size: tuple[int, int], settings: SaliencySettings) -> Tensor:
    """A smooth map (side, side) with mean 1, high where there were detections; even where there were none.

    Args:
        boxes: (D, 4), left, top, right, bottom in samples.
        scores: (D,), 0..1.
        size: (height, width) of the picture.
    """
    height, width = size
    scale = torch.tensor([width, height, width, height], dtype=torch.float32, device=boxes.device)
    corners = 2 * boxes.float() / scale - 1
    centres = (corners[:, :2] + corners[:, 2:]) / 2
    halves = ((corners[:, 2:] - corners[:, :2]) / 2).clamp_min(settings.smallest)
    grid = places(settings.side, settings.side).to(centres)[None]
    distance = (grid - centres[:, None, None]) / (settings.spread * halves[:, None, None])
    bumps = torch.exp(-distance.square().sum(-1) / 2)
    weights = scores.float() * (settings.smallest / halves.prod(1).sqrt()) ** settings.small_first
    largest = torch.cat((weights, weights.new_full((1,), 1e-6))).amax()
    total = (weights[:, None, None] * bumps).sum(0) / largest
    combined = settings.floor + total
    return combined / combined.mean()
