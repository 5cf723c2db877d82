"""What is noted of frames while a point is measured, and the point that it makes."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from scaleflow.efficient_nets.tasks.task import Meter, TaskMeasure
from scaleflow.efficient_nets.video.cost import Cost
from scaleflow.evaluation.networks.point import MeasuredPart, NetworkFrames, NetworkPoint, PointIdentity

PART_FRAMES = 25
"""Most frames of a part: about a second, whose frames have more in common with each other than with the rest."""


@dataclass
class PointRecord:
    """Of all frames, one after another.

    Attributes:
        found, dense_found: what both networks found, against the labels; empty unless ``labelled``.
        agreed: what the network found, against what the dense one did.
        videos, keys, seconds, dense_seconds: see :class:`scaleflow.evaluation.networks.point.NetworkFrames`.
        spent, full: costs of both.
        changes: from the frame before, of both; a pair less for each video than it has frames.
        new_meter: makes one.
        parts: (video, number of the first frame, meter, number of frames) of what has been found so far.
        singles: a meter of each frame.
    """

    found: Meter
    dense_found: Meter
    agreed: Meter
    labelled: bool
    new_meter: Callable[[], Meter]
    videos: list[str] = field(default_factory=list)
    keys: list[bool] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    dense_seconds: list[float] = field(default_factory=list)
    spent: list[Cost] = field(default_factory=list)
    full: list[Cost] = field(default_factory=list)
    changes: list[tuple[float, float]] = field(default_factory=list)
    parts: list[tuple[str, int, Meter, int]] = field(default_factory=list)
    singles: list[Meter] = field(default_factory=list)

    @classmethod
    def of(cls, task: TaskMeasure, classes: Sequence[str], labelled: bool) -> PointRecord:
        """Of no frame yet."""

        def meter() -> Meter:
            return task.meter(classes)

        return cls(meter(), meter(), meter(), labelled, meter)

    def add_found(self, video: str, still: bool, found: Tensor, target: Tensor) -> None:
        """What the network found in the next frame, against its label. Stills share parts, videos do not."""
        self.found.add(video, found, target)
        last = self.parts[-1] if self.parts else None
        if last is None or last[3] == PART_FRAMES or (last[0] != video and not still):
            last = (video, len(self.videos), self.new_meter(), 0)
            self.parts.append(last)
        last[2].add(video, found, target)
        self.parts[-1] = (*last[:3], last[3] + 1)
        single = self.new_meter()
        single.add(video, found, target)
        self.singles.append(single)

    def shorten(self, number: int, seconds: float, dense_seconds: float) -> None:
        """Take the times of a frame that has run again, where they are shorter."""
        self.seconds[number] = min(self.seconds[number], seconds)
        self.dense_seconds[number] = min(self.dense_seconds[number], dense_seconds)

    def point(self, identity: PointIdentity, measure: str) -> NetworkPoint:
        """Means over all frames."""
        spent, full = self.spent, self.full
        count = len(self.seconds)
        return NetworkPoint(
            identity=identity,
            measure=measure,
            measures=_finite(self.found.values()) if self.labelled else {},
            dense_measures=_finite(self.dense_found.values()) if self.labelled else {},
            agreement=_finite(self.agreed.values()),
            changes=self._mean_change(0),
            dense_changes=self._mean_change(1),
            macs=sum(cost.macs for cost in spent) / count,
            executed_macs=sum(cost.executed_macs for cost in spent) / count,
            bops=sum(cost.bops for cost in spent) / count,
            dense_macs=sum(cost.macs for cost in full) / count,
            dense_bops=sum(cost.bops for cost in full) / count,
            seconds=sum(self.seconds) / count,
            dense_seconds=sum(self.dense_seconds) / count,
            software={"torch": torch.__version__, "python": platform.python_version(), "machine": platform.machine()},
            frames=NetworkFrames(
                self.videos,
                self.keys,
                [cost.macs for cost in spent],
                [cost.bops for cost in spent],
                self.seconds,
                self.dense_seconds,
            ),
            parts=[
                MeasuredPart(video, first, frames, _finite(meter.values()).get(measure))
                for video, first, meter, frames in self.parts
            ],
            frame_values=[_finite(meter.values()).get(measure) for meter in self.singles],
        )

    def _mean_change(self, which: int) -> float | None:
        return sum(pair[which] for pair in self.changes) / len(self.changes) if self.changes else None


def _finite(values: dict[str, float]) -> dict[str, float | None]:
    """None for what is no finite number."""
    return {name: value if math.isfinite(value) else None for name, value in values.items()}
