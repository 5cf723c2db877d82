"""Random regions of interest, for models that are trained to code some places better than others."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

MaskKind = Literal["perlin", "boxes", "mixed"]

LATTICE = (2, 4, 8)
"""Random values along the shorter side, of each octave of the noise; the next has half the height."""

SHARE = (0.1, 0.6)
"""Smallest and largest part of a picture that noise marks."""

SIDE = (0.15, 0.6)
"""Smallest and largest sides of boxes, as parts of the picture's."""

MOST_BOXES = 3
SPEED = 0.03
"""Largest movement from one picture to the next, as a part of the shorter side."""


def random_masks(
    kind: MaskKind, frames: int, height: int, width: int, generator: np.random.Generator
) -> NDArray[np.uint8]:
    """Masks of 0 and 1 for successive pictures, (T, 1, H, W), that move steadily.

    ``perlin`` regions are where smooth noise is high, ``boxes`` one to three rectangles; ``mixed`` is either.
    """
    if kind == "mixed":
        kind = "perlin" if generator.random() < 0.5 else "boxes"
    margin = int(np.ceil(SPEED * min(height, width) * max(1, frames - 1)))
    canvas_size = height + 2 * margin, width + 2 * margin
    canvas = perlin_mask(*canvas_size, generator) if kind == "perlin" else box_mask(*canvas_size, generator)
    rows, columns = generator.uniform(-margin, margin, 2)
    pictures = []
    for frame in range(frames):
        part = frame / max(1, frames - 1)
        top, left = margin + round(rows * part), margin + round(columns * part)
        pictures.append(canvas[top : top + height, left : left + width])
    return np.stack(pictures)[:, None]


def perlin_mask(height: int, width: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Where smooth noise of three octaves is high, (H, W): blobs with soft outlines over a random share of the picture.

    Noise of values on a lattice, smoothly interpolated, stands for Perlin's noise of gradients.
    """
    noise = np.zeros((height, width), np.float32)
    for octave, cells in enumerate(LATTICE):
        unit = min(height, width) / cells
        lattice = generator.random((int(height / unit) + 2, int(width / unit) + 2), dtype=np.float32)
        rows, columns = _interpolation(height, unit), _interpolation(width, unit)
        noise += rows @ lattice @ columns.T / 2**octave
    share = generator.uniform(*SHARE)
    mask: NDArray[np.uint8] = (noise > np.quantile(noise, 1 - share)).astype(np.uint8)
    return mask


def _interpolation(samples: int, unit: float) -> NDArray[np.float32]:
    """What each of ``samples`` takes from values that are ``unit`` apart, (samples, values): two, without a kink."""
    position = np.arange(samples) / unit
    before = position.astype(np.intp)
    part = position - before
    share = part * part * (3 - 2 * part)
    weights = np.zeros((samples, int(samples / unit) + 2), np.float32)
    weights[np.arange(samples), before] = 1 - share
    weights[np.arange(samples), before + 1] = share
    return weights


def box_mask(height: int, width: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    """One to three rectangles, (H, W), which may overlap."""
    mask = np.zeros((height, width), np.uint8)
    for _ in range(int(generator.integers(1, MOST_BOXES + 1))):
        rows, columns = (max(1, round(side * generator.uniform(*SIDE))) for side in (height, width))
        top, left = int(generator.integers(height - rows + 1)), int(generator.integers(width - columns + 1))
        mask[top : top + rows, left : left + columns] = 1
    return mask
