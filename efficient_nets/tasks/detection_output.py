"""What the output of a detector without anchors means, and what it is taught.

Places of objects are peaks in a heatmap of each class (Zhou et al., "Objects as Points", 2019); there, four channels
say how far the sides of the box are (Tian et al., "FCOS", ICCV 2019). As in Liu et al., "Training-Time-Friendly Network
for Real-Time Object Detection" (TTFNet), AAAI 2020, heatmaps are as wide as the box in each direction, and sides are
learned all around the centre, so that few steps teach much. Where we differ: each object has the same weight whatever
its size, and distances are learned as logarithms.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import batched_nms, generalized_box_iou_loss

from scaleflow.efficient_nets.data.box_rows import known
from scaleflow.efficient_nets.tasks.task import OUTPUT_STRIDE

SIDES = 4
"""Channels behind the heatmaps: distances to the left, top, right and bottom side."""

PRIOR = -4.0
"""Added to the heatmaps' logits: odds of an object where a network knows nothing."""

UNIT = 16.0
"""Samples that a distance of e^0 stands for."""

SPREAD = 0.54 / 6
"""Standard deviation of a heatmap, in sides of the box."""

LEAST_SPREAD = 0.4
"""The same, in positions of the output, of small boxes."""

TAUGHT = 0.2
"""Height of the heatmap from which on a position learns the sides."""

SIDES_WEIGHT = 5.0
MOST_FOUND = 100
LEAST_SCORE = 0.01
OVERLAP = 0.6
"""Intersection over union from which on the weaker of two detections of a class is dropped."""


def detection_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """Focal loss of the heatmaps, and generalized intersection over union of the boxes.

    Args:
        outputs: (N, classes + 4, h, w).
        targets: rows (N, M, 6) in samples of the pictures, as in :mod:`scaleflow.efficient_nets.data.box_rows`.
    """
    classes = outputs.shape[1] - SIDES
    heat = outputs[:, :classes] + PRIOR
    losses = []
    for logits, sides, rows in zip(heat, outputs[:, classes:], targets, strict=True):
        losses.append(_picture_loss(logits, sides, known(rows)))
    return torch.stack(losses).mean()


def detections(output: Tensor) -> Tensor:
    """Rows (D, 6) of one output (classes + 4, h, w), in samples of its picture, best first; the last is the score."""
    classes = output.shape[0] - SIDES
    scores = (output[:classes].float() + PRIOR).sigmoid()
    peaks = scores * (F.max_pool2d(scores[None], 3, 1, 1)[0] == scores)
    found, where = peaks.flatten().topk(min(MOST_FOUND, peaks.numel()))
    where = where[found >= LEAST_SCORE]
    found = found[found >= LEAST_SCORE]
    kinds, place = where // output[0].numel(), where % output[0].numel()
    boxes = _boxes(output[classes:].float()).flatten(1).T[place]
    kept = batched_nms(boxes, found, kinds, OVERLAP)
    return torch.cat((boxes, kinds[:, None].float(), found[:, None]), 1)[kept]


def _picture_loss(logits: Tensor, sides: Tensor, rows: Tensor) -> Tensor:
    height, width = logits.shape[1:]
    labels = rows[rows[:, 5] > 0]
    heat = torch.zeros_like(logits)
    counted = _uncounted(rows[rows[:, 5] <= 0], (height, width))
    weights: Tensor | None = None
    if len(labels):
        bells = _bells(labels, (height, width))
        heat = torch.stack([(bells * (labels[:, 4] == kind)[:, None, None]).amax(0) for kind in range(len(logits))])
        # Where objects lie over one another, the smaller one is taught.
        areas = (labels[:, 2:4] - labels[:, :2]).prod(1)
        taught = torch.where(bells >= TAUGHT, areas[:, None, None], math.inf)
        owner = taught.argmin(0)
        own = F.one_hot(owner, len(labels)).permute(2, 0, 1) * (bells >= TAUGHT)
        weights = bells * own
        weights = weights / weights.sum((1, 2), keepdim=True).clamp(min=1e-6)
    loss = _focal(logits, heat, counted.to(logits) + (heat > 0).to(logits).amax(0)) / max(1, len(labels))
    if weights is None:
        return loss + 0 * sides.sum()
    number, line, column = (weights > 0).nonzero(as_tuple=True)
    boxes = _boxes(sides)[:, line, column].T
    overlap = generalized_box_iou_loss(boxes, labels[number, :4], reduction="none")
    return loss + SIDES_WEIGHT * (overlap * weights[number, line, column]).sum() / len(labels)


def _boxes(sides: Tensor) -> Tensor:
    """Left, top, right, bottom (4, h, w) in samples, of the logarithms of the distances to them."""
    height, width = sides.shape[1:]
    distances = UNIT * sides.clamp(-4, 5).exp()
    across = (torch.arange(width, device=sides.device) + 0.5) * OUTPUT_STRIDE
    down = (torch.arange(height, device=sides.device) + 0.5) * OUTPUT_STRIDE
    x, y = across.expand(height, -1), down[:, None].expand(-1, width)
    return torch.stack((x - distances[0], y - distances[1], x + distances[2], y + distances[3]))


def _bells(rows: Tensor, size: tuple[int, int]) -> Tensor:
    """Heatmaps (M, h, w) of boxes, 1 at the position that holds the centre."""
    centres = (rows[:, :2] + rows[:, 2:4]) / 2 / OUTPUT_STRIDE
    limits = rows.new_tensor([size[1] - 1, size[0] - 1])
    middle = centres.floor().clamp(min=0).minimum(limits)
    spread = (SPREAD * (rows[:, 2:4] - rows[:, :2]) / OUTPUT_STRIDE).clamp(min=LEAST_SPREAD)
    lines, columns = (torch.arange(side, device=rows.device) for side in size)
    across = -((columns - middle[:, :1]) ** 2) / (2 * spread[:, :1] ** 2)
    down = -((lines - middle[:, 1:]) ** 2) / (2 * spread[:, 1:] ** 2)
    bells = (down[:, :, None] + across[:, None]).exp()
    return bells * (bells > 1e-3)


def _uncounted(rows: Tensor, size: tuple[int, int]) -> Tensor:
    """Where (h, w) the heatmaps count: not within the boxes of ``rows``."""
    counted = torch.ones(size, dtype=torch.bool, device=rows.device)
    for left, top, right, bottom in (rows[:, :4] / OUTPUT_STRIDE).tolist():
        counted[max(0, math.floor(top)) : math.ceil(bottom), max(0, math.floor(left)) : math.ceil(right)] = False
    return counted


def _focal(logits: Tensor, heat: Tensor, counted: Tensor) -> Tensor:
    """Of Objects as Points, equation 1, with its exponents 2 and 4; a sum. ``counted`` (h, w), 0 leaves out."""
    missed = F.logsigmoid(logits) * (-logits).sigmoid().square()
    wrong = F.logsigmoid(-logits) * logits.sigmoid().square() * (1 - heat).pow(4)
    return -(torch.where(heat >= 1, missed, wrong) * counted.clamp(max=1)).sum()
