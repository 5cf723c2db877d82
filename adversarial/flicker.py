"""Flicker: what changes from picture to picture in a decoded clip but not in the original.

The difference between a picture and the one before, moved by the decoded flow, is compared with the same difference of
the original: motion that the flow misses, and noise that is in the original, do not count; detail that comes and goes
does. After Lai et al., "Learning blind video temporal consistency" (ECCV 2018), with the codec's own flow.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from scaleflow.adversarial.moved_detail import move_detail


def flicker(original: Tensor, decoded: Tensor, flows: Sequence[Tensor]) -> Tensor:
    """Mean absolute difference of changes, of each clip, (N,), in units of the packed samples.

    Args:
        original, decoded: packed clips, (N, T, 6, H / 2, W / 2).
        flows: of pictures 1 to T - 1 to the one before, each (N, 2, H / 4, W / 4) in samples of luma.
    """
    differences = []
    for number, flow in enumerate(flows, 1):
        error = decoded[:, number] - original[:, number]
        before = move_detail(decoded[:, number - 1] - original[:, number - 1], flow)
        differences.append((error - before).abs().mean((1, 2, 3)))
    if not differences:
        return decoded.new_zeros(len(decoded))
    return torch.stack(differences).mean(0)
