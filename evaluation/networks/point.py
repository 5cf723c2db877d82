"""One measured point: a network, made for video by a method, on videos."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from scaleflow.efficient_nets.tasks.known_tasks import TASKS
from scaleflow.errors import DataError, ScaleFlowError
from scaleflow.evaluation.rate_distortion.point import without_infinities
from scaleflow.json_dataclass import read_dataclass
from scaleflow.json_values import read_json
from scaleflow.output_file import write_whole_file

POINTS_FOLDER = "points"
"""Within a folder of results."""

LEAST_COST = 1e-9
"""MACs, BOPs or seconds of a frame; anything that is computed takes more."""


@dataclass(frozen=True)
class PointIdentity:
    """What was measured. Two points with the same identity are the same.

    Attributes:
        network: name and widths.
        weights: SHA-256 of the file, shortened.
        task: its name.
        data: place of the data, and ``content`` its hash.
        method: name of the method.
        settings: of the method, as in ``threshold=0.1``.
        size: (width, height) that pictures were brought to.
        threads: of the networks.
    """

    network: str
    weights: str
    task: str
    data: str
    content: str
    method: str
    settings: str
    size: tuple[int, int]
    threads: int

    @property
    def key(self) -> str:
        """Name of the point's file; places do not count."""
        values = {name: value for name, value in asdict(self).items() if name != "data"}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:20]


@dataclass(frozen=True)
class NetworkFrames:
    """One value a frame, of all videos one after another.

    Attributes:
        videos: which video.
        keys: whether it was computed in full.
        macs, bops: spent.
        seconds, dense_seconds: wall time of the network, and of the dense one on the same frame.
    """

    videos: list[str]
    keys: list[bool]
    macs: list[int]
    bops: list[int]
    seconds: list[float]
    dense_seconds: list[float]


@dataclass(frozen=True)
class MeasuredPart:
    """Successive frames of a video, measured by themselves: how much a measure varies over what was measured.

    Attributes:
        video: which one; the first of several stills.
        first: number of the first frame, of all videos one after another.
        frames: how many.
        value: the task's measure; None where nothing can be said of them.
    """

    video: str
    first: int
    frames: int
    value: float | None


@dataclass(frozen=True)
class NetworkPoint:
    """A measured point.

    Attributes:
        measure: name of the task's measure; more is better.
        measures: against the labels; empty where there are none.
        dense_measures: the same of the dense network, at the same size.
        agreement: measures where what the dense network finds is taken for the labels.
        changes: share of what is found that differs from the frame before, in percent, of the network and
            (``dense_changes``) of the dense one: how restless they are. Of label maps the share of the samples, of
            points their mean movement in samples.
        macs, executed_macs, bops: a frame, on average over all; key frames and gates included.
        dense_macs, dense_bops: those of the dense network at the same size.
        seconds, dense_seconds: a frame, on average.
        software: versions, and the processor.
        parts: of labelled videos, in the order of the frames, which all belong to one; empty of others.
        frame_values: the task's measure of each frame by itself, None where nothing can be said; empty of videos
            without labels, and of networks for whole videos.
    """

    identity: PointIdentity
    measure: str
    measures: dict[str, float | None]
    dense_measures: dict[str, float | None]
    agreement: dict[str, float | None]
    changes: float | None
    dense_changes: float | None
    macs: float
    executed_macs: float
    bops: float
    dense_macs: float
    dense_bops: float
    seconds: float
    dense_seconds: float
    software: dict[str, str]
    frames: NetworkFrames
    parts: list[MeasuredPart] = field(default_factory=list)
    frame_values: list[float | None] = field(default_factory=list)

    @property
    def accuracy(self) -> float | None:
        """The task's measure; of data without labels, the agreement with the dense network."""
        return (self.measures or self.agreement).get(self.measure)

    @property
    def of_whole_videos(self) -> bool:
        """Whether costs and times are those of a video, where they are of a frame elsewhere."""
        task = self.identity.task
        return task in TASKS and TASKS[task].gives == "actions"

    def to_json(self) -> str:
        """``null`` for what is not a finite number."""
        return json.dumps(without_infinities(asdict(self)), indent=1, allow_nan=False)

    def keep(self, folder: Path) -> None:
        """Write it into a folder of results."""
        path = point_file(folder, self.identity.key)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole_file(str(path), (self.to_json() + "\n").encode(), True, follow_links=False)

    @classmethod
    def kept(cls, identity: PointIdentity, folder: Path) -> NetworkPoint | None:
        """What :meth:`keep` wrote; None where it has not. Raises as :meth:`read`."""
        path = point_file(folder, identity.key)
        return cls.read(path) if path.exists() else None

    @classmethod
    def read(cls, path: Path) -> NetworkPoint:
        """Raises :class:`DataError` naming the file."""
        try:
            if not path.is_file():
                raise DataError(f"{path}: is no file that can be read")
            point = read_dataclass(cls, read_json(path), f"{path}: point")
        except ScaleFlowError as error:
            raise DataError(f"{error}: no point that scaleflow nets eval wrote; delete it") from error
        _check(point, path)
        return point


def point_file(folder: Path, key: str) -> Path:
    """Where a folder of results has the point of an identity."""
    return folder / POINTS_FOLDER / f"{key}.json"


def _check(point: NetworkPoint, path: Path) -> None:
    """Raises :class:`DataError` where tables or plots could not be made of a point."""
    identity, frames = point.identity, point.frames
    if min(identity.size) < 1 or identity.threads < 1:
        raise DataError(f"{path}: its size or its number of threads is not at least 1; delete it")
    counts = {len(getattr(frames, item.name)) for item in fields(frames)}
    if len(counts) != 1 or 0 in counts:
        raise DataError(f"{path}: its frames have columns of different lengths, or there is none; delete it")
    if point.frame_values and len(point.frame_values) != len(frames.videos):
        raise DataError(f"{path}: has {len(point.frame_values)} values for {len(frames.videos)} frames; delete it")
    places = [(part.first, part.first + part.frames) for part in point.parts]
    if places and [0, *(end for _, end in places)] != [*(start for start, _ in places), len(frames.videos)]:
        raise DataError(f"{path}: its parts are not those of its frames; delete it")
    for name in ("macs", "bops", "seconds", "executed_macs", "dense_macs", "dense_bops", "dense_seconds"):
        if not getattr(point, name) >= (LEAST_COST if name in ("macs", "bops", "seconds") else 0):
            raise DataError(f"{path}: {name} {getattr(point, name):g} is no cost of a network; delete it")
