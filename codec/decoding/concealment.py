"""Pictures in place of lost ones: between the last good picture and the next, along the motion from one to the other.

Nothing of the stream is used but the two pictures, so that this holds for every model. Motion is found by the block
matching of the encoder, in both directions, once for each hole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from scaleflow.codec.encoding.scene_cut import is_other_scene
from scaleflow.codec.models.computation import standard_settings
from scaleflow.codec.models.motion_estimation import match_blocks
from scaleflow.codec.picture import Planes

LONGEST_HOLE = 256
"""Pictures; in longer holes the last good picture stays."""

_MULTIPLE = 16
"""Of the sides of pictures that are matched."""

_SMOOTHNESS = 60.0
"""Price of irregular vectors: they have to be those of things, as they are followed into pictures that nobody saw."""

_BETTER = 0.8
"""Share of the difference at rest to which motion has to come to be followed, in the surroundings of a sample."""

_SURROUNDINGS = 17
"""Side, in samples of luma, of the square around a sample in which the two are compared."""


@contextmanager
def _computation() -> Iterator[None]:
    """Around all that computes; not around what a host program sees."""
    with standard_settings(torch.device("cpu")), torch.inference_mode():
        yield


def conceal(before: Planes, after: Planes, shares: Sequence[float], bit_depth: int) -> Iterator[Planes]:
    """Pictures between two good ones.

    Where the two show other scenes, the earlier one stays.

    Args:
        before: the last good picture, luma (H, W) and two other planes of this or half its size, rounded up.
        after: the next one.
        shares: of each picture to make, how far it is from ``before`` to ``after`` in time, 0..1.
        bit_depth: of all samples.
    """
    with _computation():
        motion = _find_motion(before, after, bit_depth)
    for share in shares:
        if motion is None:
            yield before
        else:
            with _computation():
                made = _between(before, after, motion, share, bit_depth)
            yield made


@dataclass(frozen=True)
class _Motion:
    """Vectors (1, 2, H / 8, W / 8) of padded pictures, in samples of luma, x and y: what is at p + share * vector is on
    its way to p + (share - 1) * vector; of what stands in the earlier and in the later picture. ``trust``, (1, 1, H,
    W), is how far they are followed, 0..1; the rest is a dissolve at rest."""

    earlier: Tensor
    later: Tensor
    trust: Tensor

    def at(self, share: float) -> Tensor:
        """Between both."""
        return (1 - share) * self.earlier + share * self.later


def _find_motion(before: Planes, after: Planes, bit_depth: int) -> _Motion | None:
    """None between two scenes."""
    if is_other_scene(before[0], after[0], bit_depth):
        return None
    first, last = (_padded_luma(planes[0], bit_depth) for planes in (before, after))
    later = _smoothed(match_blocks(last, first, _SMOOTHNESS))
    earlier = _smoothed(-match_blocks(first, last, _SMOOTHNESS))
    halfway = 0.25 * (earlier + later)
    moved = _around((_moved(first, halfway) - _moved(last, -halfway)).abs())
    still = _around((first - last).abs())
    height, width = before[0].shape
    trust = _around((moved < _BETTER * still).float())[:, :, :height, :width]
    return _Motion(earlier, later, trust)


def _between(before: Planes, after: Planes, motion: _Motion, share: float, bit_depth: int) -> Planes:
    largest = (1 << bit_depth) - 1
    vectors = motion.at(share)
    made = []
    for first, last in zip(before, after, strict=True):
        scale = first.shape[1] / before[0].shape[1]
        moved = [
            _moved(_as_tensor(plane), vectors * (part * scale), before[0].shape)
            for plane, part in ((first, share), (last, share - 1))
        ]
        along = (1 - share) * moved[0] + share * moved[1]
        still = (1 - share) * _as_tensor(first) + share * _as_tensor(last)
        trust = F.interpolate(motion.trust, size=first.shape, mode="area")
        mixed = (trust * along + (1 - trust) * still).round().clamp(0, largest)
        made.append(mixed[0, 0].numpy().astype(first.dtype))
    return tuple(made)


def _moved(plane: Tensor, vectors: Tensor, size: tuple[int, ...] | None = None) -> Tensor:
    """A plane (1, 1, h, w) with what is at p + vector at p; ``vectors`` are those of a luma of ``size``, or of this."""
    height, width = plane.shape[2:]
    full = (height, width) if size is None else size
    rows, columns = (-(-side // _MULTIPLE) * _MULTIPLE for side in full)
    dense = F.interpolate(vectors, size=(rows, columns), mode="bilinear", align_corners=False)
    dense = dense[:, :, : full[0], : full[1]]
    if (height, width) != tuple(full):
        dense = F.interpolate(dense, size=(height, width), mode="area")
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    grid = torch.stack(((x + dense[0, 0] + 0.5) * (2 / width) - 1, (y + dense[0, 1] + 0.5) * (2 / height) - 1), -1)
    return F.grid_sample(plane, grid[None], mode="bilinear", padding_mode="border", align_corners=False)


def _smoothed(vectors: Tensor) -> Tensor:
    """The median of 3x3 blocks, which leaves out those that matched by chance."""
    padded = F.pad(vectors, (1, 1, 1, 1), mode="replicate")
    height, width = vectors.shape[2:]
    around = [padded[:, :, y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return torch.stack(around).median(0).values


def _around(values: Tensor) -> Tensor:
    """Means of the surroundings."""
    return F.avg_pool2d(values, _SURROUNDINGS, 1, _SURROUNDINGS // 2, count_include_pad=False)


def _padded_luma(plane: NDArray[np.generic], bit_depth: int) -> Tensor:
    """In code values of 8 bits, with sides that block matching takes."""
    height, width = plane.shape
    luma = _as_tensor(plane) / (1 << (bit_depth - 8))
    return F.pad(luma, (0, -width % _MULTIPLE, 0, -height % _MULTIPLE), mode="replicate")


def _as_tensor(plane: NDArray[np.generic]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(plane, np.float32))[None, None]
