"""Measures whatever finds something in pictures, frame by frame, where it is no network of ``scaleflow nets``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from scaleflow.efficient_nets.video.cost import Cost
from scaleflow.evaluation.networks.point import NetworkPoint, PointIdentity
from scaleflow.evaluation.networks.point_record import PointRecord
from scaleflow.evaluation.networks.videos import EvaluatedData


class FindingMeter(Protocol):
    """Adds up how well what was found fits."""

    def add(self, video: str, found: Any, target: Any) -> None:
        """Take in a frame of a video: what was found, and what should be."""

    def values(self) -> dict[str, float]:
        """Measures by name; NaN where nothing can be said."""


@dataclass(frozen=True)
class Finding:
    """What was found in a picture, in the form that the meter takes, and what that took."""

    found: Any
    cost: Cost
    seconds: float


def measure_finder(
    identity: PointIdentity,
    measure: str,
    new_meter: Callable[[], FindingMeter],
    data: EvaluatedData,
    find: Callable[[Tensor], Finding],
    progress: Callable[[int], None] = lambda frames: None,
) -> NetworkPoint:
    """Measure a point.

    Args:
        measure: name of the value that says how well it does; more is better.
        new_meter: makes a meter of no frames.
        data: videos with targets.
        find: is given each picture (3, H, W) in 0..1, in the order of the frames.
        progress: is given the number of frames that are done.

    Raises:
        DataError: pictures or targets cannot be read.
    """
    whole = new_meter()
    record = PointRecord(whole, whole, _NoMeter(), labelled=True, new_meter=new_meter)
    with torch.inference_mode():
        for video in data.videos:
            for picture, target in zip(video.pictures(), video.targets, strict=True):
                seen = find(picture)
                record.add_found(video.name, len(video.targets) == 1, seen.found, target())
                record.videos.append(video.name)
                record.keys.append(True)
                record.spent.append(seen.cost)
                record.full.append(seen.cost)
                record.seconds.append(seen.seconds)
                record.dense_seconds.append(seen.seconds)
                progress(len(record.seconds))
    return record.point(identity, measure)


class _NoMeter:
    """There is no other network to agree with."""

    def add(self, video: str, found: Any, target: Any) -> None:
        """Nothing."""

    def values(self) -> dict[str, float]:
        """None."""
        return {}
