"""What a network finds in chosen pictures, and what should be found, drawn over them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from scaleflow.efficient_nets.data.label_maps import VOID
from scaleflow.efficient_nets.labelling.drawing import drawing_of
from scaleflow.efficient_nets.labelling.picture_network import Found, picture_network
from scaleflow.efficient_nets.labelling.pictures import SeenPicture
from scaleflow.efficient_nets.methods.named_method import NamedMethod
from scaleflow.efficient_nets.networks.weights_file import read_network, weights_of_run
from scaleflow.efficient_nets.tasks.known_tasks import make_task
from scaleflow.efficient_nets.video.cost import Cost
from scaleflow.errors import DataError, UsageError
from scaleflow.evaluation.file_hash import file_hash
from scaleflow.evaluation.task_rate_distortion.labelled_clips import frames_of_clips
from scaleflow.evaluation.task_rate_distortion.task_point import TaskPoint

Rgb = NDArray[np.uint8]

NOWHERE = -1e4
"""Place of a point that is not seen: out of all pictures."""


class FoundPictures:
    """Draws labels over pictures (H, W, 3): those that a network finds, and those of the data."""

    def __init__(self, network: Path, labels: Path | None, points: Sequence[TaskPoint]) -> None:
        """A network that the points are of; ``labels`` is where the data lie, if they are to be drawn.

        Raises:
            UsageError: there is no such run or data, the points are of other networks, or the network's findings cannot
                be drawn.
            DataError: weights or data cannot be read.
        """
        path = weights_of_run(network)
        known = {point.network.identity.weights for point in points}
        if file_hash(path) not in known:
            raise UsageError(
                f"network {network}: none of the points was measured with it: name one that was",
                fields=("network",),
            )
        trained = read_network(path)
        self._network = picture_network(trained, NamedMethod(), trained.size)
        self._draw = drawing_of(trained.task, trained.classes)
        task = make_task(trained.task, trained.task_settings)
        self._frames = {} if labels is None else frames_of_clips(task.open(labels, "val"))

    def found_in(self, picture: Rgb) -> Rgb:
        """The picture with what the network finds in it."""
        return self._draw(picture, self._network.see(SeenPicture(picture, 0, 0)))

    def labelled(self, clip: str, number: int, picture: Rgb) -> Rgb | None:
        """The picture of a clip with what should be found in it; None where no labels were named.

        Raises:
            DataError: the data have no such clip or frame.
        """
        if not self._frames:
            return None
        frames = self._frames.get(clip, ())
        if number >= len(frames):
            raise DataError(f"the labels have no picture {number} of {clip}: they are not those that were measured")
        target = frames[number].target()
        if target.dtype == torch.uint8:
            maps = F.interpolate(target[None, None].float(), size=picture.shape[:2], mode="nearest")[0, 0].byte()
            known = (maps != VOID).numpy()[..., None]
            drawn = self._draw(picture, _as_found(torch.where(maps == VOID, 0, maps)))
            return np.where(known, drawn, picture)
        return self._draw(picture, _as_found(target.nan_to_num(NOWHERE)))


def _as_found(prediction: Tensor) -> Found:
    return Found(prediction, None, 0.0, Cost(), True)
