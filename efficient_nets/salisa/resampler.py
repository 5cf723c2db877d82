"""SALISA's resampling: a small picture in which salient places of a large one are magnified.

Bejnordi et al., "SALISA: Saliency-Based Input Sampling for Efficient Video Object Detection", ECCV 2022.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaleflow.efficient_nets.salisa.content_aware_sampling import sampling_targets
from scaleflow.efficient_nets.salisa.thin_plate_spline import ThinPlateSpline

SIDE_POINTS = 5
"""Points along each side of a box that is mapped: sides become curves, and their mean is the new side."""


@dataclass(frozen=True)
class Warped:
    """A resampled picture.

    Attributes:
        picture: (N, C, h, w).
        coefficients: (N, K + 3, 2) of its warp.
        size: (height, width) of the picture that it was made of.
        checks: how many warps were looked at for folds.
    """

    picture: Tensor
    coefficients: Tensor
    size: tuple[int, int]
    checks: int = 0


class Resampler(nn.Module):
    """Saliency to a warp, and pictures through it.

    A network moves control points away from where content-aware sampling puts them; at first it does not move them.
    The paper's network predicts all of the warp and is drawn towards that target by a loss; here the loss,
    :meth:`regularizer`, is the same, but training starts at the target, and without training the target is the warp.
    """

    def __init__(self, side: int = 16, width: int = 16) -> None:
        """``side`` control points along each side; ``width`` channels of the network."""
        super().__init__()
        self.side = side
        self.spline = ThinPlateSpline(side)
        self.network = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU()
        )
        self.last = nn.Conv2d(width, 2, 3, padding=1)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    def targets(self, saliency: Tensor) -> Tensor:
        """Places (N, K, 2) of the input for the control points, of maps (N, h, w). Borders stay borders."""
        base = sampling_targets(saliency, self.side)
        features = F.adaptive_avg_pool2d(self.network(saliency[:, None].log()), (self.side, self.side))
        change = 2 / self.side * torch.tanh(self.last(features))
        free = self.spline.points.to(base).abs() < 1 - 1e-6
        return base + change.flatten(2).transpose(1, 2) * free

    def forward(self, picture: Tensor, saliency: Tensor, size: tuple[int, int]) -> Warped:
        """Sample ``picture`` (N, C, H, W) by ``saliency`` (N, h, w) to ``size`` (height, width), free of folds."""
        coefficients, checks = self.spline.fold_free_counted(self.targets(saliency))
        return replace(self.resample(picture, coefficients, size), checks=checks)

    def resample(self, picture: Tensor, coefficients: Tensor, size: tuple[int, int]) -> Warped:
        """Through a warp that is known. Where it reduces, the picture is first blurred by as much as it does on
        average, so that what lies between the samples is not lost."""
        height, width = picture.shape[2:]
        grid = self.spline.grid(coefficients, *size)
        factor = reduction((height, width), size)
        source = F.avg_pool2d(picture, factor, ceil_mode=True, count_include_pad=False) if factor > 2 else picture
        sampled = F.grid_sample(source, grid, mode="bilinear", padding_mode="border", align_corners=False)
        return Warped(sampled, coefficients, (height, width))

    def regularizer(self, saliency: Tensor) -> Tensor:
        """Mean square distance of the control points to those of content-aware sampling: the paper's loss, without
        which that of the detector leaves warps near the identity."""
        return (self.targets(saliency) - sampling_targets(saliency, self.side)).square().mean()

    def boxes_to_source(self, boxes: Tensor, warped: Warped, item: int = 0) -> Tensor:
        """Boxes (D, 4) of the resampled picture, in its samples, to those of the source, in its."""
        size = (warped.picture.shape[2], warped.picture.shape[3])
        points = self.spline.warp(warped.coefficients[item : item + 1], _side_points(boxes, size)[None])[0]
        return _boxes_of(points, warped.size)

    def boxes_from_source(self, boxes: Tensor, warped: Warped, item: int = 0) -> Tensor:
        """The other way round, as labels for training. What is not seen lies outside."""
        points = self.spline.inverse(warped.coefficients[item : item + 1], _side_points(boxes, warped.size)[None])[0]
        return _boxes_of(points, (warped.picture.shape[2], warped.picture.shape[3]))


def reduction(source: tuple[int, int], size: tuple[int, int]) -> int:
    """Samples (height, width) of the source for one of the result, on average along a side, as a whole number."""
    return max(1, round(min(source[0] / size[0], source[1] / size[1])))


def _side_points(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """(D * 4 * n, 2): points of the left, top, right and bottom side of each box, -1 to 1 over the picture."""
    along = (torch.arange(SIDE_POINTS, device=boxes.device) + 0.5) / SIDE_POINTS
    left, top, right, bottom = boxes.float()[:, :, None].unbind(1)
    x, y = left + (right - left) * along, top + (bottom - top) * along
    one = torch.ones_like(along)
    sides = [torch.stack(pair, -1) for pair in ((left * one, y), (x, top * one), (right * one, y), (x, bottom * one))]
    scale = torch.tensor([size[1], size[0]], dtype=torch.float32, device=boxes.device)
    return (2 * torch.stack(sides, 1) / scale - 1).flatten(0, 2)


def _boxes_of(points: Tensor, size: tuple[int, int]) -> Tensor:
    scale = torch.tensor([size[1], size[0]], dtype=torch.float32, device=points.device)
    sides = ((points + 1) / 2 * scale).unflatten(0, (-1, 4, SIDE_POINTS)).mean(2)
    return torch.stack((sides[:, 0, 0], sides[:, 1, 1], sides[:, 2, 0], sides[:, 3, 1]), 1)
