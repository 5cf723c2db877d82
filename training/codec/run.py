"""A training run from a configuration: model, data, loop, and what is kept beside the weights."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import torch

from scaleflow.codec.models.encoder_weights import is_of_the_encoder
from scaleflow.training.codec.clip_batches import ClipBatches
from scaleflow.training.codec.configuration import StageConfig, TrainingConfig
from scaleflow.training.codec.model_card import StageRecord, model_card
from scaleflow.training.codec.models.adversarial import AdversarialTraining
from scaleflow.training.codec.models.perceptual import PerceptualTraining
from scaleflow.training.codec.models.recurrent import RecurrentTraining
from scaleflow.training.codec.models.regions import RegionTraining
from scaleflow.training.codec.models.scaleflow import ScaleFlowTraining
from scaleflow.training.codec.models.ssf2020 import Ssf2020Training
from scaleflow.training.codec.models.task import TaskTraining
from scaleflow.training.codec.models.trainable import TrainableCodec, TrainableModel
from scaleflow.training.codec.monitor import TensorBoardMonitor
from scaleflow.training.codec.start import load_start
from scaleflow.training.codec.validation import ValidationPoint, check_clips, rate_distortion_points
from scaleflow.training.data.clip import ClipSource
from scaleflow.training.data.sources import open_source
from scaleflow.training.loop.distributed import Processes, join_processes
from scaleflow.training.loop.loop import LoopHooks, TrainingLoop, TrainingProgress
from scaleflow.training.loop.precision import with_precision
from scaleflow.training.loop.run_folder import CARD, CONFIGURATION, check_run_folder, write_text

logger = logging.getLogger(__name__)


def make_model(config: TrainingConfig) -> TrainableModel:
    """The model with the weights that it starts from.

    Raises:
        UsageError, DataError: a checkpoint to start from is not there, damaged, or of another architecture; or the
            network of a task cannot be used.
    """
    torch.manual_seed(config.seed)
    model: TrainableCodec
    if config.model.name == "perceptual" and config.adversarial is not None:
        return PerceptualTraining(config.model, config.adversarial, config.optimization)
    if config.model.name == "regions":
        return RegionTraining(config.model, config.loss, config.optimization)
    if config.model.name == "default":
        model = ScaleFlowTraining(config.model, config.loss, config.optimization)
    elif config.model.name == "recurrent":
        model = RecurrentTraining(config.model, config.loss, config.optimization)
    else:
        model = Ssf2020Training(config.model, config.loss, config.optimization)
    if config.model.start not in ("transform", "random"):
        load_start(model, config.model.start)
    if config.keeps_decoder:
        _hold_decoder(model)
    if config.adversarial is not None:
        return AdversarialTraining(model, config.model, config.adversarial, config.optimization)
    if config.task is not None:
        return TaskTraining(model, config.task, config.optimization)
    return model


def _hold_decoder(model: TrainableCodec) -> None:
    """Gradients of what no stage trains are not computed."""
    for name, parameter in model.network.named_parameters():
        parameter.requires_grad_(is_of_the_encoder(name))


def train(
    config: TrainingConfig,
    folder: Path,
    *,
    resume: bool = False,
    device: str = "auto",
    report: Callable[[TrainingProgress], None] = lambda progress: None,
    stop: Callable[[], bool] = lambda: False,
) -> bool:
    """Train in ``folder``, where checkpoints, configuration, TensorBoard files and the model card will lie.

    Returns:
        Whether all stages are done; False where ``stop`` asked to end before.

    Raises:
        UsageError: the configuration does not fit the data or the folder.
        DataError: data or checkpoints cannot be read, written, or trained on.
    """
    check_run_folder(folder, resume)
    check_clips([Path(clip) for clip in config.validation.clips])
    with join_processes(device) as processes:
        config = with_precision(config, processes.device)
        model = make_model(config)
        source = _open_in_turn(config, processes)
        batches = ClipBatches(config, source, model.working_format, processes)
        if processes.is_first:
            write_text(folder / CONFIGURATION, config.to_yaml())
        watcher = _Watcher(config, model, folder, report, processes)
        loop = TrainingLoop(config, model, batches, folder, processes, watcher.hooks)
        try:
            if resume:
                loop.resume()
            done = loop.run(stop)
        finally:
            watcher.close()
        if processes.is_first:
            write_text(folder / CARD, watcher.card(source, loop.seconds))
        return done


class _Watcher:
    """Reports and validations of the first process."""

    def __init__(
        self,
        config: TrainingConfig,
        model: TrainableModel,
        folder: Path,
        report: Callable[[TrainingProgress], None],
        processes: Processes,
    ) -> None:
        self._config, self._model, self._report = config, model, report
        self._monitor = TensorBoardMonitor(folder / "tensorboard") if processes.is_first else None
        self._points: dict[str, list[ValidationPoint]] = {}

    @property
    def hooks(self) -> LoopHooks:
        """For the loop."""
        return LoopHooks(self._reported, self._validated)

    def _reported(self, progress: TrainingProgress) -> None:
        self._report(progress)
        if self._monitor is not None:
            self._monitor.report(progress)

    def _validated(self, stage: StageConfig, step: int) -> None:
        settings = self._config.validation
        if not settings.clips:
            return
        # The intra stage can only code pictures that stand alone.
        frames = 1 if stage.trains == "intra" else settings.frames
        clips = [Path(clip) for clip in settings.clips]
        points = rate_distortion_points(self._model.freeze(), clips, frames, settings.qualities)
        self._points[stage.name] = points
        if self._monitor is not None:
            self._monitor.validated(stage, step, points)

    def card(self, source: ClipSource, seconds: dict[str, float]) -> str:
        """The model card of what has been done so far."""
        records = [
            StageRecord(stage.name, stage.steps, seconds[stage.name], tuple(self._points.get(stage.name, ())))
            for stage in self._config.stages
            if stage.name in seconds
        ]
        model, network = self._model, self._model.network
        if isinstance(model, PerceptualTraining):
            network = model.generator  # discriminators are of the training
        beside = model.codec.weights_hash if isinstance(model, PerceptualTraining | RegionTraining) else None
        parameters = sum(parameter.numel() for parameter in network.parameters())
        return model_card(self._config, source.describe(), parameters, records, codec=beside)

    def close(self) -> None:
        """End the TensorBoard files."""
        if self._monitor is not None:
            self._monitor.close()


def _open_in_turn(config: TrainingConfig, processes: Processes) -> ClipSource:
    """The first process builds the index of a folder, the others read it."""
    if not processes.is_first:
        processes.wait()
    source = open_source(config.data)
    if processes.is_first:
        processes.wait()
    return source
