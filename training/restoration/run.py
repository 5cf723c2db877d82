"""Runs from configurations: a restoration diffusion model, and then the adaptor that clocks it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.models.weights_hash import hash_tensors
from scaleflow.efficient_nets.clockwork.adaptor import AdaptorShape, ResidualAdaptor
from scaleflow.efficient_nets.clockwork.network import ClockworkUNet
from scaleflow.efficient_nets.clockwork.split import UNetSplit
from scaleflow.efficient_nets.clockwork.weights_file import (
    ADAPTOR_FOLDER,
    ADAPTOR_WEIGHTS,
    TrainedAdaptor,
    write_adaptor,
)
from scaleflow.efficient_nets.diffusion.restoration import RestorationDiffusion
from scaleflow.efficient_nets.diffusion.weights_file import (
    RUN_WEIGHTS,
    TrainedRestoration,
    read_restoration,
    weights_of_run,
    write_restoration,
)
from scaleflow.errors import UsageError
from scaleflow.training.loop.distributed import join_processes
from scaleflow.training.loop.loop import LAST_CHECKPOINT
from scaleflow.training.loop.precision import with_precision
from scaleflow.training.loop.run_folder import CARD, CONFIGURATION, check_run_folder, write_text
from scaleflow.training.loop.single_stage import SingleStage
from scaleflow.training.loop.single_stage_loop import RunOptions, run_single_stage
from scaleflow.training.restoration.batches import PairBatch, PairBatches
from scaleflow.training.restoration.configuration import DiffusionTrainingConfig, DistillationConfig
from scaleflow.training.restoration.model_card import adaptor_card, restoration_card
from scaleflow.training.restoration.pairs import open_pairs, read_pairs
from scaleflow.training.restoration.trainable import AdaptorDistillation, DiffusionTraining

logger = logging.getLogger(__name__)

VALIDATION_SEED = 12


def train_restoration(
    config: DiffusionTrainingConfig,
    folder: Path,
    load_codec: Callable[[], VideoModel],
    options: RunOptions[SingleStage] | None = None,
    *,
    coded: Callable[[int, int], None] = lambda done, total: None,
) -> bool:
    """Train in ``folder``, where pairs, checkpoint, configuration, weights and the model card will lie.

    Args:
        load_codec: gives the codec that makes the pairs; is called where they are not there yet.
        options: measures are the loss on held-out pairs.
        coded: is told how many clips of how many have been coded.

    Returns:
        Whether all steps are done; False where ``options.stop`` asked to end before.

    Raises:
        UsageError: the configuration does not fit the data or the folder.
        DataError: data or checkpoints cannot be read, written, or trained on.
    """
    options = options or RunOptions()
    check_run_folder(folder, options.resume)
    if not config.data.path:
        raise UsageError("data.path is empty: name the folder of videos")
    with join_processes(options.device) as processes:
        config = with_precision(config, processes.device)
        pairs = open_pairs(config.data, config.seed, folder, load_codec, coded, options.stop)
        if pairs is None:
            # Whoever resumes needs it, and there is no checkpoint yet.
            if processes.is_first:
                write_text(folder / CONFIGURATION, config.to_yaml())
            return False
        training, held_out = pairs.split(config.data.held_out * config.data.frames)
        torch.manual_seed(config.seed)
        model = RestorationDiffusion(config.network, config.noise)
        trainable = DiffusionTraining(model, config.optimization.precision)
        batches = PairBatches(training, config.data.crop, config.seed, config.training, processes)
        unseen = PairBatches(held_out, config.data.crop, config.seed, config.training, processes).whole()
        begun = options.resume and (folder / LAST_CHECKPOINT).exists()
        measured = partial(_validate, trainable, unseen)
        finished = run_single_stage(
            config, trainable, batches, folder, processes, measured, replace(options, resume=begun)
        )
        if finished is not None and processes.is_first:
            trained = TrainedRestoration(model, config.data.quality, config.data.crop)
            write_restoration(folder / RUN_WEIGHTS, trained)
            card = restoration_card(config, model, len(pairs), finished.seconds, finished.measures)
            write_text(folder / CARD, card)
        return finished is not None


def distill_adaptor(config: DistillationConfig, run: Path, options: RunOptions[SingleStage] | None = None) -> bool:
    """Teach an adaptor, in the folder ``adaptor`` of a run that has been trained; nothing is measured beside.

    Returns:
        Whether all steps are done; False where ``options.stop`` asked to end before.

    Raises:
        UsageError: the run is not there or not done, or the configuration does not fit it.
        DataError: weights, pairs or checkpoints cannot be read or written.
    """
    options = options or RunOptions()
    folder = run / ADAPTOR_FOLDER
    check_run_folder(folder, options.resume)
    teacher = read_restoration(weights_of_run(run))
    identity = hash_tensors(teacher.model.state_dict())
    pairs = read_pairs(run)
    with join_processes(options.device) as processes:
        config = with_precision(config, processes.device)
        model = teacher.model.to(processes.device)
        split = UNetSplit(model.unet, config.sampling.cut)
        crop = config.sampling.crop or teacher.crop
        if crop % model.unet.config.multiple:
            raise UsageError(f"sampling.crop = {crop} is no multiple of {model.unet.config.multiple}")
        batches = PairBatches(pairs, crop, config.seed, config.training, processes)
        shape = _shape(model, split, crop)
        torch.manual_seed(config.seed)
        adaptor = ResidualAdaptor(shape, config.adaptor)
        clocked = ClockworkUNet(split, config.clock, adaptor)
        sampling = config.sampling
        trainable = AdaptorDistillation(model, clocked, sampling.steps, sampling.follow, config.optimization.precision)
        finished = run_single_stage(config, trainable, batches, folder, processes, None, options)
        if finished is not None and processes.is_first:
            trained = TrainedAdaptor(
                adaptor, shape, config.adaptor, identity, config.clock, sampling.steps, sampling.cut
            )
            write_adaptor(folder / ADAPTOR_WEIGHTS, trained)
            write_text(folder / CARD, adaptor_card(config, adaptor, finished.seconds))
        return finished is not None


@torch.inference_mode()
def _validate(trainable: DiffusionTraining, unseen: PairBatch) -> dict[str, float]:
    """The loss on pairs, always with the same times and noise; the random numbers of training stay as they are."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(VALIDATION_SEED)
        return {"loss": float(trainable.denoising_loss(unseen))}


@torch.inference_mode()
def _shape(model: RestorationDiffusion, split: UNetSplit, crop: int) -> AdaptorShape:
    device = model.deviation.device
    sample, time = torch.zeros(1, model.unet.config.inputs, crop, crop, device=device), torch.zeros(1, device=device)
    return AdaptorShape.of(split.full(sample, time)[1])
