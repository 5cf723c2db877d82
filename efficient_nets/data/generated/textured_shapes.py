"""Shapes that are filled with a cut of a real picture, drawn into frames at places between samples."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHAPES = ("disc", "square", "triangle", "cross", "ring")
"""Told apart by their outline alone."""

FINENESS = 3
"""Places along each side of a sample at which a shape is looked at."""

TINT = 0.55
"""Share of the tint in a shape's colours; the rest is the texture."""


@dataclass(frozen=True)
class TexturedShape:
    """What is drawn.

    Attributes:
        shape: one of :data:`SHAPES`.
        texture: (side, side, 3), stretched over the shape.
        tint: (3,), mixed with the texture so that the shape stands out.
    """

    shape: str
    texture: NDArray[np.float32]
    tint: NDArray[np.float32]


def draw_shape(
    frame: NDArray[np.uint8], item: TexturedShape, centre: tuple[float, float], side: float, angle: float = 0.0
) -> tuple[NDArray[np.float32], tuple[int, int]]:
    """Draw into a frame (H, W, 3), in place.

    Args:
        centre: (x, y) in samples.
        side: of the square that holds the shape, in samples.
        angle: in radians, clockwise.

    Returns:
        What share of each sample the shape covers (h, w), and (left, top) of that part; parts may lie outside.
    """
    reach = side / 2 * (math.sqrt(2) if angle % (math.pi / 2) else 1)
    left, top = math.floor(centre[0] - reach), math.floor(centre[1] - reach)
    right, bottom = math.ceil(centre[0] + reach), math.ceil(centre[1] + reach)
    offsets = (np.arange(FINENESS) + 0.5) / FINENESS
    x = (np.arange(left, right)[:, None] + offsets).ravel() - centre[0]
    y = (np.arange(top, bottom)[:, None] + offsets).ravel() - centre[1]
    cosine, sine = math.cos(angle), math.sin(angle)
    u = (cosine * x + sine * y[:, None]) * 2 / side
    v = (cosine * y[:, None] - sine * x) * 2 / side
    inside = _inside(item.shape, u, v).astype(np.float32)
    lines, columns = bottom - top, right - left
    cover = inside.reshape(lines, FINENESS, columns, FINENESS).mean((1, 3))
    shown_rows = slice(max(0, top), min(frame.shape[0], bottom))
    shown_columns = slice(max(0, left), min(frame.shape[1], right))
    rows = slice(shown_rows.start - top, max(shown_rows.start, shown_rows.stop) - top)
    columns_of = slice(shown_columns.start - left, max(shown_columns.start, shown_columns.stop) - left)
    if rows.stop > rows.start and columns_of.stop > columns_of.start:
        middle = FINENESS // 2
        tu, tv = u[middle::FINENESS, middle::FINENESS], v[middle::FINENESS, middle::FINENESS]
        limit = len(item.texture) - 1
        across = np.clip(((tu + 1) / 2 * limit).round(), 0, limit).astype(int)[rows, columns_of]
        down = np.clip(((tv + 1) / 2 * limit).round(), 0, limit).astype(int)[rows, columns_of]
        color = (1 - TINT) * item.texture[down, across] + TINT * item.tint
        alpha = cover[rows, columns_of, None]
        place = frame[shown_rows, shown_columns]
        place[:] = (alpha * color + (1 - alpha) * place).round().clip(0, 255).astype(np.uint8)
    return cover, (left, top)


def _inside(shape: str, u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether places, -1 to 1 over the square that holds it, belong to a shape."""
    radius = np.hypot(u, v)
    square = np.maximum(np.abs(u), np.abs(v)) <= 1
    if shape == "disc":
        return radius <= 1
    if shape == "square":
        return square
    if shape == "triangle":
        return square & (np.abs(u) <= (v + 1) / 2)
    if shape == "cross":
        return square & (np.minimum(np.abs(u), np.abs(v)) <= 0.3)
    return (radius <= 1) & (radius >= 0.55)
