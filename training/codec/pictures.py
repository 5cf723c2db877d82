"""What a training step looks like: source, prediction, reconstruction, flow and scale, as one RGB picture."""

from __future__ import annotations

import colorsys
import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from scaleflow.codec.models.scale_space import BLURRED_LEVELS
from scaleflow.codec.video.color import ColorCoding, quantize, yuv_to_rgb
from scaleflow.training.codec.models.trainable import FlowField, StepResult

CODING = ColorCoding(matrix="bt709", full_range=False)
"""What crops are shown as; they carry no tags."""


def step_picture(result: StepResult, clips: int = 2) -> NDArray[np.uint8]:
    """Rows of the first clips: source, prediction, reconstruction, flow, scale (white is the most blurred).

    Returns:
        (rows * H, columns * W, 3).
    """
    rows = []
    for number in range(min(clips, len(result.picture[0]))):
        parts = [to_rgb(planes, number) for planes in (result.picture, result.prediction, result.decoded) if planes]
        if result.motion is not None:
            height, width = parts[0].shape[:2]
            parts += [
                flow_colours(result.motion, number, height, width),
                _scale_grey(result.motion, number, height, width),
            ]
        rows.append(np.concatenate(parts, 1))
    return np.concatenate(rows, 0)


def to_rgb(planes: tuple[Tensor, ...], number: int) -> NDArray[np.uint8]:
    """One picture of a batch of planes in 0..1 (4:2:0, or RGB) as (H, W, 3)."""
    first = planes[0][number].float().cpu()
    if len(planes) == 1:
        picture: NDArray[np.uint8] = (first.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
        return picture
    chroma = F.interpolate(planes[1][number : number + 1].float().cpu(), scale_factor=2, mode="bilinear")[0]
    luma, blue, red = (plane.numpy() * np.float32(255) for plane in (first[0], chroma[0], chroma[1]))
    return np.stack([quantize(plane, 8) for plane in yuv_to_rgb(luma, blue, red, CODING, 8, 255)], -1)


def flow_colours(motion: FlowField, number: int, height: int, width: int) -> NDArray[np.uint8]:
    """Direction as hue, speed as saturation; the fastest sample is fully saturated, and at least two samples fast."""
    flow = F.interpolate(motion.flow[number : number + 1].float().cpu(), size=(height, width), mode="bilinear")[0]
    speed = flow.square().sum(0).sqrt()
    saturation = speed / max(2.0, float(speed.max()))
    sector = ((torch.atan2(flow[1], flow[0]) / (2 * math.pi) % 1) * 255).long()
    wheel = torch.tensor([colorsys.hsv_to_rgb(index / 256, 1, 1) for index in range(256)])
    colours = 1 - saturation[..., None] * (1 - wheel[sector])
    picture: NDArray[np.uint8] = (colours * 255).round().byte().numpy()
    return picture


def _scale_grey(motion: FlowField, number: int, height: int, width: int) -> NDArray[np.uint8]:
    scale = F.interpolate(motion.scale[number : number + 1].float().cpu(), size=(height, width), mode="bilinear")[0, 0]
    grey: NDArray[np.uint8] = (scale / BLURRED_LEVELS * 255).clamp(0, 255).round().byte().numpy()
    return np.repeat(grey[..., None], 3, 2)
