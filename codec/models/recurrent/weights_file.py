"""Weights of the recurrent model in a file: integers where symbols depend on them, 16-bit floats elsewhere.

Floating-point forms of what is kept in integers are made from these, so that a file can be trained further.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from scaleflow.codec.models.hyperprior import SCALE_STEPS_PER_OCTAVE
from scaleflow.codec.models.recurrent.codec import RecurrentCodec
from scaleflow.codec.models.recurrent.config import RecurrentConfig
from scaleflow.codec.models.recurrent.frozen_latents import FrozenLatentCoder
from scaleflow.codec.models.weights_hash import hash_tensors
from scaleflow.entropy.fixed_point import GAIN_STEPS_PER_OCTAVE, ONE
from scaleflow.entropy.frequency_tables import FrequencyTables
from scaleflow.entropy.integer_network import WEIGHT_BITS, IntegerConvolution
from scaleflow.errors import DataError
from scaleflow.safetensors_file import opened_safetensors

WEIGHTS_FORMAT = "scaleflow-recurrent-1"
"""Layout of the file; another value is refused."""

_IN_INTEGERS = (".gain.", ".scales.", ".hyper_scales.")


def serialized_weights(codec: RecurrentCodec, training: tuple[str, ...] = ()) -> bytes:
    """The file of a frozen codec; ``training`` is what is said of its training."""
    metadata = {
        "format": WEIGHTS_FORMAT,
        "sizes": json.dumps(asdict(codec.network.config)),
        "training": json.dumps(training),
    }
    return save(frozen_tensors(codec), metadata)


def frozen_tensors(codec: RecurrentCodec) -> dict[str, Tensor]:
    """All that a weights file holds; integers take 16 bits where they fit."""
    tensors = {
        f"network.{key}": value.half()
        for key, value in codec.network.state_dict().items()
        if not any(part in f".{key}" for part in _IN_INTEGERS)
    }
    for kind, coder in _coders(codec).items():
        for key, value in _integers(coder).items():
            tensors[f"{kind}.{key}"] = value.to(torch.int16) if bool((value.abs() < 2**15).all()) else value
    for key, value in codec.gaussian.to_tensors().items():
        tensors[f"gaussian.{key}"] = value
    return {key: value.detach().cpu().contiguous() for key, value in tensors.items()}


def load_recurrent(path: Path) -> RecurrentCodec:
    """A codec from frozen weights, of the sizes that the file says.

    Raises:
        DataError: the file cannot be read, or does not fit.
    """
    with opened_safetensors(path, "no such weights file", "not a safetensors file") as file:
        metadata = file.metadata() or {}
        tensors = {key: file.get_tensor(key) for key in file.keys()}
    if metadata.get("format") != WEIGHTS_FORMAT:
        raise DataError(f"{path}: weights format {metadata.get('format')!r}, expected {WEIGHTS_FORMAT!r}")
    try:
        codec = RecurrentCodec(RecurrentConfig(**json.loads(metadata.get("sizes", "{}"))))
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: its metadata name no sizes of a model ({error})") from error
    load_frozen_tensors(codec, tensors)
    return codec


def load_frozen_tensors(codec: RecurrentCodec, tensors: dict[str, Tensor]) -> None:
    """Inverse of :func:`frozen_tensors`. Raises :class:`DataError` where a tensor is missing or of another shape."""
    try:
        given = {k.removeprefix("network."): v.float() for k, v in tensors.items() if k.startswith("network.")}
        wanted = {key for key in codec.network.state_dict() if not any(part in f".{key}" for part in _IN_INTEGERS)}
        if given.keys() != wanted:
            raise DataError(f"weights and model differ in the tensor {sorted(given.keys() ^ wanted)[0]!r}")
        codec.network.load_state_dict(given, strict=False)
        gaussian = FrequencyTables.from_tensors(_below(tensors, "gaussian."))
        codec.gaussian = gaussian
        for kind, coder in _coders(codec).items():
            own = _below(tensors, f"{kind}.")
            state = _integers(coder)
            if own.keys() != state.keys():
                raise DataError(f"weights and model differ in the tensor {sorted(own.keys() ^ state.keys())[0]!r}")
            coder.load_state_dict({key: own[key].to(state[key].dtype) for key in state}, strict=False)
            coder.check_bounds()
            coder.gaussian = gaussian
            _make_trainable(coder)
    except (KeyError, RuntimeError, ValueError) as error:
        raise DataError(f"these weights do not fit the model: {str(error).splitlines()[0]}") from error
    codec.weights_hash = hash_tensors(tensors)
    codec.to(memory_format=torch.channels_last)


def _coders(codec: RecurrentCodec) -> dict[str, FrozenLatentCoder]:
    return {"intra": codec.intra, "motion": codec.motion, "residual": codec.residual}


def _integers(coder: FrozenLatentCoder) -> dict[str, Tensor]:
    return {key: value for key, value in coder.state_dict().items() if not key.startswith("source.")}


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


@torch.no_grad()
def _make_trainable(coder: FrozenLatentCoder) -> None:
    """Give the float parts the values of the integers."""
    source, frozen = coder.source, coder.scales
    pairs: list[tuple[nn.Module | None, nn.Module | None]] = [
        (source.scales.spatial, frozen.spatial),
        (source.scales.context, frozen.context),
        (source.scales.merge, frozen.merge),
        (source.scales.last, frozen.last),
    ]
    for ours, theirs in pairs:
        if ours is None or theirs is None:
            continue
        floats = [layer for layer in ours.modules() if isinstance(layer, nn.Conv2d)]
        integers = [layer for layer in theirs.modules() if isinstance(layer, IntegerConvolution)]
        for layer, integer in zip(floats, integers, strict=True):
            assert layer.bias is not None
            scale = 1.0 / (SCALE_STEPS_PER_OCTAVE if layer is source.scales.last else 1)
            layer.weight.copy_((integer.weight.double() * (scale / 2**WEIGHT_BITS)).view_as(layer.weight))
            layer.bias.copy_(integer.bias.double() * (scale / 2**WEIGHT_BITS / ONE))
    source.scales.bias.anchors.copy_(frozen.bias.anchors.double() / ONE)
    source.gain.anchors.copy_(coder.gain.anchors.double() / GAIN_STEPS_PER_OCTAVE)
    tables = torch.stack([table.get_buffer("anchors") for table in coder.hyper_scales]).double()
    source.hyper_scales.anchors.copy_(tables / (SCALE_STEPS_PER_OCTAVE * ONE))
