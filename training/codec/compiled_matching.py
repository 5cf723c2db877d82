"""Block matching without gathering: loops over windows that numba compiles, many times as fast.

Sums are added in another order than by the codec's own way, so that of candidates that cost the same to the last digits
another may be taken; training does not mind.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scaleflow.codec.models.motion_estimation import WindowDifferences

PACKAGE = "numba"


def compiled_differences(device: torch.device) -> WindowDifferences | None:
    """What :func:`scaleflow.codec.models.motion_estimation.match_blocks` takes, or None where it cannot be had."""
    return _differences if device.type == "cpu" and find_spec(PACKAGE) is not None else None


def _differences(windows: Tensor, planes: Tensor, phase: Tensor, top: Tensor, left: Tensor) -> Tensor:
    found = torch.empty(top.shape, dtype=torch.float32)
    places = (phase.expand_as(top), top, left)
    arrays = [tensor.contiguous().numpy() for tensor in (windows, planes, *places)]
    _kernel(math.isqrt(windows.shape[-1]))(*arrays, found.numpy())
    return found


@functools.lru_cache(maxsize=8)
def _kernel(window: int) -> Callable[..., None]:
    """For windows of this side: a constant, so that the inner loops are unrolled."""
    import numba

    def sums(windows: Any, planes: Any, phase: Any, top: Any, left: Any, found: Any) -> None:
        number, rows, columns, candidates = top.shape
        for n in range(number):
            for row in range(rows):
                for column in range(columns):
                    here = windows[n, row, column, 0]
                    for candidate in range(candidates):
                        place = (n, row, column, candidate)
                        plane = planes[n, phase[place]]
                        first_row, first_column = top[place], left[place]
                        total = np.float32(0)
                        for i in range(window):
                            for j in range(window):
                                there = plane[first_row + i, first_column + j]
                                total += abs(here[i * window + j] - there)
                        found[place] = total

    compiled: Callable[..., None] = numba.njit(sums, nogil=True, fastmath={"reassoc", "contract"})
    return compiled
