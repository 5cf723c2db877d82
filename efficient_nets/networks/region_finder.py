"""Regions of interest that a network finds: places of classes, objects or points."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from scaleflow.codec.picture import Picture, VideoProperties
from scaleflow.codec.video.color import yuv_to_rgb
from scaleflow.codec.video.working_format import color_coding
from scaleflow.efficient_nets.methods.known_methods import DENSE
from scaleflow.efficient_nets.networks.region_marking import (
    UNSURE,
    MarkBoxesAround,
    MarkClasses,
    MarkDetections,
    Marking,
    MarkPoints,
)
from scaleflow.efficient_nets.networks.task_network import TaskNetwork
from scaleflow.efficient_nets.networks.weights_file import read_network, weights_of_run
from scaleflow.errors import ScaleFlowError, UsageError

BACKGROUND = "background"

THINGS = frozenset(
    (
        *("sign", "pole", "car", "pedestrian", "cyclist"),
        *("traffic light", "traffic sign", "person", "rider", "truck", "bus", "train", "motorcycle", "bicycle"),
    )
)
"""Classes of CamVid and of Cityscapes that can be counted; the others are ground, sky and surroundings."""

NETWORKS_FOR: Mapping[str, tuple[str, ...]] = {
    "segmentation": ("segmentation", "instances"),
    "foreground": ("foreground",),
    "detection": ("detection", "segmentation", "instances", "foreground"),
    "keypoints": ("keypoints",),
}
"""Tasks of networks that find regions, by what the regions are called."""


class NetworkRegionFinder:
    """What an encode asks for a mask: fits
    :class:`scaleflow.roi.finders.region_finder.RegionFinder`."""

    def __init__(self, trained: TaskNetwork, finder: str, classes: Collection[str] = (), *, unsure: float = UNSURE):
        """A network, and what of its output is inside.

        Args:
            finder: a name of :data:`NETWORKS_FOR`. ``segmentation`` and ``foreground`` mark places, ``detection`` boxes
                of objects, or the boxes around places, and ``keypoints`` discs around points.
            classes: that are inside, or points. May be left out: then all but the background, where the network knows
                one, and otherwise the :data:`THINGS` of a network that labels places, and all of others.
            unsure: of ``segmentation``: difference of the probabilities of the two likeliest classes below which a
                place is inside as well, where classes are given only if one of the two is among them. 0 for none.

        Raises:
            UsageError: the network is of another task, was trained for a method, or does not know the classes.
        """
        check_task(trained, finder)
        known = trained.classes
        if unknown := [name for name in classes if name not in known]:
            raise UsageError(f"the network knows no class {unknown[0]!r}: choose of {', '.join(known)}")
        self._mark = _marking(finder, trained, classes, unsure)
        self._network, self._size = trained.network.eval(), trained.size
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
            return self._mark(output).astype(np.float32)


def read_region_finder(finder: str, network: Path, classes: Collection[str] = ()) -> NetworkRegionFinder:
    """A finder with the network of a run.

    Args:
        finder, classes: see :class:`NetworkRegionFinder`.
        network: a run of ``scaleflow nets train``, or its weights.

    Raises:
        UsageError: there is no such run, or as :class:`NetworkRegionFinder`.
        DataError: the weights are damaged.
    """
    path = weights_of_run(network)
    trained = read_network(path)
    try:
        return NetworkRegionFinder(trained, finder, classes)
    except ScaleFlowError as error:
        raise type(error)(f"{path}: {error}", fields=error.fields) from error


def check_task(trained: TaskNetwork, finder: str) -> None:
    """Whether a network finds what is called ``finder``.

    Raises:
        UsageError: it does not; says what does.
    """
    if finder not in NETWORKS_FOR:
        raise UsageError(f"finder {finder!r} is none of {', '.join(NETWORKS_FOR)}", fields=("finder",))
    if trained.task not in NETWORKS_FOR[finder]:
        fitting = [name for name, tasks in NETWORKS_FOR.items() if trained.task in tasks]
        remedy = f"use finder {' or '.join(fitting)}" if fitting else "no region can be found with it"
        raise UsageError(
            f"the network was trained for {trained.task}, and finder {finder} takes one for "
            f"{' or '.join(NETWORKS_FOR[finder])}: {remedy}",
            fields=("finder",),
        )
    if trained.method.name != DENSE:
        raise UsageError(
            f"the network was trained for {trained.method.name}, which needs pictures in their order: give the dense "
            "network that it started from as finder_network",
            fields=("finder_network",),
        )


def _marking(finder: str, trained: TaskNetwork, classes: Collection[str], unsure: float) -> Marking:
    known = trained.classes
    if trained.task in ("detection", "keypoints"):
        inside = tuple(not classes or name in classes for name in known)
        return MarkDetections(inside) if trained.task == "detection" else MarkPoints(inside)
    chosen = classes or [name for name in known if name in THINGS]
    if not classes and BACKGROUND in known:
        chosen = [name for name in known if name != BACKGROUND]
    if not chosen:
        raise UsageError(f"say which classes matter: choose of {', '.join(known)}")
    inside = tuple(name in chosen for name in known)
    if finder == "detection":
        return MarkBoxesAround(MarkClasses(inside))
    if finder == "foreground":
        return MarkClasses(inside)
    return MarkClasses(inside, unsure, inside if classes else (True,) * len(known))


def _rgb(picture: Picture, video: VideoProperties, size: tuple[int, int]) -> Tensor:
    """(3, *size) in 0..1."""
    planes = [_scaled(plane, size) for plane in picture.planes]
    rgb = yuv_to_rgb(planes[0], planes[1], planes[2], color_coding(video), video.bit_depth, 1)
    return torch.from_numpy(np.stack(rgb)).clamp(0, 1)


def _scaled(plane: NDArray[Any], size: tuple[int, int]) -> NDArray[np.float32]:
    samples = torch.from_numpy(plane.astype(np.float32))[None, None]
    scaled: NDArray[np.float32] = F.interpolate(samples, size=size, mode="bilinear", antialias=True)[0, 0].numpy()
    return scaled
