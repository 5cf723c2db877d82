"""Finders by name."""

from __future__ import annotations

from collections.abc import Callable

from scaleflow.errors import UsageError
from scaleflow.roi.finders.motion import MotionFinder
from scaleflow.roi.finders.region_finder import RegionFinder
from scaleflow.roi.finders.saliency import SaliencyFinder

FINDERS: dict[str, Callable[[], RegionFinder]] = {"motion": MotionFinder, "saliency": SaliencyFinder}

OF_NETWORKS = ("segmentation", "foreground", "detection", "keypoints")
"""Names of what a network finds, which whoever has one makes a finder of."""


def make_finder(name: str) -> RegionFinder:
    """The finder of that name.

    Raises:
        UsageError: there is none, or it is a network's.
    """
    if name in OF_NETWORKS:
        raise UsageError(
            f"{name!r} needs a network: name a run of scaleflow nets train as finder_network",
            fields=("finder_network",),
        )
    if name not in FINDERS:
        raise UsageError(f"{name!r} finds no regions: use {', '.join((*FINDERS, *OF_NETWORKS))}")
    return FINDERS[name]()
