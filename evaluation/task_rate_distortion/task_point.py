"""One measured point: videos, coded by a codec at a setting, and what a network finds in what was decoded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from scaleflow.errors import DataError, ScaleFlowError
from scaleflow.evaluation.networks.point import NetworkPoint, point_file
from scaleflow.evaluation.rate_distortion.codec_name import is_codec_name
from scaleflow.evaluation.rate_distortion.point import without_infinities
from scaleflow.evaluation.rate_distortion.point_file import LARGEST_RATE, LEAST_RATE
from scaleflow.json_dataclass import read_dataclass
from scaleflow.json_values import file_name, read_json
from scaleflow.output_file import write_whole_file

UNCOMPRESSED = "uncompressed"
"""Codec of the point of the pictures as they were given; it has no rate."""

TASKS_FOLDER, NETWORKS_FOLDER = "tasks", "networks"
"""Within the results folder: points of tasks, and those of networks that they name."""


@dataclass(frozen=True)
class TaskRecord:
    """What is stored beside the point of the network.

    Attributes:
        codec: as it is named in plots; :data:`UNCOMPRESSED` for none.
        description: what is fixed over its settings.
        setting: what differs between points of a curve.
        bits_per_pixel: bits of all coded files for each sample of luma; None of what was not coded.
        bitrate: kbit/s, on average over the pictures; None likewise.
        streams: hash of the coded file of each video.
        fidelity: means over the videos of what was measured on pictures, such as ``psnr-yuv``.
        part_rates: bits per pixel of each part of the network's point, see
            :attr:`scaleflow.evaluation.networks.point.NetworkPoint.parts`; empty where they are not known.
        network: name of the file of the network's point.
    """

    codec: str
    description: str
    setting: str
    bits_per_pixel: float | None
    bitrate: float | None
    streams: dict[str, str]
    fidelity: dict[str, float | None]
    part_rates: list[float]
    network: str

    @property
    def key(self) -> str:
        """Name of its file."""
        identity = (self.codec, self.setting, sorted(self.streams.items()), self.network)
        return hashlib.sha256(repr(identity).encode()).hexdigest()[:20]


@dataclass(frozen=True)
class TaskPoint:
    """A record, and what the network did."""

    record: TaskRecord
    network: NetworkPoint

    @property
    def metrics(self) -> dict[str, float | None]:
        """All that may be drawn over the rate: measures of the task, cost of the network, fidelity of the pictures."""
        point = self.network
        # what a task calls psnr is not that of the pictures, which has its samples in its name
        return {
            **self.record.fidelity,
            **point.measures,
            "gmac": point.macs / 1e9,
            "gbop": point.bops / 1e9,
            "ms": 1000 * point.seconds,
        }

    def to_json(self) -> str:
        """``null`` for what is not a finite number; the network's point has a file of its own."""
        return json.dumps(without_infinities(asdict(self.record)), indent=1, allow_nan=False)


def write_task_point(point: TaskPoint, folder: Path) -> None:
    """Into a results folder, beside the network's point, which is there."""
    path = folder / TASKS_FOLDER / f"{point.record.key}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole_file(str(path), (point.to_json() + "\n").encode(), True, follow_links=False)


def read_task_points(folder: Path) -> list[TaskPoint]:
    """All points of a results folder, by codec and rate; empty where it has none.

    Raises:
        DataError: one cannot be read.
    """
    points = [_read(path, folder) for path in sorted((folder / TASKS_FOLDER).glob("*.json"))]
    return sorted(points, key=lambda point: (point.record.codec, point.record.bits_per_pixel or 0.0))


def _read(path: Path, folder: Path) -> TaskPoint:
    try:
        if not path.is_file():
            raise DataError(f"{path}: is no file that can be read")
        record = read_dataclass(TaskRecord, read_json(path), f"{path}: point")
        name = file_name(record.network, f"{path}: network")
        if record.codec != UNCOMPRESSED and not is_codec_name(record.codec):
            raise DataError(f"{path}: codec {record.codec[:64]!r} is no name of a codec")
        _check_rates([record.bits_per_pixel, record.bitrate], record.codec != UNCOMPRESSED, path)
        _check_rates(record.part_rates, True, path)
        point = NetworkPoint.read(point_file(folder / NETWORKS_FOLDER, name))
        if record.part_rates and len(record.part_rates) != len(point.parts):
            raise DataError(f"{path}: has {len(record.part_rates)} rates for {len(point.parts)} parts")
    except ScaleFlowError as error:
        raise DataError(f"{error}: no point that scaleflow task-rd wrote; delete it") from error
    return TaskPoint(record, point)


def _check_rates(rates: Sequence[float | None], needed: bool, path: Path) -> None:
    for rate in rates:
        if (rate is None) == needed or (rate is not None and not LEAST_RATE <= rate <= LARGEST_RATE):
            raise DataError(f"{path}: rate {rate} is none of coded video, or one of what was not coded")
