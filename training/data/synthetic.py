"""Clips that are rendered from photographs: layers that move on known paths, and cover and uncover each other.

Real clips of few sources teach their sources; the motion, sharpness, noise and occlusion of rendered ones never repeat.
Everything is rendered at twice the size and reduced by area, so that pictures are sharp at the level of samples and
motion has any fraction of a sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from scaleflow.errors import UsageError
from scaleflow.training.data.clip import Clip, ClipRequest
from scaleflow.training.data.photographs import load_picture, to_clip
from scaleflow.training.data.picture_folder import PictureFolder

OVERSAMPLING = 2
"""Rendered samples for each sample of the clip, along each side."""

MOST_LAYERS = 3
BLUR_POSITIONS = 3
"""Moments of an exposure that are averaged where there is motion blur."""

LATTICE = 4
"""Random displacements along each side of free-form motion."""

STILL = 0.2
"""Share of layers that do not move."""

SPEEDS = (0.05, 14.0)
"""Slowest and fastest movement, in samples of the clip for each picture, spread evenly by their logarithm."""

LARGEST_TURN = 0.02
"""Of rotation (radians), zoom and shear for each picture; they are cubed, so that most are small."""

_Generator = np.random.Generator


@dataclass(frozen=True)
class LayerMotion:
    """How one layer moves, in rendered samples and pictures; position 0 is the middle of the clip in time.

    ``velocity`` and ``acceleration`` (2,), ``matrix`` (2, 2) what is added to the identity for each picture, ``field``
    (1, 2, L, L) free-form displacement at its strongest, which swings with ``frequency`` (radians for each picture).
    """

    velocity: Tensor
    acceleration: Tensor
    matrix: Tensor
    field: Tensor
    frequency: float

    def positions(self, moment: float, side: int) -> Tensor:
        """Where the samples of a square picture lie in the layer at a moment, (side, side, 2) from its middle."""
        line = torch.arange(side, dtype=torch.float32) - (side - 1) / 2
        here = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1)
        moved = here @ (torch.eye(2) + moment * self.matrix).T
        moved = moved + self.velocity * moment + self.acceleration * (moment * moment / 2)
        if self.field.any():
            swing = float(np.sin(self.frequency * moment))
            free = F.interpolate(self.field, size=(side, side), mode="bicubic", align_corners=True)
            moved = moved + swing * free[0].permute(1, 2, 0)
        return moved


@dataclass(frozen=True)
class Layer:
    """A photograph that moves. ``alpha`` (1, 1, A, A) says where it hides what is behind; None for the background."""

    picture: Tensor
    centre: tuple[float, float]
    zoom: float
    motion: LayerMotion
    alpha: Tensor | None

    def render(self, moment: float, side: int) -> tuple[Tensor, Tensor | None]:
        """Samples (1, 3, side, side), and how opaque each is."""
        positions = self.motion.positions(moment, side)
        height, width = self.picture.shape[2:]
        x = (positions[..., 0] * self.zoom + self.centre[0]) * (2 / width) - 1
        y = (positions[..., 1] * self.zoom + self.centre[1]) * (2 / height) - 1
        grid = torch.stack((x, y), -1)[None]
        samples = F.grid_sample(self.picture, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
        if self.alpha is None:
            return samples, None
        shape = (positions * (2 / side))[None]
        return samples, F.grid_sample(self.alpha, shape, mode="bilinear", padding_mode="zeros", align_corners=False)


class SyntheticClips(PictureFolder):
    """A :class:`scaleflow.training.data.clip.ClipSource`: each clip is rendered when it is asked for.

    A place is the photograph of the background; everything else comes from the generator.
    """

    def describe(self) -> str:
        """See :class:`scaleflow.training.data.clip.ClipSource`."""
        return f"Clips rendered from {len(self)} photographs."

    def read(self, index: int, request: ClipRequest, generator: _Generator) -> Clip:
        """See :class:`scaleflow.training.data.clip.ClipSource`."""
        if request.working_format != "yuv420":
            raise UsageError(f"{self._folder}: rendered clips are yuv420 only")
        side = request.crop * OVERSAMPLING
        layers = [self._layer(self._paths[index], side, generator, background=True)]
        for _ in range(int(generator.integers(MOST_LAYERS))):
            other = self._paths[int(generator.integers(len(self._paths)))]
            layers.append(self._layer(other, side, generator, background=False))
        exposure = float(generator.uniform(0.2, 0.9)) if generator.random() < 0.35 else 0.0
        middle = (request.frames - 1) / 2
        pictures = torch.cat([_expose(layers, t - middle, exposure, side) for t in range(request.frames)])
        return to_clip(_disturb(pictures, generator))

    def _layer(self, path: Path, side: int, generator: _Generator, *, background: bool) -> Layer:
        picture = load_picture(path)[None]
        height, width = picture.shape[2:]
        zoom = float(np.exp(generator.uniform(np.log(0.8), np.log(2.2))))
        reach = min(side * zoom, min(height, width)) / 2
        centre = (float(generator.uniform(reach, width - reach)), float(generator.uniform(reach, height - reach)))
        # only what the layer can show is made floating point
        margin = int(side * zoom)
        left, right = max(0, int(centre[0]) - margin), min(width, int(centre[0]) + margin)
        top, bottom = max(0, int(centre[1]) - margin), min(height, int(centre[1]) + margin)
        cut = picture[:, :, top:bottom, left:right].float()
        for dimension in (2, 3):
            if generator.random() < 0.5:
                cut = cut.flip(dimension)
        alpha = None if background else _shape(generator)
        return Layer(cut, (centre[0] - left, centre[1] - top), zoom, _motion(generator), alpha)


def _motion(generator: _Generator) -> LayerMotion:
    nothing = torch.zeros(2)
    if generator.random() < STILL:
        return LayerMotion(nothing, nothing, torch.zeros(2, 2), torch.zeros(1, 2, LATTICE, LATTICE), 0.0)
    speed = OVERSAMPLING * float(np.exp(generator.uniform(*np.log(SPEEDS))))
    if generator.random() < 0.15:  # pans are often along one axis, and by whole samples
        direction = float(generator.integers(4)) * np.pi / 2
        speed = OVERSAMPLING * float(np.ceil(speed / OVERSAMPLING))
    else:
        direction = float(generator.uniform(0, 2 * np.pi))
    velocity = torch.tensor([speed * np.cos(direction), speed * np.sin(direction)], dtype=torch.float32)
    acceleration = torch.from_numpy(generator.normal(size=2).astype(np.float32)) * (0.08 * speed)
    turn, zoom, *shear = LARGEST_TURN * generator.uniform(-1, 1, 4) ** 3
    matrix = torch.tensor([[zoom + shear[0], -turn], [turn + shear[1], zoom - shear[0]]], dtype=torch.float32)
    field = torch.zeros(1, 2, LATTICE, LATTICE)
    if generator.random() < 0.4:
        strength = OVERSAMPLING * float(np.exp(generator.uniform(np.log(0.3), np.log(8.0))))
        field = strength * torch.from_numpy(generator.normal(size=(1, 2, LATTICE, LATTICE)).astype(np.float32))
    return LayerMotion(velocity, acceleration, matrix, field, float(generator.uniform(0.1, 1.2)))


def _shape(generator: _Generator) -> Tensor:
    """A random outline: an ellipse, bent by smooth noise, (1, 1, 128, 128), opaque within."""
    size = 128
    line = torch.linspace(-1, 1, size)
    x, y = torch.meshgrid(line, line, indexing="xy")
    middle_x, middle_y = generator.uniform(-0.6, 0.6, 2)
    radius_x, radius_y = generator.uniform(0.12, 0.6, 2)
    power = float(generator.choice([2.0, 2.0, 6.0]))  # ellipses and rounded boxes
    distance = ((x - middle_x).abs() / radius_x) ** power + ((y - middle_y).abs() / radius_y) ** power
    noise = torch.from_numpy(generator.normal(size=(1, 1, 8, 8)).astype(np.float32))
    bent = distance + float(generator.uniform(0, 0.5)) * F.interpolate(noise, size=(size, size), mode="bicubic")
    return ((1 - bent) * float(generator.uniform(8, 40)) + 0.5).clamp(0, 1)


def _expose(layers: Sequence[Layer], moment: float, exposure: float, side: int) -> Tensor:
    """One picture of the clip, (1, 3, S, S): the mean of the moments of its exposure, reduced by area."""
    offsets = np.linspace(-0.5, 0.5, BLUR_POSITIONS) * exposure if exposure else [0.0]
    total = torch.zeros(1, 3, side // OVERSAMPLING, side // OVERSAMPLING)
    for offset in offsets:
        picture: Tensor | None = None
        for layer in layers:
            samples, alpha = layer.render(moment + float(offset), side)
            picture = samples if picture is None or alpha is None else torch.lerp(picture, samples, alpha)
        assert picture is not None
        total += F.avg_pool2d(picture, OVERSAMPLING)
    return total / len(offsets)


def _disturb(pictures: Tensor, generator: _Generator) -> Tensor:
    """Brightness that drifts, and noise of the sensor; most clips have neither."""
    if generator.random() < 0.2:
        drift = float(generator.normal()) * 1.5
        moments = torch.arange(len(pictures), dtype=torch.float32).view(-1, 1, 1, 1)
        pictures = torch.cat((pictures[:, :1] + drift * moments, pictures[:, 1:]), 1)
    if generator.random() < 0.4:
        deviation = float(np.exp(generator.uniform(np.log(0.4), np.log(4.0))))
        noise = torch.from_numpy(generator.standard_normal(pictures.shape, dtype=np.float32))
        pictures = pictures + deviation * noise
    return pictures
