"""Finders by name."""

from __future__ import annotations

from collections.abc import Callable

from codec.errors import UsageError
from roi.finders.motion import MotionFinder
from roi.finders.region_finder import RegionFinder
from roi.finders.saliency import SaliencyFinder

FINDERS: dict[str, Callable[[], RegionFinder]] = {"motion": MotionFinder, "saliency": SaliencyFinder}

WITHOUT_NETWORK = ("segmentation", "detection")
"""Names of what networks will find."""


def make_finder(name: str) -> RegionFinder:
    """The finder of that name.

    Raises:
        UsageError: there is none, or its network is not installed.
    """
    if name in WITHOUT_NETWORK:
        raise UsageError(
            f"{name!r} needs a {name} network, and none is installed yet: use {' or '.join(FINDERS)}, or make "
            "the masks with a program of your own and give them with --roi"
        )
    if name not in FINDERS:
        raise UsageError(f"{name!r} finds no regions: use {' or '.join(FINDERS)}")
    return FINDERS[name]()
