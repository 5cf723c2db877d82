"""Training of a detector together with what resamples its frames."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from scaleflow.efficient_nets.data.box_rows import NOTHING
from scaleflow.efficient_nets.data.labelled_frames import LabelledData
from scaleflow.efficient_nets.data.picture_file import read_picture
from scaleflow.efficient_nets.salisa.detector import SalisaDetector
from scaleflow.efficient_nets.tasks.detection_output import detections
from scaleflow.efficient_nets.tasks.task import Task
from scaleflow.training.loop.parts import ParameterGroup, StepLoss
from scaleflow.training.networks.batches import LabelledBatch
from scaleflow.training.networks.configuration import MethodConfig, NetworkStage, NetworkTrainingConfig
from scaleflow.training.networks.trainable import MethodWeights

FORGOTTEN = 0.2
"""Share of the labels that saliency is made without, as of objects that were not found."""

MISPLACED = 0.1
"""Standard deviation by which sides of these labels are moved, in sides of the box."""


class SamplingTraining:
    """Implements :class:`scaleflow.training.networks.trainable.NetworkTraining`: clips whose frames are resampled by
    labels of those before.

    The labels stand for detections: some are left out and all are moved a little. The loss is the detector's on the
    resampled frames, with labels that went through the same warp, plus ``method.weight`` times the paper's regularizer,
    which draws control points to where content-aware sampling has them.
    """

    def __init__(self, detector: SalisaDetector, task: Task, config: MethodConfig, precision: str) -> None:
        self._detector, self._task, self._config, self._precision = detector, task, config, precision
        self._method = config.named().description

    @property
    def network(self) -> nn.Module:
        """See :class:`scaleflow.training.loop.parts.Trainable`."""
        return self._detector

    def start(self, stage: NetworkStage, batches: Iterator[LabelledBatch]) -> None:
        """Nothing is measured."""

    def parameter_groups(self, stage: NetworkStage) -> list[ParameterGroup]:
        """The detector, which may learn more slowly, and the resampler."""
        own, added = ParameterGroup([], stage.backbone_rate), ParameterGroup([])
        for name, parameter in self._detector.named_parameters():
            group = added if self._method.adds(name) else own
            group.parameters.append(parameter)
            group.names.append(name)
        return [own, added]

    def step(self, batch: LabelledBatch, stage: NetworkStage) -> StepLoss:
        """See :class:`scaleflow.training.loop.parts.Trainable`. The first frame of a clip is reduced evenly in no other
        way than later ones are resampled: it only says what was there."""
        detector = self._detector
        width, height = detector.settings.detector_size
        size = batch.clips.shape[3], batch.clips.shape[4]
        frames, before, labels = (
            batch.clips[:, 1:].flatten(0, 1),
            batch.targets[:, :-1].flatten(0, 1),
            batch.targets[:, 1:].flatten(0, 1),
        )
        saliency = torch.cat([detector.saliency(_as_if_found(rows), size) for rows in before])
        warped = detector.resampler(frames, saliency, (height, width))
        with torch.no_grad():
            targets = torch.stack(
                [detector.rows_from_source(rows, warped, number) for number, rows in enumerate(labels)]
            )
        pictures = warped.picture.contiguous(memory_format=torch.channels_last)
        with torch.autocast(pictures.device.type, torch.bfloat16, enabled=self._precision == "bf16"):
            outputs: Tensor = detector.detector(pictures)
        task = self._task.loss(outputs.float(), targets)
        drawn = detector.resampler.regularizer(saliency)
        scalars = {"task": float(task.detach()), "regularizer": float(drawn.detach())}
        return StepLoss(task + self._config.weight * drawn, scalars)

    def validate(self, data: LabelledData, config: NetworkTrainingConfig) -> dict[str, float]:
        """See :class:`scaleflow.training.networks.trainable.NetworkTraining`."""
        return validate_sampling(self._detector, self._task, data, config.validation.frames)

    def finish(self) -> MethodWeights:
        """Detector and resampler."""
        return MethodWeights(tensors=self._detector.state_dict())


def validate_sampling(detector: SalisaDetector, task: Task, data: LabelledData, most: int = 0) -> dict[str, float]:
    """Measures of the task, of a detector in eval mode that sees videos frame after frame.

    Args:
        most: frames, the first; 0 for all.
    """
    meter = task.meter(data.classes)
    device = next(detector.parameters()).device
    before: Tensor | None = None
    shown: str | None = None
    with torch.inference_mode():
        for frame in data.frames[:most] if most else data.frames:
            if data.still or frame.video != shown:
                before, shown = None, frame.video
            look = detector.look(read_picture(frame.picture)[None].to(device), before)
            before = detector.rows_in_source(detections(detector.detector(look.picture)[0]), look)
            meter.add(frame.video, before.cpu(), frame.target())
    return meter.values()


def _as_if_found(rows: Tensor) -> Tensor:
    """Labels as a detector might have found them."""
    kept = torch.rand(len(rows), device=rows.device) >= FORGOTTEN
    sides = (rows[:, 2:4] - rows[:, :2]).repeat(1, 2)
    places = rows[:, :4] + MISPLACED * sides * torch.randn_like(sides)
    ordered = torch.cat((torch.minimum(places[:, :2], places[:, 2:]), torch.maximum(places[:, :2], places[:, 2:])), 1)
    found = torch.cat((ordered, rows[:, 4:]), 1)
    says = (rows[:, 4] >= 0) & kept
    return torch.where(says[:, None], found, torch.full_like(found, NOTHING))
