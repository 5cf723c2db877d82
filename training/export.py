"""From a checkpoint to a weights file that the codec loads: integer tables and priors, transforms in float16.

Each step of freezing is measured on real clips, and the file is only written if what it codes decodes again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save as serialized
from torch import Tensor

from codec.errors import DataError, UsageError
from codec.frame_coder import FrameDecoder, FrameEncoder
from codec.models.frozen_hyperprior import QUALITY_STEPS, DecodedLatents, FrozenHyperprior
from codec.models.quality import LatentGain
from codec.models.registry import WEIGHTS_FORMAT, load_scaleflow
from codec.models.scaleflow_codec import ScaleFlowCodec
from codec.models.video_model import VideoModel
from codec.picture import Planes
from codec.video.reader import open_video
from entropy.fixed_point import ONE
from entropy.symbol_coder import SymbolEncoder
from training.checkpoint import load_checkpoint
from training.configuration_file import configuration_of
from training.models.scaleflow import ScaleFlowTraining
from training.validation import RatePoint, rate_distortion_points

QUALITIES = (4.0, 24.0, 44.0, 63.0)


@dataclass(frozen=True)
class FreezingCost:
    """At one quality: bits of the integer priors over those of the floating-point ones, less one; and what float16
    transforms changed in rate (a ratio, less one) and PSNR (dB)."""

    quality: float
    integer_rate: float
    half_rate: float
    half_psnr: float


@dataclass(frozen=True)
class ExportReport:
    """What was written, and what freezing cost at each quality; without calibration clips nothing was measured."""

    path: Path
    file_bytes: int
    parameters: int
    stages: tuple[str, ...]
    costs: tuple[FreezingCost, ...]


def export_checkpoint(
    checkpoint: Path, output: Path, calibration: Sequence[Path] = (), *, frames: int = 8, overwrite: bool = False
) -> ExportReport:
    """Freeze a checkpoint of the default model into ``output``.

    Args:
        checkpoint: of ``scaleflow train``; its averaged weights are taken.
        output: a ``.safetensors`` file, for ``--weights``.
        calibration: clips on which the cost of freezing is measured.
        frames: pictures of each of them.
        overwrite: replace ``output``.

    Raises:
        UsageError: no such checkpoint, one of another model, or ``output`` exists.
        DataError: the checkpoint is damaged, its weights cannot be frozen, or what it codes does not decode.
    """
    if output.exists() and not overwrite:
        raise UsageError(f"{output}: exists already; choose another name or pass --overwrite")
    state = load_checkpoint(checkpoint)
    config = configuration_of(state["config"], str(checkpoint))
    if config.model.name != "default":
        raise UsageError(f"{checkpoint}: is of the model {config.model.name}; only default is exported to this form")
    model = ScaleFlowTraining(config.model, config.loss, config.optimization)
    model.network.load_state_dict(state["network"])
    if state["average"] is not None and config.optimization.average:
        model.network.load_state_dict({**model.network.state_dict(), **state["average"]["values"]})
    try:
        codec = model.freeze()
    except ValueError as error:
        raise DataError(f"{checkpoint}: these weights have no exact integer form: {error}") from error
    temporary = output.with_name(f".{output.name}.{os.getpid()}.partial")
    stages = tuple(f"{stage.name}: {stage.steps} steps" for stage in config.stages[: state["stage"] + 1])
    metadata = {
        "format": WEIGHTS_FORMAT,
        "sizes": json.dumps(asdict(codec.network.config)),
        "training": json.dumps(stages),
    }
    try:
        temporary.write_bytes(serialized(codec.frozen_tensors(), metadata))
        frozen = load_scaleflow(temporary)
        require_round_trip(frozen)
        costs = tuple(_cost(codec, frozen, calibration, frames, quality) for quality in QUALITIES if calibration)
        os.replace(temporary, output)
    except OSError as error:
        raise DataError(f"{output}: cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)
    parameters = sum(parameter.numel() for parameter in frozen.network.parameters())
    return ExportReport(output, output.stat().st_size, parameters, stages, costs)


def require_round_trip(codec: VideoModel) -> None:
    """Code three made pictures of odd size at three qualities. Raises :class:`DataError` unless they decode."""
    generator = np.random.default_rng(0)
    base = np.kron(generator.integers(30, 220, (12, 16)), np.ones((8, 8))).astype(np.uint8)
    for quality in (0.0, 31.5, 63.0):
        encoder = FrameEncoder(codec, width=101, height=77)
        decoder = FrameDecoder(codec, width=101, height=77)
        for shift in range(3):
            chroma = base[:39, shift : shift + 51]
            coded = encoder.encode((base[:77, shift : shift + 101], chroma, 255 - chroma), key=False, quality=quality)
            for ours, theirs in zip(decoder.decode(coded.payload, key=coded.key), coded.planes, strict=True):
                if not np.array_equal(ours, theirs):
                    raise DataError(f"the frozen model does not round-trip at quality {quality:g}: nothing was written")


def _cost(
    codec: ScaleFlowCodec, frozen: ScaleFlowCodec, clips: Sequence[Path], frames: int, quality: float
) -> FreezingCost:
    before = rate_distortion_points(codec, clips, frames, [quality])
    after = rate_distortion_points(frozen, clips, frames, [quality])
    return FreezingCost(
        quality,
        integer_rate_cost(codec, clips, frames, quality),
        _mean_rate(after) / _mean_rate(before) - 1,
        float(np.mean([point.psnr for point in after]) - np.mean([point.psnr for point in before])),
    )


def _mean_rate(points: list[RatePoint]) -> float:
    return float(np.mean([point.bits_per_pixel for point in points]))


class _ComparedPrior(FrozenHyperprior):
    """A frozen prior that also asks the prior it was frozen from."""

    def compare_with(self, gain: LatentGain, bits: dict[str, float]) -> None:
        """Add up ideal bits in ``bits``."""
        self.float_gain, self.bits_so_far = gain, bits

    def encode(
        self, latents: Tensor, quality_code: int, context: Tensor | None, encoder: SymbolEncoder
    ) -> tuple[DecodedLatents, float, float]:
        """See :class:`FrozenHyperprior`."""
        coded = super().encode(latents, quality_code, context, encoder)
        seen = None if context is None else (context / ONE).float()
        quality = torch.tensor([quality_code / QUALITY_STEPS])
        theirs = self.source(latents, self.float_gain(quality), seen)
        self.bits_so_far["integer"] += coded[1] + coded[2]
        self.bits_so_far["float"] += float(theirs.bits_latents + theirs.bits_hyper)
        return coded


def integer_rate_cost(codec: ScaleFlowCodec, clips: Sequence[Path], frames: int, quality: float) -> float:
    """Ideal bits under integer priors over those under the floating-point ones, less one; same latents, same contexts.

    ``codec`` must still hold the floating-point priors, as one that was just frozen does.
    """
    bits = {"integer": 0.0, "float": 0.0}
    network = codec.network
    priors = (codec.intra_prior, codec.motion_prior, codec.residual_prior)
    gains = (network.intra.gain, network.motion.gain, network.residual.gain)
    for prior, gain in zip(priors, gains, strict=True):
        prior.__class__ = _ComparedPrior
        assert isinstance(prior, _ComparedPrior)
        prior.compare_with(gain, bits)
    try:
        for clip in clips:
            pictures, width, height = _first_pictures(clip, frames)
            encoder = FrameEncoder(codec, width=width, height=height)
            for planes in pictures:
                encoder.encode(planes, key=False, quality=quality)
    finally:
        for prior in priors:
            prior.__class__ = FrozenHyperprior
    return bits["integer"] / bits["float"] - 1


def _first_pictures(clip: Path, frames: int) -> tuple[list[Planes], int, int]:
    with open_video(clip, working_format="yuv420") as reader:
        pictures = [picture.planes for picture in islice(reader, frames)]
        return pictures, reader.properties.width, reader.properties.height
