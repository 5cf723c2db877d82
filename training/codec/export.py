"""From a checkpoint to a weights file that the codec loads; it is only written if what it codes decodes again."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import save as serialized

from scaleflow.adversarial.perceptual_weights import load_perceptual_network, serialized_perceptual_weights
from scaleflow.codec.frame_coder import FrameDecoder, FrameEncoder
from scaleflow.codec.models.picture_order import RegionOrder
from scaleflow.codec.models.recurrent.codec import RecurrentCodec
from scaleflow.codec.models.recurrent.weights_file import load_recurrent, serialized_weights
from scaleflow.codec.models.region_coding import RegionCoding
from scaleflow.codec.models.registry import WEIGHTS_FORMAT, load_scaleflow
from scaleflow.codec.models.scaleflow_codec import ScaleFlowCodec
from scaleflow.codec.models.ssf2020_codec import Ssf2020Codec, load_ssf2020
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.picture import Planes, WorkingFormat
from scaleflow.errors import DataError, UsageError
from scaleflow.roi.coding import RegionSettings
from scaleflow.training.codec.codec_weights import codec_weights
from scaleflow.training.codec.configuration import TrainingConfig
from scaleflow.training.codec.configuration_file import configuration_of
from scaleflow.training.codec.freezing_cost import FreezingCost, freezing_costs
from scaleflow.training.codec.models.perceptual import perceptual_network_for
from scaleflow.training.codec.models.recurrent import RecurrentTraining
from scaleflow.training.codec.models.regions import RegionTraining
from scaleflow.training.codec.models.scaleflow import ScaleFlowTraining
from scaleflow.training.codec.models.ssf2020 import Ssf2020Training
from scaleflow.training.codec.start import load_trainable_codec
from scaleflow.training.loop.checkpoint import final_weights, load_checkpoint


@dataclass(frozen=True)
class ExportReport:
    """What was written, and what freezing cost at each quality; without calibration clips nothing was measured."""

    path: Path
    model: str
    file_bytes: int
    parameters: int
    stages: tuple[str, ...]
    costs: tuple[FreezingCost, ...]


def export_checkpoint(
    checkpoint: Path, output: Path, calibration: Sequence[Path] = (), *, frames: int = 8, overwrite: bool = False
) -> ExportReport:
    """Write the weights of a checkpoint, averaged where there are averages, in the form that coding needs.

    ``default`` and ``recurrent`` are frozen: integer tables and priors, transforms in float16. ``ssf2020`` is written
    as it is, under CompressAI's names; its integers are derived when it is loaded.

    Args:
        checkpoint: of ``scaleflow train``.
        output: a ``.safetensors`` file, for ``weights`` of ``load_model``, or its model ``ssf2020:PATH``.
        calibration: clips on which the cost of freezing ``default`` is measured.
        frames: pictures of each of them.
        overwrite: replace ``output``.

    Raises:
        UsageError: no such checkpoint, or ``output`` exists.
        DataError: the checkpoint is damaged, its weights cannot be frozen, or what it codes does not decode.
    """
    if output.suffix != ".safetensors":
        raise UsageError(f"{output}: weights are written as .safetensors: name it {output.with_suffix('.safetensors')}")
    if output.exists() and not overwrite:
        raise UsageError(f"{output}: exists already; choose another name or pass overwrite=True", fields=("overwrite",))
    state = load_checkpoint(checkpoint)
    config = configuration_of(state["config"], str(checkpoint))
    temporary = output.with_name(f".{output.stem}.{os.getpid()}.partial.safetensors")
    stages = tuple(f"{stage.name}: {stage.steps} steps" for stage in config.stages[: state["stage"] + 1])
    try:
        frozen: ScaleFlowCodec | RecurrentCodec | Ssf2020Codec
        costs: tuple[FreezingCost, ...] = ()
        if config.model.name == "regions":
            return _export_regions(config, state, output, temporary, stages)
        if config.model.name == "perceptual":
            return _export_perceptual(config, state, output, temporary, stages)
        if config.model.name == "default":
            codec, frozen = _write_default(config, state, temporary, stages)
            require_round_trip(frozen)
            costs = freezing_costs(codec, frozen, calibration, frames)
        elif config.model.name == "recurrent":
            frozen = _write_recurrent(config, state, temporary, stages)
            require_round_trip(frozen)
        else:
            frozen = _write_ssf2020(config, state, temporary, stages)
            require_round_trip(frozen)
        os.replace(temporary, output)
    except OSError as error:
        raise DataError(f"{output}: cannot be written: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"{checkpoint}: these weights have no exact integer form: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    parameters = sum(parameter.numel() for parameter in frozen.network.parameters())
    return ExportReport(output, config.model.name, output.stat().st_size, parameters, stages, costs)


def _write_default(
    config: TrainingConfig, state: dict[str, Any], path: Path, stages: tuple[str, ...]
) -> tuple[ScaleFlowCodec, ScaleFlowCodec]:
    """The codec as it was trained, frozen but for the rounding of its transforms, and as it was written."""
    model = ScaleFlowTraining(config.model, config.loss, config.optimization)
    model.network.load_state_dict(codec_weights(state))
    codec = model.freeze()
    metadata = {
        "format": WEIGHTS_FORMAT,
        "sizes": json.dumps(asdict(codec.network.config)),
        "training": json.dumps(stages),
    }
    path.write_bytes(serialized(codec.frozen_tensors(), metadata))
    return codec, load_scaleflow(path)


def _write_recurrent(
    config: TrainingConfig, state: dict[str, Any], path: Path, stages: tuple[str, ...]
) -> RecurrentCodec:
    """The codec as it was written."""
    model = RecurrentTraining(config.model, config.loss, config.optimization)
    model.network.load_state_dict(codec_weights(state))
    path.write_bytes(serialized_weights(model.freeze(), stages))
    return load_recurrent(path)


def _export_regions(
    config: TrainingConfig, state: dict[str, Any], output: Path, temporary: Path, stages: tuple[str, ...]
) -> ExportReport:
    """Networks for regions of interest have nothing to freeze: they run in the encoder only."""
    model = RegionTraining(config.model, config.loss, config.optimization)
    model.network.load_state_dict(codec_weights(state))
    model.network.save(temporary)
    coding = RegionSettings("implicit", networks=temporary).coding_for(model.codec)
    require_round_trip(model.codec, coding)
    os.replace(temporary, output)
    parameters = sum(parameter.numel() for parameter in model.network.parameters())
    return ExportReport(output, config.model.name, output.stat().st_size, parameters, stages, ())


def _export_perceptual(
    config: TrainingConfig, state: dict[str, Any], output: Path, temporary: Path, stages: tuple[str, ...]
) -> ExportReport:
    """The decoder's network alone; discriminators have done their work."""
    codec = load_trainable_codec(config.model.start)
    weights = final_weights(state)
    assert config.adversarial is not None
    generator = perceptual_network_for(codec, config.adversarial)
    generator.load_state_dict(
        {key.removeprefix("generator."): value for key, value in weights.items() if key.startswith("generator.")}
    )
    temporary.write_bytes(serialized_perceptual_weights(generator, codec.weights_hash, stages))
    load_perceptual_network(temporary)
    os.replace(temporary, output)
    parameters = sum(parameter.numel() for parameter in generator.parameters())
    return ExportReport(output, config.model.name, output.stat().st_size, parameters, stages, ())


