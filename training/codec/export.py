"""From a checkpoint to a weights file that the codec loads; it is only written if what it codes decodes again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save as serialized
from torch import Tensor, nn

from scaleflow.adversarial.perceptual_weights import load_second_synthesis, serialized_second_synthesis
from scaleflow.adversarial.second_synthesis import SecondSynthesis
from scaleflow.codec.frame_coder import FrameDecoder, FrameEncoder
from scaleflow.codec.models.encoder_weights import give_encoder, is_of_the_encoder, read_encoder, serialized_encoder
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
from scaleflow.output_file import check_output, whole_file
from scaleflow.roi.coding import RegionSettings
from scaleflow.roi.networks import RegionNetworks
from scaleflow.training.codec.codec_weights import codec_weights
from scaleflow.training.codec.configuration import TrainingConfig
from scaleflow.training.codec.configuration_file import configuration_of
from scaleflow.training.codec.freezing_cost import FreezingCost, freezing_costs
from scaleflow.training.codec.models.perceptual import GENERATOR
from scaleflow.training.codec.models.recurrent import RecurrentTraining
from scaleflow.training.codec.models.regions import RegionTraining
from scaleflow.training.codec.models.scaleflow import ScaleFlowTraining
from scaleflow.training.codec.models.ssf2020 import Ssf2020Training
from scaleflow.training.codec.start import load_codec_with_parts
from scaleflow.training.loop.checkpoint import final_weights, give_weights, load_checkpoint


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
    as it is, under CompressAI's names; its integers are derived when it is loaded. Of runs that trained the encoder
    alone, it alone is written.

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
    check_output(str(output), overwrite)
    state = load_checkpoint(checkpoint)
    config = configuration_of(state["config"], str(checkpoint))
    stages = tuple(f"{stage.name}: {stage.steps} steps" for stage in config.stages[: state["stage"] + 1])
    frozen: ScaleFlowCodec | RecurrentCodec | Ssf2020Codec
    costs: tuple[FreezingCost, ...] = ()
    try:
        with whole_file(str(output), overwrite) as temporary:
            if config.model.name == "regions":
                network: nn.Module = _write_regions(config, state, temporary)
            elif config.keeps_decoder:
                network = _write_encoder(config, state, temporary, stages)
            elif config.model.name == "perceptual":
                network = _write_perceptual(config, state, temporary, stages)
            elif config.model.name == "default":
                codec, frozen = _write_default(config, state, temporary, stages)
                require_round_trip(frozen)
                costs, network = freezing_costs(codec, frozen, calibration, frames), frozen.network
            else:
                write = _write_recurrent if config.model.name == "recurrent" else _write_ssf2020
                frozen = write(config, state, temporary, stages)
                require_round_trip(frozen)
                network = frozen.network
    except ValueError as error:
        raise DataError(f"{checkpoint}: these weights have no exact integer form: {error}") from error
    named = network.named_parameters()
    parameters = sum(value.numel() for name, value in named if not config.keeps_decoder or is_of_the_encoder(name))
    return ExportReport(output, config.model.name, output.stat().st_size, parameters, stages, costs)


def _write_default(
    config: TrainingConfig, state: dict[str, Any], path: Path, stages: tuple[str, ...]
) -> tuple[ScaleFlowCodec, ScaleFlowCodec]:
    """The codec as it was trained, frozen but for the rounding of its transforms, and as it was written."""
    model = ScaleFlowTraining(config.model, config.loss, config.optimization)
    give_weights(model.network, codec_weights(state))
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
    give_weights(model.network, codec_weights(state))
    path.write_bytes(serialized_weights(model.freeze(), stages))
    return load_recurrent(path)


def _write_regions(config: TrainingConfig, state: dict[str, Any], path: Path) -> RegionNetworks:
    """Networks for regions of interest have nothing to freeze: they run in the encoder only."""
    model = RegionTraining(config.model, config.loss, config.optimization)
    give_weights(model.network, codec_weights(state))
    model.network.save(path)
    coding = RegionSettings("implicit", networks=path).coding_for(model.codec)
    require_round_trip(model.codec, coding)
    return model.network


def _write_encoder(config: TrainingConfig, state: dict[str, Any], path: Path, stages: tuple[str, ...]) -> nn.Module:
    """The network of the codec that the run started from, with the encoder as it was written."""
    decoder, codec = (load_codec_with_parts(config.model.start) for _ in range(2))
    network: nn.Module = codec.network
    trained, before = codec_weights(state), network.state_dict()
    if moved := [name for name, value in before.items() if not _is_kept(name, value, trained)]:
        raise DataError(
            f"{config.model.start}: these are not the weights that the run started from, of which it trained the "
            f"encoder alone: {moved[0]} differs"
        )
    give_weights(network, trained)
    path.write_bytes(serialized_encoder(network, codec.weights_hash, stages))
    give_encoder(network, read_encoder(path))
    require_round_trip(codec, decoder=decoder)
    return network


def _is_kept(name: str, value: Tensor, trained: dict[str, Tensor]) -> bool:
    """Whether a run that trains the encoder alone has left a part of the decoder as it was."""
    return is_of_the_encoder(name) or (name in trained and torch.equal(value, trained[name]))


def _write_perceptual(
    config: TrainingConfig, state: dict[str, Any], path: Path, stages: tuple[str, ...]
) -> SecondSynthesis:
    """The second synthesis alone, as it was written; discriminators have done their work."""
    codec = load_codec_with_parts(config.model.start)
    synthesis = SecondSynthesis(codec)
    own = {name.removeprefix(GENERATOR): v for name, v in final_weights(state).items() if name.startswith(GENERATOR)}
    give_weights(synthesis, own)
    path.write_bytes(serialized_second_synthesis(synthesis, codec.weights_hash, stages))
    return load_second_synthesis(path, codec)


def _write_ssf2020(config: TrainingConfig, state: dict[str, Any], path: Path, stages: tuple[str, ...]) -> Ssf2020Codec:
    """The codec as it was written."""
    model = Ssf2020Training(config.model, config.loss, config.optimization)
    give_weights(model.network, codec_weights(state))
    tensors = {key: value.contiguous() for key, value in model.network.state_dict().items()}
    path.write_bytes(serialized(tensors, {"training": json.dumps(stages)}))
    return load_ssf2020(f"ssf2020:{path}")


def require_round_trip(
    codec: VideoModel, region_coding: RegionCoding | None = None, decoder: VideoModel | None = None
) -> None:
    """Code three made pictures of odd size at three qualities, with a region of interest where there is what codes it.

    Args:
        codec: that encodes.
        region_coding: of the region.
        decoder: that decodes; the codec itself where it is None.

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
        decoding = FrameDecoder(decoder or codec, width=101, height=77)
        for shift in range(3):
            planes = _planes(base, shift, codec.working_format)
            coded = encoder.encode(planes, key=False, quality=quality, region=region)
            for ours, theirs in zip(decoding.decode(coded.payload, key=coded.key), coded.planes, strict=True):
                if not np.array_equal(ours, theirs):
                    raise DataError(f"the frozen model does not round-trip at quality {quality:g}: nothing was written")


def _planes(base: NDArray[np.uint8], shift: int, working_format: WorkingFormat) -> Planes:
    luma = base[:77, shift : shift + 101]
    if working_format == "rgb":
        return luma, 255 - luma, luma[:, ::-1].copy()
    chroma = base[:39, shift : shift + 51]
    return luma, chroma, 255 - chroma
