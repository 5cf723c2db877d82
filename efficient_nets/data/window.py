"""Parts of pictures: scaled, cropped and mirrored, the labels as the picture."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Window:
    """A picture is scaled to ``scaled``, of which a part is taken; what lies outside is empty.

    Attributes:
        source: (height, width) of the picture.
        scaled: (height, width) that it is brought to.
        top, left: of the part, in the scaled picture; may be negative.
        size: (height, width) of the part.
        mirror: swap left and right of the part.
    """

    source: tuple[int, int]
    scaled: tuple[int, int]
    top: int
    left: int
    size: tuple[int, int]
    mirror: bool = False

    @classmethod
    def whole(cls, source: tuple[int, int], size: tuple[int, int]) -> Window:
        """All of a picture (height, width), brought to ``size`` (width, height)."""
        shown = size[1], size[0]
        return cls(source, shown, 0, 0, shown)

    def picture(self, picture: Tensor) -> Tensor:
        """Of a picture (3, H, W) in 0..1."""
        moved = picture
        if self.scaled != self.source:
            moved = F.interpolate(moved[None], size=self.scaled, mode="bilinear", antialias=True)[0].clamp(0, 1)
        return self._cut(moved, 0.5)

    def labels(self, labels: Tensor, empty: int) -> Tensor:
        """Of class numbers (H, W), none of which lies between two others."""
        moved = labels[None, None].float()
        if self.scaled != self.source:
            moved = F.interpolate(moved, size=self.scaled, mode="nearest-exact")
        return self._cut(moved[0], empty)[0].to(labels.dtype)

    def points(self, points: Tensor) -> Tensor:
        """Of points (N, 2), x and y in samples; NaN where they lie outside."""
        factors = points.new_tensor([self.scaled[1] / self.source[1], self.scaled[0] / self.source[0]])
        moved = (points + 0.5) * factors - 0.5 - points.new_tensor([self.left, self.top])
        height, width = self.size
        if self.mirror:
            moved[:, 0] = width - 1 - moved[:, 0]
        inside = (moved >= -0.5).all(1) & (moved[:, 0] <= width - 0.5) & (moved[:, 1] <= height - 0.5)
        moved[~inside] = torch.nan
        return moved

    def _cut(self, tensor: Tensor, empty: float) -> Tensor:
        height, width = self.size
        cut = tensor.new_full((*tensor.shape[:-2], height, width), empty)
        rows, into_rows = _overlap(self.top, height, self.scaled[0])
        columns, into_columns = _overlap(self.left, width, self.scaled[1])
        cut[..., into_rows, into_columns] = tensor[..., rows, columns]
        return cut.flip(-1) if self.mirror else cut


def _overlap(start: int, length: int, available: int) -> tuple[slice, slice]:
    """Where a part from ``start`` on lies in what is available, and where that lies in the part."""
    first, last = min(max(0, start), available), max(0, min(start + length, available))
    return slice(first, max(first, last)), slice(first - start, max(first, last) - start)
