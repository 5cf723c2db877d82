"""A codec in training whose pictures a network will look at: that network's loss joins rate and distortion.

The network stays as it is. Without labels, its answer for the original teaches the codec which errors of a decoded
picture change it: so any video serves. As in Chamain et al., "End-to-end optimized image compression for machines, a
study" (DCC 2021), and Le et al., "Image coding for machines: an end-to-end learned approach" (ICASSP 2021); here the
encoder alone may learn, and decoders stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from scaleflow.codec.models.clip_coding import as_reference
from scaleflow.codec.models.transforms import unpack_planes
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import WorkingFormat
from scaleflow.codec.video.color_tensors import planes_to_rgb
from scaleflow.efficient_nets.network_loss.loss import NetworkLoss
from scaleflow.errors import ScaleFlowError, UsageError
from scaleflow.training.codec.configuration import OptimizationConfig, StageConfig
from scaleflow.training.codec.models.trainable import ClipBatch, StepResult, TrainableCodec
from scaleflow.training.codec.task_configuration import TaskConfig
from scaleflow.training.loop.parts import ParameterGroup


class TaskTraining:
    """Implements :class:`scaleflow.training.codec.models.trainable.TrainableModel` around any codec in training.

    The network is no part of checkpoints: whatever it was when the run began, its file has to be there to resume.
    """

    name: str
    working_format: WorkingFormat

    def __init__(self, codec: TrainableCodec, task: TaskConfig, optimization: OptimizationConfig) -> None:
        """Raises :class:`UsageError` or :class:`DataError` where the network cannot be used."""
        self.codec = codec
        self.name, self.working_format = codec.name, codec.working_format
        self._task, self._loss = task, open_network_loss(task)
        self._bf16 = optimization.precision == "bf16"

    @property
    def network(self) -> nn.Module:
        """The codec's."""
        return self.codec.network

    def start(self, stage: StageConfig, batches: Iterator[ClipBatch]) -> None:
        """As the codec starts."""
        self.codec.start(stage, batches)

    def parameter_groups(self, stage: StageConfig) -> list[ParameterGroup]:
        """Those of the codec."""
        return self.codec.parameter_groups(stage)

    def step(self, batch: ClipBatch, stage: StageConfig) -> StepResult:
        """The codec's step, with the network's loss of the pictures that it decodes."""
        result = self.codec.step(batch, stage)
        clip = result.clip
        assert clip is not None
        chosen = self._chosen(len(clip.decoded))
        original = torch.cat([shown_rgb(clip.pictures[number]) for number in chosen])
        decoded = torch.cat([shown_rgb(clip.decoded[number]) for number in chosen])
        labels = None if batch.mask is None else torch.cat([batch.mask[:, number, 0] for number in chosen])
        with torch.autocast(decoded.device.type, torch.bfloat16, enabled=self._bf16):
            distances = self._loss(original, decoded, labels).float()
        quality = torch.cat([clip.qualities[number] for number in chosen])
        loss = result.loss + self.codec.error_cost(self._task.weight * distances, quality)
        scalars = result.scalars | {"network loss": float(distances.detach().mean())}
        return replace(result, loss=loss, scalars=scalars)

    def freeze(self) -> VideoModel:
        """See :class:`scaleflow.training.codec.models.trainable.TrainableModel`."""
        return self.codec.freeze()

    def _chosen(self, pictures: int) -> Sequence[int]:
        """Numbers of the pictures that the network sees; all where nothing is learned."""
        most = self._task.pictures
        if not (most and self.network.training):
            return range(pictures)
        return sorted(torch.randperm(pictures)[:most].tolist())


def open_network_loss(task: TaskConfig) -> NetworkLoss:
    """The loss of the network that a configuration names.

    Raises:
        UsageError: there is none, it is for another task, or cannot be compared in this way.
        DataError: its file is damaged, or holds something else.
    """
    if not task.network:
        raise UsageError(
            "task.network is empty: name a run of scaleflow nets train, or its weights, as in task.network=runs/seg"
        )
    try:
        return NetworkLoss(Path(task.network), task.distance, task.scale, task.name)
    except ScaleFlowError as error:
        raise type(error)(f"task.network: {error}") from error


def shown_rgb(packed: Tensor) -> Tensor:
    """Packed pictures (N, 6, H / 2, W / 2) as a network is shown the decoded video: R'G'B' (N, 3, H, W) in 0..1.

    Samples are those of 8 bits, in BT.709, as crops carry no tags; gradients pass the rounding.
    """
    luma, chroma = unpack_planes(as_reference(packed.float()))
    return planes_to_rgb(luma[:, None], chroma[:, None])[:, 0]
