"""Altered weights files and checkpoints, read by everything that takes them."""

from __future__ import annotations

import io
import json
import random
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from scaleflow.adversarial.perceptual_codec import with_perceptual_decoder
from scaleflow.adversarial.perceptual_weights import serialized_second_synthesis
from scaleflow.codec.frame_coder import FrameDecoder, FrameEncoder
from scaleflow.codec.models.capabilities import require_parts
from scaleflow.codec.models.encoder_weights import serialized_encoder
from scaleflow.codec.models.recurrent.codec import RecurrentCodec
from scaleflow.codec.models.recurrent.config import RecurrentConfig
from scaleflow.codec.models.recurrent.weights_file import serialized_weights
from scaleflow.codec.models.registry import WEIGHTS_FOLDER, load_model, load_scaleflow
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.models.weights_folder import find_weights
from scaleflow.efficient_nets.diffusion.noise_schedule import NoiseSchedule
from scaleflow.efficient_nets.diffusion.restoration import RestorationDiffusion
from scaleflow.efficient_nets.diffusion.unet import UNetConfig
from scaleflow.efficient_nets.diffusion.weights_file import TrainedRestoration, read_restoration, write_restoration
from scaleflow.efficient_nets.networks.architecture import Architecture
from scaleflow.efficient_nets.networks.building import build_network
from scaleflow.efficient_nets.networks.starting_weights import load_backbone
from scaleflow.efficient_nets.networks.task_network import TaskNetwork
from scaleflow.efficient_nets.networks.weights_file import read_network, write_network
from scaleflow.evaluation.metrics.lpips import load_lpips
from scaleflow.roi.networks import load_region_networks
from scaleflow.training.codec.configuration import TrainingConfig
from scaleflow.training.codec.configuration_file import configuration_of, preset
from scaleflow.training.codec.export import export_checkpoint
from scaleflow.training.codec.models.scaleflow import ScaleFlowTraining
from scaleflow.training.codec.start import load_start
from scaleflow.training.loop.checkpoint import FORMAT, load_checkpoint
from scaleflow.training.loop.configuration_file import override
from tests.adversarial.changed_decoder import changed_synthesis
from tests.fuzz.mutation import VALUES, changed_bytes, changed_value

_JSON_VALUES = tuple(value for value in VALUES if not isinstance(value, bytes))

_SIDE = 32
"""Of pictures that are decoded with altered weights."""

_PROOF = "ran"
"""Name of a file that code in a checkpoint would write."""


class _Harmful:
    """A pickle of this writes a file where it is loaded without care."""

    def __init__(self, folder: Path) -> None:
        self._path = str(folder / _PROOF)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (self._path, "w")


