"""How steady the labels of a video are where the picture itself stays the same or only moves."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from scaleflow.codec.models.motion_estimation import BLOCK, match_blocks

TOLERANCE = 5.0
"""Blocks whose samples differ by more than this on average, in code values of 8 bits, show something else."""


@dataclass(frozen=True)
class Correspondence:
    """Where each position of a picture was in the picture before.

    Attributes:
        sources: (H, W) numbers of positions there, in reading order.
        followed: (H, W), whether the picture shows the same there and here; elsewhere the source means nothing.
    """

    sources: Tensor
    followed: Tensor

    def carry(self, labels: Tensor) -> Tensor:
        """Labels (H, W) of the picture before, at the positions of this one."""
        return labels.flatten()[self.sources]


def follow_motion(luma: Tensor, previous: Tensor, tolerance: float = TOLERANCE) -> Correspondence:
    """Correspondence by the block matching of the codec's encoder, to whole samples.

    A block of 8x8 is followed where its mean absolute difference is at most ``tolerance`` and its source lies inside
    the picture: not where things appear, cover others or leave.

    Args:
        luma, previous: (H, W), code values of 8 bits (0..255), of a picture and the one before.
    """
    if luma.shape != previous.shape or luma.dim() != 2:
        raise ValueError(f"expected two planes (height, width), got {tuple(luma.shape)} and {tuple(previous.shape)}")
    height, width = luma.shape
    margin = (0, -width % (2 * BLOCK), 0, -height % (2 * BLOCK))
    planes = [F.pad(plane[None, None].float(), margin, mode="replicate") for plane in (luma, previous)]
    vectors = match_blocks(*planes).round().long()[0]
    across, down = vectors.repeat_interleave(BLOCK, 1).repeat_interleave(BLOCK, 2)
    rows, columns = down.shape
    y = torch.arange(rows, device=luma.device)[:, None] + down
    x = torch.arange(columns, device=luma.device) + across
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    sources = y.clamp(0, height - 1) * width + x.clamp(0, width - 1)
    difference = (planes[0][0, 0] - previous.float().flatten()[sources]).abs()
    same = F.avg_pool2d(difference[None], BLOCK)[0] <= tolerance
    followed = inside & same.repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1)
    return Correspondence(sources[:height, :width], followed[:height, :width])


class TemporalConsistency:
    """Agreement of labels with those of the frame before, along the motion, over all frames that were given.

    Only positions that can be followed count. The measure knows nothing of what is right: labels that never change are
    the most consistent, so it says something only beside the accuracy.
    """

    def __init__(self, classes: int) -> None:
        self._pairs = torch.zeros(classes, classes, dtype=torch.int64)
        self._positions = 0

    def update(self, labels: Tensor, previous: Tensor, correspondence: Correspondence) -> None:
        """Count one frame: its labels and those of the frame before, both (H, W), in 0..classes - 1."""
        if not labels.shape == previous.shape == correspondence.followed.shape:
            raise ValueError(
                f"labels {tuple(labels.shape)}, previous {tuple(previous.shape)} and luma "
                f"{tuple(correspondence.followed.shape)} must have one size: enlarge the labels"
            )
        classes = len(self._pairs)
        pairs = (correspondence.carry(previous) * classes + labels)[correspondence.followed]
        self._pairs += torch.bincount(pairs.flatten().cpu(), minlength=classes * classes).view(classes, classes)
        self._positions += labels.numel()

    @property
    def followed(self) -> float:
        """Share of positions that could be followed."""
        return int(self._pairs.sum()) / max(1, self._positions)

    @property
    def agreement(self) -> float:
        """Share of followed positions (0..1) that keep their label; not a number where nothing was followed."""
        total = int(self._pairs.sum())
        return int(self._pairs.diagonal().sum()) / total if total else float("nan")

    @property
    def mean_iou(self) -> float:
        """Intersection over union (0..1) of carried and current labels, the mean over classes that occur."""
        both = self._pairs.diagonal().double()
        union = self._pairs.sum(0) + self._pairs.sum(1) - both
        return float((both / union)[union > 0].mean())
