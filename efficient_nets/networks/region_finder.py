"""Regions of interest that a network finds: places of some classes, or the boxes around them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label
from torch import Tensor

from scaleflow.codec.picture import Picture, VideoProperties
from scaleflow.codec.video.color import yuv_to_rgb
from scaleflow.codec.video.working_format import color_coding
from scaleflow.efficient_nets.networks.task_network import TaskNetwork
from scaleflow.efficient_nets.tasks.known_tasks import TASKS
from scaleflow.errors import UsageError

BACKGROUND = "background"

LEAST_SHARE = 2e-4
"""Of the picture: smaller spots get no box, as they are rarely objects."""


class NetworkRegionFinder:
    """What an encode asks for a mask: fits
    :class:`scaleflow.roi.finders.region_finder.RegionFinder`."""

    def __init__(self, trained: TaskNetwork, classes: Collection[str] = (), *, boxes: bool = False) -> None:
        """A network that labels places.

        Args:
            classes: that are inside. May be left out where the network knows a background: then it is all others.
            boxes: mark the boxes around what hangs together, rather than the places themselves.

        Raises:
            UsageError: the network labels no places, or does not know the classes.
        """
        known = trained.classes
        if TASKS[trained.task].gives != "labels":
            raise UsageError(
                f"a network for {trained.task} labels no places: give one for segmentation, or boxes",
                fields=("boxes",),
            )
        unknown = [name for name in classes if name not in known]
        if unknown or not (classes or BACKGROUND in known):
            problem = f"the network knows no class {unknown[0]!r}" if unknown else "say which classes matter"
            raise UsageError(f"{problem}: choose of {', '.join(known)}")
        chosen = classes or [name for name in known if name != BACKGROUND]
        self._inside = torch.tensor([name in chosen for name in known])
        self._network, self._size, self._boxes = trained.network.eval(), trained.size, boxes
        self._step = max(4, trained.architecture.size_step(trained.task))

    def find(self, picture: Picture, neighbour: Picture | None, video: VideoProperties) -> NDArray[np.float32]:
        """A mask of 0 and 1, (h, w), as fine as the network's outputs for pictures of the size of its training."""
        height, width = picture.planes[0].shape
        # As many samples as in training, in the aspect of the picture.
        factor = (self._size[0] * self._size[1] / (width * height)) ** 0.5
        step = self._step
        size = max(32, round(height * factor / step) * step), max(32, round(width * factor / step) * step)
        with torch.inference_mode():
            output = self._network(_rgb(picture, video, size)[None])[0]
        inside: NDArray[np.bool_] = self._inside[output.argmax(0)].numpy()
        return (_boxes_around(inside) if self._boxes else inside).astype(np.float32)


def _boxes_around(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Filled boxes around everything that hangs together, diagonally too."""
    numbered, _ = label(inside, np.ones((3, 3)))
    boxes = np.zeros_like(inside)
    for place in find_objects(numbered):
        rows, columns = (part.stop - part.start for part in place)
        if rows * columns >= LEAST_SHARE * inside.size:
            boxes[place] = True
    return boxes


def _rgb(picture: Picture, video: VideoProperties, size: tuple[int, int]) -> Tensor:
    """(3, *size) in 0..1."""
    planes = [_scaled(plane, size) for plane in picture.planes]
    rgb = yuv_to_rgb(planes[0], planes[1], planes[2], color_coding(video), video.bit_depth, 1)
    return torch.from_numpy(np.stack(rgb)).clamp(0, 1)


def _scaled(plane: NDArray[Any], size: tuple[int, int]) -> NDArray[np.float32]:
    samples = torch.from_numpy(plane.astype(np.float32))[None, None]
    scaled: NDArray[np.float32] = F.interpolate(samples, size=size, mode="bilinear", antialias=True)[0, 0].numpy()
    return scaled
