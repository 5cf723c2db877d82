"""Maps of a coded picture: where its bits went, what moved, and where the reference was blurred."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scaleflow.codec.decoding.analysis import analyse_stream
from scaleflow.codec.models.picture_analysis import PictureAnalysis
from scaleflow.evaluation.report.region_outlines import Rgba, draw_outline
from scaleflow.evaluation.report.stream_pictures import ChooseModel, Rgb

STEP = 4
"""Samples of luma to a sample of a map, as the flow has it."""

HEAT = ((0, 0, 4), (59, 15, 112), (140, 41, 129), (222, 73, 104), (254, 159, 109), (252, 253, 191))
"""From nothing to most, each lighter than the one before: sixths of matplotlib's magma."""


@dataclass(frozen=True)
class StreamMap:
    """A picture (height / 4, width / 4, 3) that shows one quantity.

    Attributes:
        title: the quantity.
        range: what its darkest and lightest, or most saturated, colour stand for.
        is_flow: colours are those of the wheel.
    """

    title: str
    image: Rgb
    range: str
    is_flow: bool = False


def analyse_pictures(path: Path, numbers: Sequence[int], choose_model: ChooseModel) -> dict[int, PictureAnalysis]:
    """Chosen pictures of a stream, taken apart.

    Raises:
        UsageError: the stream's model does not say where bits go.
        DataError: the stream is damaged.
    """
    found: dict[int, PictureAnalysis] = {}
    for number, picture in enumerate(analyse_stream(path, choose_model)):
        if number in numbers:
            found[number] = picture
        if len(found) == len(numbers):
            break
    return found


def draw_region(picture: PictureAnalysis) -> Rgba | None:
    """The outline (height, width, 4) of what is quantized finely, where a map says so; None where nothing is coarser.

    The border lies at half of the octaves between the finest and the coarsest cell.
    """
    widths = picture.widths
    if widths is None or widths.min() == widths.max():
        return None
    height, width = picture.planes[0].shape
    inside = 2 * widths < widths.min() + widths.max()
    return draw_outline(np.kron(inside, np.ones((picture.cell,) * 2, np.bool_))[:height, :width])


def stream_maps(pictures: dict[int, PictureAnalysis]) -> dict[int, list[StreamMap]]:
    """Maps of pictures, on one scale for all of them."""
    totals = {number: sum_of_kinds(picture) for number, picture in pictures.items()}
    most_bits = max((float(total.max()) for total in totals.values()), default=0.0)
    flows = [picture.flow for picture in pictures.values() if picture.flow is not None]
    # A few vectors at borders are far longer than all others and would leave those pale.
    most_motion = max((float(np.percentile(np.hypot(*flow), 99)) for flow in flows), default=0.0)
    scales = [picture.scale for picture in pictures.values() if picture.scale is not None]
    most_scale = max((float(scale.max()) for scale in scales), default=0.0)
    octaves = max(
        (int(picture.widths.max()) / 4 for picture in pictures.values() if picture.widths is not None), default=0
    )
    maps = {}
    for number, picture in pictures.items():
        height, width = (math.ceil(side / STEP) for side in picture.planes[0].shape)
        bits = {"all bits": totals[number]}
        if not picture.key:
            bits |= {f"bits of {kind}": bits for kind, bits in picture.bits.items() if kind in ("motion", "residual")}
        cells = f"0 to {most_bits:.0f} bits in {picture.cell}×{picture.cell} samples"
        drawn = [
            StreamMap(title, heat(np.kron(values, np.ones((picture.cell // STEP,) * 2)), most_bits), cells)
            for title, values in bits.items()
        ]
        if picture.flow is not None:
            drawn.append(
                StreamMap(
                    "motion",
                    flow_colors(picture.flow, most_motion),
                    f"strongest from {most_motion:.1f} samples on",
                    True,
                )
            )
        if picture.scale is not None:
            drawn.append(
                StreamMap(
                    "blur of the reference", heat(picture.scale, most_scale), f"level 0 (sharp) to {most_scale:.2g}"
                )
            )
        if picture.widths is not None and octaves:
            steps = np.kron(picture.widths, np.ones((picture.cell // STEP,) * 2))
            drawn.append(
                StreamMap("quantization steps", heat(steps, 4 * octaves), f"1 to {2**octaves:.3g} times as wide")
            )
        maps[number] = [StreamMap(m.title, m.image[:height, :width], m.range, m.is_flow) for m in drawn]
    return maps


def sum_of_kinds(picture: PictureAnalysis) -> NDArray[np.float32]:
    """Bits (h, w) of each cell."""
    return np.sum(list(picture.bits.values()), axis=0, dtype=np.float32)


def heat(values: NDArray[np.floating[Any]], most: float) -> Rgb:
    """Values (h, w) of 0..most as colours (h, w, 3)."""
    places = np.clip(values / most if most else values, 0, 1)
    stops = np.linspace(0, 1, len(HEAT))
    channels = [np.interp(places, stops, [color[n] for color in HEAT]) for n in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def flow_colors(flow: NDArray[np.floating[Any]], most: float) -> Rgb:
    """Vectors (2, h, w) as colours (h, w, 3): direction is the hue, length the saturation, white stands still."""
    x, y = flow
    hue = np.arctan2(y, x) / (2 * math.pi)
    length = np.clip(np.hypot(x, y) / most if most else np.zeros_like(x), 0, 1)
    # A hue's channels are cosines a third of a turn apart: no edges in it that the motion does not have.
    channels = [0.5 + 0.5 * np.cos(2 * math.pi * (hue - third)) for third in (0, 1 / 3, 2 / 3)]
    color = 1 - length[..., None] * (1 - np.stack(channels, axis=-1))
    return (255 * color).round().astype(np.uint8)


def flow_wheel(size: int = 96) -> Rgb:
    """The legend of :func:`flow_colors`, (size, size, 3): the colour of each vector from the centre, white outside."""
    places = (np.arange(size) + 0.5) / size * 2 - 1
    x, y = np.meshgrid(places, places)
    wheel = flow_colors(np.stack([x, y]), 1.0)
    wheel[np.hypot(x, y) > 1] = 255
    return wheel
