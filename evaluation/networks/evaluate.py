"""All points that were asked for, into a folder: a file each, so that what was stopped goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from scaleflow.efficient_nets.labelling.picture_network import CALIBRATION_FRAMES
from scaleflow.efficient_nets.labelling.resampling import sampling_detector
from scaleflow.efficient_nets.methods.known_methods import DENSE
from scaleflow.efficient_nets.methods.named_method import NamedMethod
from scaleflow.efficient_nets.networks.task_network import TaskNetwork
from scaleflow.efficient_nets.tasks.task import TaskMeasure
from scaleflow.efficient_nets.video.network import VideoNetwork
from scaleflow.errors import DataError
from scaleflow.evaluation.networks.measure_point import measure_network, shown_frames
from scaleflow.evaluation.networks.measure_sampling import measure_sampling
from scaleflow.evaluation.networks.point import POINTS_FOLDER, NetworkPoint, PointIdentity
from scaleflow.evaluation.networks.restored_videos import RestoredVideos
from scaleflow.evaluation.networks.videos import EvaluatedData


@dataclass(frozen=True)
class NetworkSetting:
    """A method, and the size (width, height) that pictures are brought to."""

    method: NamedMethod
    size: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.method} at {self.size[0]}x{self.size[1]}"


@dataclass(frozen=True)
class NetworkPointDone:
    """Reported for each frame, and once more with the point when it is finished."""

    number: int
    total: int
    setting: NetworkSetting
    frames: int
    point: NetworkPoint | None = None
    was_there: bool = False


def evaluate_network(
    trained: TaskNetwork,
    dense: TaskNetwork,
    weights: str,
    task: TaskMeasure,
    data: EvaluatedData,
    settings: Sequence[NetworkSetting],
    folder: Path,
    threads: int,
    repeats: int = 1,
    progress: Callable[[NetworkPointDone], None] = lambda done: None,
    restored: RestoredVideos | None = None,
) -> list[NetworkPoint]:
    """Measure the points of ``folder`` that are not there yet.

    Args:
        trained: the network, perhaps trained for a method.
        dense: what it is compared with.
        weights: hash of the network's file.
        threads: that torch has been told to use.
        repeats: see :func:`scaleflow.evaluation.networks.measure_point.measure_network`.
        restored: where the pictures of ``data`` come from, if they are restored first: its cost is added to that of the
            network, and its name to the network's.

    Raises:
        UsageError: a setting does not fit the network or the pictures.
        DataError: data cannot be read, or a result not written.
    """
    for setting in settings:
        trained.architecture.check_size(trained.task, setting.size, "size")
    points = []
    for number, setting in enumerate(settings, 1):
        identity = PointIdentity(
            network=trained.architecture.text if restored is None else restored.named(trained.architecture.text),
            weights=weights if restored is None else f"{weights} {restored.restorer.weights}",
            task=task.name,
            data=data.place,
            content=data.content,
            method=setting.method.name,
            settings=str(setting.method).partition(" ")[2],
            size=setting.size,
            threads=threads,
        )

        def tell(frames: int, point: NetworkPoint | None = None, was_there: bool = False) -> None:
            progress(NetworkPointDone(number, len(settings), setting, frames, point, was_there))  # noqa: B023

        kept = NetworkPoint.kept(identity, folder)
        if kept is None:
            plain = dense.for_video(NamedMethod())
            if setting.method.description.resamples is not None:
                detector = sampling_detector(trained, setting.method)
                point = measure_sampling(identity, detector, plain, task, trained.classes, data, repeats, tell)
            else:
                network = _for_video(trained, setting, task, data)
                maps = setting.method.change_maps
                point = measure_network(identity, network, plain, task, trained.classes, data, repeats, tell, maps)
            point = point if restored is None else restored.added_to(point)
            point.keep(folder)
        else:
            point = kept
        tell(len(point.frames.seconds), point, was_there=kept is not None)
        points.append(point)
    return points


def _for_video(
    trained: TaskNetwork, setting: NetworkSetting, task: TaskMeasure, data: EvaluatedData
) -> VideoNetwork | None:
    """The network by the method, calibrated if it has to be; None where it is the dense one, which runs anyway."""
    if setting.method.name == DENSE:
        return None
    network = trained.for_video(setting.method)
    if trained.method.name == DENSE:
        frames = islice(shown_frames(task, data.videos[0], setting.size), CALIBRATION_FRAMES)
        setting.method.calibrate(network, [frame for _, frame, _ in frames])
    return network


def read_network_points(folder: Path) -> list[NetworkPoint]:
    """All points of a results folder, by network, method and cost.

    Raises:
        DataError: there are none, or one cannot be read.
    """
    points = [NetworkPoint.read(path) for path in sorted((folder / POINTS_FOLDER).glob("*.json"))]
    if not points:
        raise DataError(f"{folder} holds no points: scaleflow nets eval makes them")
    return sorted(
        points, key=lambda point: (point.identity.task, point.identity.network, point.identity.method, point.bops)
    )