def _write_ssf2020(config: TrainingConfig, state: dict[str, Any], path: Path, stages: tuple[str, ...]) -> Ssf2020Codec:
    """The codec as it was written."""
    model = Ssf2020Training(config.model, config.loss, config.optimization)
    model.network.load_state_dict(codec_weights(state))
    tensors = {key: value.contiguous() for key, value in model.network.state_dict().items()}
    path.write_bytes(serialized(tensors, {"training": json.dumps(stages)}))
    return load_ssf2020(f"ssf2020:{path}")


def require_round_trip(codec: VideoModel, region_coding: RegionCoding | None = None) -> None:
    """Code three made pictures of odd size at three qualities, with a region of interest where there is what codes it.

    Raises:
        DataError: they do not decode to what the encoder has.
    """
    mask = np.zeros((77, 101), np.uint8)
    mask[20:50, 30:70] = 255
    region = None if region_coding is None else RegionOrder(mask, region_coding)
    generator = np.random.default_rng(0)
    base = np.kron(generator.integers(30, 220, (12, 16)), np.ones((8, 8))).astype(np.uint8)
    for quality in (0.0, 31.5, 63.0):
        encoder = FrameEncoder(codec, width=101, height=77)
        decoder = FrameDecoder(codec, width=101, height=77)
        for shift in range(3):
            planes = _planes(base, shift, codec.working_format)
            coded = encoder.encode(planes, key=False, quality=quality, region=region)
            for ours, theirs in zip(decoder.decode(coded.payload, key=coded.key), coded.planes, strict=True):
                if not np.array_equal(ours, theirs):
                    raise DataError(f"the frozen model does not round-trip at quality {quality:g}: nothing was written")


def _planes(base: NDArray[np.uint8], shift: int, working_format: WorkingFormat) -> Planes:
    luma = base[:77, shift : shift + 101]
    if working_format == "rgb":
        return luma, 255 - luma, luma[:, ::-1].copy()
    chroma = base[:39, shift : shift + 51]
    return luma, chroma, 255 - chroma
