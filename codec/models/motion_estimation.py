"""Block matching: motion vectors found by search at the encoder.

A network alone does not find motion in a short training, so the motion encoder of the default model is given vectors
that a classical hierarchical search found: full search on an eighth of the size, then refinement of a few candidates
(the block's own vector, those of its neighbours, no motion) at a quarter, half and full size, then half- and
quarter-sample steps. The decoder never repeats this search: it only ever sees the coded vectors.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from scaleflow.codec.models.quality import quantization_step

BLOCK = 8
"""Side of a block in luma samples: there is one vector for each."""

SEARCH_RANGE = 8
"""Full search covers this many samples in each direction at an eighth of the size: 64 samples of the picture."""

_NEIGHBOURS = ((0, 1), (0, -1), (1, 0), (-1, 0))
_AROUND = tuple((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1))

LARGEST_PRICE = 90.0
"""Vectors more regular than this price makes them predict too badly, at any rate."""


WindowDifferences = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]
"""Sums of absolute differences of windows and of what is found at places in planes, (N, rows, columns, candidates).

Arguments: windows (N, rows, columns, 1, W * W) and planes (N, P, H, W), float32; and of each candidate, (N, rows,
columns, candidates), the plane, and the row and column of the upper left sample."""


def match_blocks(
    current: Tensor,
    reference: Tensor,
    smoothness: float | Tensor = 4.0,
    *,
    differences: WindowDifferences | None = None,
) -> Tensor:
    """Find where each 8x8 block of ``current`` lies in ``reference``.

    Args:
        current: luma, shape (N, 1, H, W), code values of 8 bits (0..255), H and W multiples of 16.
        reference: luma of the picture to search in, same shape and range.
        smoothness: price of a vector that differs by one sample from the mean of its neighbours, as a sum of absolute
            differences over the 64 samples of a block; a tensor (N, 1, H / 8, W / 8) prices each block's.
        differences: a faster way to compute what most of the time goes to.

    Returns:
        Vectors of shape (N, 2, H / 8, W / 8) in luma samples, (x, y), a multiple of a quarter: block content at
        position p of ``current`` resembles ``reference`` at p + vector.
    """
    if current.shape != reference.shape or current.shape[1] != 1:
        raise ValueError(f"expected two luma pictures of shape (N, 1, H, W), got {current.shape} and {reference.shape}")
    if current.shape[2] % 16 or current.shape[3] % 16:
        raise ValueError(f"height and width must be multiples of 16, got {tuple(current.shape[2:])}")
    pyramid = [(current.float(), reference.float())]
    for _ in range(3):
        pyramid.append((F.avg_pool2d(pyramid[-1][0], 2), F.avg_pool2d(pyramid[-1][1], 2)))
    found = differences or _gathered_differences
    vectors = _full_search(*pyramid[3]) * 2
    for level, window in ((2, 6), (1, 6), (0, 8)):
        cost = _WindowCost(*pyramid[level], found, block=BLOCK >> level, window=window, price=smoothness / 4**level)
        offsets = torch.zeros_like(vectors)
        candidates = [offsets, -vectors, *(_neighbour(vectors, *shift) - vectors for shift in _NEIGHBOURS)]
        vectors = cost.choose(vectors, candidates)
        vectors = cost.choose(vectors, [_constant(vectors, *step) for step in _AROUND])
        vectors = vectors * 2 if level else vectors
    subsample = _WindowCost(*pyramid[0], found, block=BLOCK, window=8, price=smoothness, phases=4)
    quarter = subsample.choose(vectors * 4, [_constant(vectors, 2 * dy, 2 * dx) for dy, dx in _AROUND])
    quarter = subsample.choose(quarter, [_constant(vectors, dy, dx) for dy, dx in _AROUND])
    quarter = subsample.choose(quarter, [_neighbour(quarter, *shift) - quarter for shift in ((0, 0), *_NEIGHBOURS)])
    return quarter.float() / 4


def vector_smoothness(quality: float) -> float:
    """Price of irregular vectors at a quality 0..63: about what their bits are worth at that quantization step.

    A bit is worth sqrt(0.13) steps of absolute difference in one sample (the slope at which the codec is trained); that
    a sample of irregularity costs six bits was found by trial: on foreman it needs 3.5 % less rate than two bits.
    """
    return min(2.2 * float(quantization_step(torch.tensor(quality))), LARGEST_PRICE)


def _constant(like: Tensor, dy: int, dx: int) -> Tensor:
    """A step that is the same for all blocks, shaped like the vectors."""
    return torch.tensor([dx, dy], dtype=like.dtype, device=like.device).view(1, 2, 1, 1).expand_as(like)


def _neighbour(vectors: Tensor, dy: int, dx: int) -> Tensor:
    """The vectors of the blocks ``dy`` below and ``dx`` to the right; at the border, of the border block itself."""
    padded = F.pad(vectors.float(), (1, 1, 1, 1), mode="replicate").to(vectors.dtype)
    height, width = vectors.shape[2:]
    return padded[:, :, 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]


def _full_search(current: Tensor, reference: Tensor) -> Tensor:
    """Vectors (N, 2, h, w) in samples of these small pictures, one per sample, from a 5x5 window around each."""
    side = 2 * SEARCH_RANGE + 1
    height, width = current.shape[2:]
    padded = F.pad(reference, (SEARCH_RANGE,) * 4, mode="replicate")
    shifted = F.unfold(padded, (height, width)).view(current.shape[0], height, width, side * side).permute(0, 3, 1, 2)
    difference = (current - shifted).abs()
    cost = F.avg_pool2d(difference, 5, stride=1, padding=2, count_include_pad=False)
    steps = torch.arange(side, device=current.device) - SEARCH_RANGE
    length = (steps.abs()[:, None] + steps.abs()[None, :]).flatten().float()
    best = (cost + 0.02 * length.view(1, -1, 1, 1)).argmin(1)
    return torch.stack((best % side - SEARCH_RANGE, best // side - SEARCH_RANGE), 1)


class _WindowCost:
    """Sum of absolute differences of a square window around each block, for vectors that differ from block to block."""

    def __init__(
        self,
        current: Tensor,
        reference: Tensor,
        differences: WindowDifferences,
        *,
        block: int,
        window: int,
        price: float | Tensor,
        phases: int = 1,
    ) -> None:
        height, width = current.shape[2:]
        self.phases, self.differences = phases, differences
        self.price = price * (window * window / (block * block) / phases)
        self.window = window
        margin = (window - block) // 2
        padded = F.pad(current, (margin,) * 4, mode="replicate")
        self.windows = _windows(padded[:, 0], window, block).flatten(-2)[..., None, :]
        # beyond one window outside the picture nothing changes, so there positions are clamped
        self.planes = F.pad(_sample_phases(reference, phases), (window,) * 4, mode="replicate")
        self.limits = (height + window, width + window)
        rows, columns = height // block, width // block
        self.top = torch.arange(rows, device=current.device).view(1, -1, 1, 1) * block + (window - margin)
        self.left = torch.arange(columns, device=current.device).view(1, 1, -1, 1) * block + (window - margin)

    def choose(self, vectors: Tensor, steps: list[Tensor]) -> Tensor:
        """The cheapest of ``vectors + step`` for each block, in units of 1 / phases sample."""
        around = F.avg_pool2d(
            F.pad(vectors.float(), (1, 1, 1, 1), mode="replicate"), 3, stride=1
        )  # the field as it was before this round of choices
        candidates = torch.stack([vectors + step for step in steps], 1)
        cost = self._difference(candidates) + self.price * (candidates - around[:, None]).abs().sum(2)
        best = cost.argmin(1, keepdim=True)[:, :, None].expand(-1, -1, 2, -1, -1)
        return candidates.gather(1, best)[:, 0]

    def _difference(self, candidates: Tensor) -> Tensor:
        x, y = candidates.permute(2, 0, 3, 4, 1)  # (N, rows, columns, candidates)
        whole_x, whole_y, phase = x, y, torch.zeros_like(x)
        if self.phases > 1:
            whole_x = torch.div(x, self.phases, rounding_mode="floor")
            whole_y = torch.div(y, self.phases, rounding_mode="floor")
            phase = (y - whole_y * self.phases) * self.phases + (x - whole_x * self.phases)
        top = (self.top + whole_y).clamp_(0, self.limits[0])
        left = (self.left + whole_x).clamp_(0, self.limits[1])
        return self.differences(self.windows, self.planes, phase, top, left).permute(0, 3, 1, 2)


def _gathered_differences(windows: Tensor, planes: Tensor, phase: Tensor, top: Tensor, left: Tensor) -> Tensor:
    """See :data:`WindowDifferences`; gathers all windows that are compared."""
    number = torch.arange(len(planes), device=planes.device).view(-1, 1, 1, 1)
    found = _windows(planes, math.isqrt(windows.shape[-1]), 1)[number, phase, top, left]
    return torch.cdist(windows, found.flatten(-2), p=1)[..., 0, :]


def _windows(planes: Tensor, window: int, stride: int) -> Tensor:
    """Overlapping views: (..., H, W) to (..., rows, columns, window, window)."""
    return planes.unfold(-2, window, stride).unfold(-2, window, stride)


def _sample_phases(reference: Tensor, phases: int) -> Tensor:
    """The reference shifted by every multiple of 1 / phases sample: (N, phases * phases, H, W), cubic convolution.

    The kernel (Keys, a = -0.75) is the one with which the codec samples the sharp level of its prediction.
    """
    if phases == 1:
        return reference
    height, width = reference.shape[2:]
    padded = F.pad(reference, (1, 2, 1, 2), mode="replicate")
    columns = [padded[..., i : i + width] for i in range(4)]
    shifted_x = torch.cat([_weighted(columns, i / phases) for i in range(phases)], 1)
    rows = [shifted_x[:, :, j : j + height] for j in range(4)]
    return torch.cat([_weighted(rows, j / phases) for j in range(phases)], 1)


def _weighted(neighbours: list[Tensor], fraction: float) -> Tensor:
    """Between the second and the third of four neighbouring samples."""
    if fraction == 0:
        return neighbours[1]
    weights = (_keys(1 + fraction), _keys(fraction), _keys(1 - fraction), _keys(2 - fraction))
    total = neighbours[0] * weights[0]
    for neighbour, weight in zip(neighbours[1:], weights[1:], strict=True):
        total.add_(neighbour, alpha=weight)
    return total


def _keys(distance: float, a: float = -0.75) -> float:
    """Cubic convolution kernel (Keys, 1981) at a distance in samples."""
    if distance <= 1:
        return (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    return a * distance**3 - 5 * a * distance**2 + 8 * a * distance - 4 * a