@cache
def _weights(kind: str) -> bytes:
    """A small sound file of each kind."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    if kind == "recurrent":
        codec = RecurrentCodec(RecurrentConfig(8, 8, 8, 8, 24))
        codec.freeze()
        return serialized_weights(codec)
    if kind == "perceptual":
        codec = require_parts(load_model())
        return serialized_second_synthesis(changed_synthesis(codec), codec.weights_hash, ("lpips: 3 steps",))
    if kind == "encoder":
        _weights("default")
        whole = load_scaleflow(Path(_scratch(), "default.safetensors"))
        return serialized_encoder(whole.network, whole.weights_hash, ("task: 3 steps",))
    if kind == "regions":
        return (WEIGHTS_FOLDER / "default-roi.safetensors").read_bytes()
    buffer = Path(_scratch(), f"{kind}.safetensors")
    if kind == "network":
        shape = Architecture(width=4, blocks=(1, 1, 1, 1), decoder=4)
        write_network(buffer, TaskNetwork("segmentation", ("a", "b"), shape, (64, 64), build_network(shape, 2)))
    elif kind == "restoration":
        model = RestorationDiffusion(UNetConfig((4, 8), (1, 1), groups=2), NoiseSchedule())
        write_restoration(buffer, TrainedRestoration(model, (2.0, 9.0), 64))
    else:
        (buffer.parent / "default.ckpt").write_bytes(_saved(_state()))
        export_checkpoint(buffer.parent / "default.ckpt", buffer, overwrite=True)
    return buffer.read_bytes()


@cache
def _scratch() -> str:
    import atexit
    import shutil
    import tempfile

    folder = tempfile.mkdtemp(prefix="scaleflow-fuzz-weights-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def _config() -> TrainingConfig:
    values = preset("tiny")
    override(values, ["model.intra_latents=8", "model.residual_latents=8", "model.motion_latents=8"])
    return configuration_of(values)


@cache
def _state() -> dict[str, Any]:
    """What a run of the smallest model saves."""
    torch.manual_seed(0)
    config = _config()
    network = ScaleFlowTraining(config.model, config.loss, config.optimization).network
    average = {"updates": 3, "values": {name: value.detach().clone() for name, value in network.named_parameters()}}
    state = {"config": config.to_mapping(), "network": network.state_dict(), "stage": 2, "step": 0, "seconds": {}}
    return {"format": FORMAT, **state, "optimizer": None, "average": average}


def _saved(state: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def _altered_safetensors(data: bytes, source: random.Random) -> bytes:
    (length,) = struct.unpack_from("<Q", data)
    if source.random() < 0.3:
        return changed_bytes(data[: 8 + length], source) + data[8 + length :]
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    metadata = header["__metadata__"]
    how = source.randrange(4)
    if how < 2:
        key = source.choice(sorted(metadata))
        try:
            metadata[key] = json.dumps(changed_value(json.loads(metadata[key]), source, _JSON_VALUES))
        except ValueError:
            metadata[key] = str(source.choice(_JSON_VALUES))
    elif how == 2:
        header["__metadata__"] = changed_value(metadata, source, _JSON_VALUES)
    else:
        name = source.choice(sorted(header))
        header[name] = changed_value(header[name], source, _JSON_VALUES)
    if source.random() < 0.2:
        body = changed_bytes(body, source)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def weights_case(source: random.Random, folder: Path) -> None:
    """Weights of both codecs, of an encoder alone, of regions, of networks and of restoration."""
    kind = source.choice(("default", "recurrent", "encoder", "regions", "network", "restoration"))
    path = folder / "altered.safetensors"
    path.write_bytes(_altered_safetensors(_weights(kind), source))
    if source.random() < 0.1:
        find_weights("00" * 32, folder)
    elif kind in ("default", "recurrent", "encoder"):
        if kind == "encoder":
            (folder / "codec.safetensors").write_bytes(_weights("default"))  # that it belongs to
        load_model("default", weights=path)
    elif kind == "regions":
        load_region_networks(path)
    elif kind == "network":
        read_network(path)
    else:
        read_restoration(path)


def perceptual_case(source: random.Random, folder: Path) -> None:
    """Weights of a perceptual decoder; what is read also shows two pictures."""
    codec, payloads = _shipped_stream()
    path = folder / "altered.safetensors"
    data = _weights("perceptual")
    path.write_bytes(changed_bytes(data, source) if source.random() < 0.3 else _altered_safetensors(data, source))
    model = with_perceptual_decoder(codec, path, source.choice((0.0, 0.5, 1.0)))
    decoder = FrameDecoder(model, width=_SIDE, height=_SIDE)
    for number, payload in enumerate(payloads):
        decoder.decode(payload, key=number == 0)


@cache
def _shipped_stream() -> tuple[VideoModel, tuple[bytes, ...]]:
    """The default model, and two small pictures that it has coded."""
    torch.set_num_threads(1)
    codec = load_model()
    encoder = FrameEncoder(codec, width=_SIDE, height=_SIDE)
    luma = np.arange(_SIDE * _SIDE, dtype=np.uint8).reshape(_SIDE, _SIDE)
    planes = luma, luma[::2, ::2], luma[1::2, ::2]
    return codec, tuple(encoder.encode(planes, key=number == 0, quality=20.0).payload for number in range(2))


def checkpoint_case(source: random.Random, folder: Path) -> None:
    """Checkpoints of training, of ``ssf2020``, of backbones and of LPIPS, some with code in them."""
    state = _state()
    how = source.randrange(4)
    if how == 0:
        data = changed_bytes(_saved(state), source)
    elif how == 1:
        part = {**state, source.choice(sorted(state)): source.choice((_Harmful(folder), *VALUES))}
        data = _saved(part)
    elif how == 2:
        data = _saved(changed_value({**state, "network": {}, "average": None}, source) or source.choice(VALUES))
    else:
        data = _saved({**state, "config": changed_value(state["config"], source)})
    path = folder / source.choice(("altered.ckpt", "altered.pth"))
    path.write_bytes(data)
    try:
        _read_checkpoint(path, source)
    finally:
        assert not (folder / _PROOF).exists(), "code of the checkpoint ran"


def _read_checkpoint(path: Path, source: random.Random) -> None:
    config = _config()
    reader = source.randrange(6)
    if reader == 0:
        load_checkpoint(path)
    elif reader == 1:
        load_start(ScaleFlowTraining(config.model, config.loss, config.optimization), str(path))
    elif reader == 2:
        export_checkpoint(path, path.with_name("out.safetensors"))
    elif reader == 3:
        load_model(f"ssf2020:{path}")
    elif reader == 4:
        load_backbone(build_network(Architecture(width=4, blocks=(1, 1, 1, 1), decoder=4), 2), str(path))
    else:
        load_lpips(path)
