"""What was found, drawn over pictures to look at."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from scaleflow.efficient_nets.data.box_rows import known
from scaleflow.efficient_nets.labelling.colors import BACKGROUND, class_colors
from scaleflow.efficient_nets.labelling.picture_network import Found
from scaleflow.efficient_nets.tasks.average_precision import SURE

BLENDED = 0.5
"""Share of the class's colour in a sample."""

Draw = Callable[[NDArray[np.uint8], Found], NDArray[np.uint8]]
"""Gives a picture (H, W, 3) with what was found over it; the one that is given stays as it is."""


def drawing_of(task: str, classes: tuple[str, ...]) -> Draw:
    """What draws the labels of a task: maps blended over the picture, boxes and points with their names."""
    colors = class_colors(classes)
    if task == "detection":
        return partial(_boxes, classes=classes, colors=colors)
    if task == "keypoints":
        return partial(_points, classes=classes, colors=colors)
    return partial(_map, colors=colors, clear=BACKGROUND in classes[:1])


def _map(rgb: NDArray[np.uint8], found: Found, *, colors: NDArray[np.uint8], clear: bool) -> NDArray[np.uint8]:
    labels = found.prediction.numpy()
    blended = (1 - BLENDED) * rgb + BLENDED * colors[labels]
    drawn = blended.round().astype(np.uint8)
    return np.where(labels[..., None] == 0, rgb, drawn) if clear else drawn


def _boxes(
    rgb: NDArray[np.uint8], found: Found, *, classes: tuple[str, ...], colors: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Of what is surely found."""
    canvas, pen, width = _canvas(rgb)
    rows = known(found.prediction)
    for left, top, right, bottom, number, score in rows[rows[:, 5] >= SURE].flip(0).tolist():  # the best on top
        color = _color(colors, int(number))
        pen.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), outline=color, width=width)
        _text(pen, (left + width, top + width), f"{classes[int(number)]} {score:.2f}", color)
    return np.asarray(canvas)


def _points(
    rgb: NDArray[np.uint8], found: Found, *, classes: tuple[str, ...], colors: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    canvas, pen, width = _canvas(rgb)
    for number, (x, y) in enumerate(found.prediction.tolist()):
        radius = 1.5 * width
        color = _color(colors, number)
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color, outline=(255, 255, 255))
        _text(pen, (x + radius + 1, y - radius), classes[number], color)
    return np.asarray(canvas)


def _canvas(rgb: NDArray[np.uint8]) -> tuple[Image.Image, ImageDraw.ImageDraw, int]:
    """To draw on, and the width of lines that shows at that size."""
    canvas = Image.fromarray(np.ascontiguousarray(rgb))
    return canvas, ImageDraw.Draw(canvas), max(1, round(min(rgb.shape[:2]) / 180))


def _color(colors: NDArray[np.uint8], number: int) -> tuple[int, int, int]:
    red, green, blue = colors[number].tolist()
    return red, green, blue


def _text(pen: ImageDraw.ImageDraw, place: tuple[float, float], text: str, color: tuple[int, int, int]) -> None:
    """In white on the class's colour, or in black where that is bright."""
    pen.rectangle(pen.textbbox(place, text), fill=color)
    bright = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2] > 140
    pen.text(place, text, fill=(0, 0, 0) if bright else (255, 255, 255))
