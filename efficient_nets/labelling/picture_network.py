"""A network and its method on one picture after the other: what is found in each, and what that took."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from scaleflow.efficient_nets.data.window import Window
from scaleflow.efficient_nets.labelling.pictures import SeenPicture
from scaleflow.efficient_nets.labelling.resampling import detect_resampled, sampling_detector
from scaleflow.efficient_nets.methods.known_methods import DENSE
from scaleflow.efficient_nets.methods.named_method import NamedMethod
from scaleflow.efficient_nets.networks.task_network import TaskNetwork
from scaleflow.efficient_nets.salisa.detector import SalisaDetector
from scaleflow.efficient_nets.tasks.keypoints import Keypoints
from scaleflow.efficient_nets.tasks.known_tasks import TASKS, make_task
from scaleflow.efficient_nets.tasks.task import Task
from scaleflow.efficient_nets.video.cost import Cost
from scaleflow.efficient_nets.video.network import VideoNetwork
from scaleflow.errors import UsageError

CALIBRATION_FRAMES = 12
"""First frames of a video, on which methods are calibrated that have to be."""

LABEL_GIVERS = ("labels", "places")
"""What networks give that are run picture by picture; see
:class:`scaleflow.efficient_nets.tasks.description.TaskDescription`."""


@dataclass(frozen=True)
class Found:
    """What a network found in a picture.

    Attributes:
        prediction: of the task, for the picture as it is: class numbers (H, W), rows of boxes, or points (N, 2).
        scores: of the points, 0..1, where these are what was found.
        seconds: of the network alone: scaling, and what is made of its output are in no network's time.
        cost: of the network, beside the dense one.
        key: the picture was computed in full.
    """

    prediction: Tensor
    scores: Tensor | None
    seconds: float
    cost: Cost
    key: bool


class PictureNetwork(Protocol):
    """Takes the pictures of one video in their order.

    Attributes:
        calibration: first pictures that it is to be given at once, before it sees the first; 0 for none.
        wants_changes: pictures must say what changed.
    """

    calibration: int
    wants_changes: bool

    def calibrate(self, pictures: Sequence[SeenPicture]) -> None:
        """Take from the first pictures what the method has to know. Raises :class:`UsageError`: there are too few."""

    def see(self, picture: SeenPicture) -> Found:
        """The next picture. Raises :class:`UsageError` where its size does not suit the network."""


def picture_network(trained: TaskNetwork, method: NamedMethod, size: tuple[int, int]) -> PictureNetwork:
    """The network by a method.

    Args:
        size: (width, height) that pictures are brought to; methods that resample have their own.

    Raises:
        UsageError: the task gives no labels, the network was trained for another method, or the size does not suit it.
        DataError: its weights do not fit the method's settings.
    """
    gives = TASKS[trained.task].gives
    if gives not in LABEL_GIVERS:
        raise UsageError(f"the network is for {trained.task}, which gives {gives}: choose one that finds labels")
    task = make_task(trained.task, trained.task_settings)
    if method.shown_size is not None:
        trained.architecture.check_size(trained.task, method.shown_size, "size")
        return _Resampled(sampling_detector(trained, method))
    trained.architecture.check_size(trained.task, size, "size")
    return _Converted(trained, method, task, size)


class _Converted:
    """A network whose layers were made for video; implements :class:`PictureNetwork`."""

    def __init__(self, trained: TaskNetwork, method: NamedMethod, task: Task, size: tuple[int, int]) -> None:
        self._network: VideoNetwork = trained.for_video(method)
        self._method, self._task, self._size = method, task, size
        self._maps = None if method.change_maps is None else method.change_maps()
        self.wants_changes = self._maps is not None
        has_to = method.description.calibrate is not None and trained.method.name == DENSE
        self.calibration = CALIBRATION_FRAMES if has_to else 0

    def calibrate(self, pictures: Sequence[SeenPicture]) -> None:
        """See :class:`PictureNetwork`."""
        self._method.calibrate(self._network, [self._shown(picture) for picture in pictures])

    @torch.inference_mode()
    def see(self, picture: SeenPicture) -> Found:
        """See :class:`PictureNetwork`."""
        if self._maps is not None:
            changed = self._maps(picture.change)
            if changed is None:
                self._network.reset()
            else:
                self._network.change_map(changed)
        shown = self._shown(picture)
        start = time.perf_counter()
        output = self._network(shown)[0]
        seconds = time.perf_counter() - start
        prediction = self._task.prediction(output, (picture.rgb.shape[0], picture.rgb.shape[1]))
        scores = self._task.scores(output) if isinstance(self._task, Keypoints) else None
        latest = self._network.cost().latest[-1]
        return Found(prediction, scores, seconds, latest.total, latest.key)

    def _shown(self, picture: SeenPicture) -> Tensor:
        whole = Window.whole((picture.rgb.shape[0], picture.rgb.shape[1]), self._size)
        return whole.picture(picture.tensor())[None].contiguous(memory_format=torch.channels_last)


class _Resampled:
    """A detector that is shown resampled pictures; implements :class:`PictureNetwork`."""

    calibration = 0
    wants_changes = False

    def __init__(self, detector: SalisaDetector) -> None:
        """Raises :class:`UsageError` where the settings ask for labels."""
        if detector.settings.boxes == "labels":
            raise UsageError("salisa boxes=labels: a video that is labelled has none yet; use what was found")
        self._detector = detector
        self._before: Tensor | None = None
        self._count = 0

    def calibrate(self, pictures: Sequence[SeenPicture]) -> None:
        """Nothing: see :class:`PictureNetwork`."""

    @torch.inference_mode()
    def see(self, picture: SeenPicture) -> Found:
        """See :class:`PictureNetwork`."""
        even = self._before is None or self._detector.settings.is_even(self._count)
        before = None if even else self._before
        rows, cost, seconds = detect_resampled(self._detector, picture.tensor()[None], before)
        self._before = rows
        self._count += 1
        return Found(rows, None, seconds, cost, even)
