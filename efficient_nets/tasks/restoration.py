"""Restoration: pictures, or frames of videos, without the noise that was added to them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from scaleflow.efficient_nets.data.labelled_frames import LabelledData, LabelledFrame
from scaleflow.efficient_nets.data.picture_file import PICTURE_SUFFIXES
from scaleflow.efficient_nets.data.video_pictures import nothing, video_frames
from scaleflow.efficient_nets.data.window import Window
from scaleflow.efficient_nets.tasks.task import Meter
from scaleflow.errors import DataError, UsageError

CHANNELS = ("red", "green", "blue")

VIDEO_SUFFIXES = frozenset(".mp4 .m4v .mov .mkv .avi .webm .y4m .264 .h264 .265 .hevc .mpg .mpeg .ts".split())
"""Of files that are looked at."""

NOISE = 25.0
"""Standard deviation of the noise, of 255."""


class Restoration:
    """White Gaussian noise is added to pictures; the measure is the PSNR of what is made of that.

    Implements :class:`scaleflow.efficient_nets.tasks.task.PictureTask`. Pictures are brought to their size first, so
    both noise and measure are at that size. The noise is not clipped to the range of samples, as is usual where its
    deviation is to be known. Targets are (2, 3, H, W): the picture, and what is shown of it; predictions (1, 3, H, W).
    """

    name = "restoration"
    measure = "psnr"
    mirrors = True

    def __init__(self, noise: float = NOISE) -> None:
        """``noise`` is the standard deviation, of 255. Raises :class:`UsageError` where it is not within 0..255."""
        if not 0 < noise <= 255:
            raise UsageError(f"task.noise = {noise:g}: a standard deviation above 0 and up to 255 is needed")
        self._noise = noise / 255

    def open(self, folder: Path, part: str) -> LabelledData:
        """A video file; or a folder with videos and pictures, and folders of pictures, each of which is a video.

        Where the folder has ``part``, ``images`` or DAVIS's ``JPEGImages/480p``, what is in there counts.
        """
        place = folder
        for name in (part, "images", "JPEGImages/480p"):
            place = place / name if (place / name).is_dir() else place
        if place.is_file():
            frames: list[LabelledFrame] = list(video_frames(place, place.stem))
        elif place.is_dir():
            frames = _frames_in(place)
        else:
            raise UsageError(f"{folder}: there is no such folder or video")
        if not frames:
            raise DataError(f"{place}: holds no videos, pictures or folders of pictures")
        condition = f"noise of {255 * self._noise:g} added"
        return LabelledData(str(folder), CHANNELS, tuple(frames), condition=condition)

    def degraded(self, picture: Tensor, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        """See :class:`scaleflow.efficient_nets.tasks.task.PictureTask`."""
        noise = torch.from_numpy(generator.standard_normal(tuple(picture.shape), np.float32))
        shown = picture + self._noise * noise
        return shown, torch.stack((picture, shown))

    def move(self, target: Tensor, window: Window) -> Tensor:
        """Nothing: targets are made of pictures that were moved."""
        return target

    def learn(self, data: LabelledData) -> None:
        """Nothing: all samples count alike."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean absolute difference, of 255, from the picture."""
        return 255 * F.l1_loss(outputs, targets[:, 0])

    def prediction(self, output: Tensor, size: tuple[int, int]) -> Tensor:
        """(1, 3, h, w) within 0..1, at the size of the output."""
        return output.float().clamp(0, 1)[None]

    def change(self, before: Tensor, after: Tensor) -> float:
        """Mean absolute difference, of 255."""
        return 255 * float((before - after).abs().mean())

    def meter(self, classes: Sequence[str]) -> Meter:
        """PSNR over all samples in RGB, in dB, a mean over frames."""
        return _NoiseMeter()


class _NoiseMeter:
    """Implements :class:`scaleflow.efficient_nets.tasks.task.Meter`."""

    def __init__(self) -> None:
        self._restored: list[float] = []
        self._shown: list[float] = []

    def add(self, video: str, prediction: Tensor, target: Tensor) -> None:
        """See :class:`scaleflow.efficient_nets.tasks.task.Meter`."""
        self._restored.append(picture_psnr(prediction[0], target[0]))
        if len(target) > 1:
            self._shown.append(picture_psnr(target[1], target[0]))

    def values(self) -> dict[str, float]:
        """``psnr``, and, where it is known what was shown, ``noisy psnr`` of that and ``gain``, the difference."""
        values = {"psnr": float(np.mean(self._restored)) if self._restored else math.nan}
        if self._shown:
            noisy = float(np.mean(self._shown))
            values |= {"noisy psnr": noisy, "gain": values["psnr"] - noisy}
        return values


def picture_psnr(picture: Tensor, original: Tensor) -> float:
    """Over all samples of two tensors in 0..1, in dB."""
    error = float((picture - original).square().mean(dtype=torch.float64))
    return -10 * math.log10(error) if error else math.inf


def _frames_in(place: Path) -> list[LabelledFrame]:
    """Of pictures and videos right in a folder, and of pictures in its folders."""
    frames = _pictures(place)
    for path in sorted(place.iterdir()):
        if path.is_dir():
            frames += _pictures(path)
        elif path.suffix.lower() in VIDEO_SUFFIXES:
            frames += video_frames(path, path.name)
    return frames


def _pictures(folder: Path) -> list[LabelledFrame]:
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
    return [LabelledFrame(folder.name, path.name, path, nothing) for path in paths]
