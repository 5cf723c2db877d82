"""Models by name, and where their weights come from."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from scaleflow.codec.models.computation import standard_settings
from scaleflow.codec.models.encoder_weights import ENCODER_FORMAT, give_encoder, read_encoder
from scaleflow.codec.models.recurrent.codec import RecurrentCodec
from scaleflow.codec.models.recurrent.weights_file import WEIGHTS_FORMAT as RECURRENT_FORMAT
from scaleflow.codec.models.recurrent.weights_file import load_recurrent
from scaleflow.codec.models.released_weights import describe_weights
from scaleflow.codec.models.scaleflow import ScaleFlowConfig
from scaleflow.codec.models.scaleflow_codec import ScaleFlowCodec
from scaleflow.codec.models.video_model import Precision, VideoModel
from scaleflow.codec.models.weights_folder import FOLDER_VARIABLE, find_weights
from scaleflow.errors import DataError, UsageError
from scaleflow.optional_packages import require_packages
from scaleflow.safetensors_file import opened_safetensors

if TYPE_CHECKING:
    from scaleflow.codec.models.ssf2020_codec import Ssf2020Codec

logger = logging.getLogger(__name__)

DEFAULT_MODEL = "default"
RECURRENT_MODEL = "recurrent"
STREAM_MODELS = (DEFAULT_MODEL, RECURRENT_MODEL)
"""Names to which the header of a stream may lead: they open what is shipped, or what the user gives, alone."""

WEIGHTS_FOLDER = Path(__file__).resolve().parent.parent / "weights"
WEIGHTS_FORMAT = "scaleflow-1"
"""Layout of a weights file; another value is refused."""


def scaleflow_small(weights: Path | None = None) -> ScaleFlowCodec:
    """The shipped default: 4:2:0, every rate, 16 kMAC for each decoded pixel."""
    return load_scaleflow(weights or WEIGHTS_FOLDER / "default.safetensors")


def load_scaleflow(path: Path) -> ScaleFlowCodec:
    """A ScaleFlow codec from frozen weights, of the sizes that the file says.

    Raises:
        DataError: the file cannot be read, or does not fit.
    """
    with opened_safetensors(path, "no such weights file", "not a safetensors file") as file:
        metadata = file.metadata() or {}
        written = metadata.get("format")
        if written != WEIGHTS_FORMAT:
            raise DataError(f"{path}: weights format {written!r}, expected {WEIGHTS_FORMAT!r}")
        tensors = {key: file.get_tensor(key) for key in file.keys()}
    try:
        config = ScaleFlowConfig(**json.loads(metadata.get("sizes", "{}")))
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: its metadata name no sizes of a model ({error})") from error
    codec = ScaleFlowCodec(config, with_priors=False)
    codec.load_frozen_tensors(tensors)
    return codec


def load_with_encoder(path: Path) -> ScaleFlowCodec | RecurrentCodec:
    """The codec that an encoder belongs to, with this encoder: its streams are those of the codec's weights.

    These are the shipped ones, or a file that lies beside the encoder or in the folder that ``SCALEFLOW_WEIGHTS``
    names.

    Raises:
        DataError: the file cannot be read, or the weights that it belongs to are not on this machine.
        UsageError: ``SCALEFLOW_WEIGHTS`` names no folder.
    """
    encoder = read_encoder(path)
    codec = _codec_of_hash(encoder.codec_hash, path.parent)
    if codec is None:
        raise DataError(
            f"{path}: is an encoder for other weights, {describe_weights(encoder.codec_hash)}, which are not on this "
            f"machine: put their file beside it, or in the folder that {FOLDER_VARIABLE} names"
        )
    give_encoder(codec.network, encoder)
    return codec


def _codec_of_hash(weights_hash: str, folder: Path) -> ScaleFlowCodec | RecurrentCodec | None:
    shipped = scaleflow_small()
    if shipped.weights_hash == weights_hash:
        return shipped
    found = find_weights(weights_hash) or find_weights(weights_hash, folder)
    if found is None:
        return None
    return load_recurrent(found) if weights_format(found) == RECURRENT_FORMAT else load_scaleflow(found)


def weights_format(path: Path) -> str:
    """What a weights file says of its layout; nothing where it says nothing.

    Raises:
        DataError: it cannot be read.
    """
    with opened_safetensors(path, "no such weights file", "not a safetensors file") as file:
        return str((file.metadata() or {}).get("format", ""))


def load_model(
    name: str = DEFAULT_MODEL,
    *,
    device: str = "cpu",
    precision: Precision = "fp32",
    weights: Path | None = None,
) -> VideoModel:
    """A model ready to code pictures.

    Args:
        name: ``default``, ``recurrent`` (with ``weights``), ``ssf2020-1`` to ``ssf2020-9`` (downloaded by CompressAI)
            or ``ssf2020:PATH``.
        device: ``auto`` (CUDA where there is one), ``cpu``, ``cuda`` or ``cuda:n``.
        precision: of the transforms; entropy coding is exact in either.
        weights: another weights file for ``default``, of this model or of the recurrent one, or another encoder for
            the weights of either.

    Raises:
        UsageError: unknown name, a device that is not there, or an ``ssf2020`` model without CompressAI.
        DataError: weights that are missing or do not fit.

    Example:
        >>> import scaleflow
        >>> model = scaleflow.load_model("default")
        >>> model.name, model.working_format, model.variable_rate
        ('default', 'yuv420', True)
    """
    place = choose_device(device)
    if precision not in ("fp32", "bf16"):
        raise UsageError(f"precision {precision!r} is unknown: use fp32 or bf16")
    with (
        standard_settings(place),
        torch.inference_mode(False),
    ):  # as weights are made, whatever the host program has set
        codec = _load(name, weights)
        codec.precision = precision
        return codec.to(place)


def _load(name: str, weights: Path | None) -> ScaleFlowCodec | RecurrentCodec | Ssf2020Codec:
    if name in STREAM_MODELS and weights is not None:
        form = weights_format(weights)
        if form == RECURRENT_FORMAT:
            return load_recurrent(weights)
        if form == ENCODER_FORMAT:
            return load_with_encoder(weights)
    if name == RECURRENT_MODEL:
        raise UsageError(f"model {name!r} comes with no weights yet: name a file of weights", fields=("weights",))
    if name == DEFAULT_MODEL:
        return scaleflow_small(weights)
    if not name.startswith("ssf2020"):
        raise UsageError(f"model {name!r} is unknown: use {', '.join(list_models())} or ssf2020:PATH")
    if weights is not None:
        raise UsageError(
            f"weights does not go with model {name!r}: name the file as model ssf2020:PATH",
            fields=("weights", "model"),
        )
    require_packages(f"model {name!r}", "compressai", ("compressai",))
    from scaleflow.codec.models.ssf2020_codec import load_ssf2020

    return load_ssf2020(name)


def list_models() -> list[str]:
    """Names that :func:`load_model` knows without a path.

    Example:
        >>> import scaleflow
        >>> "default" in scaleflow.list_models()
        True
    """
    return [DEFAULT_MODEL, *(f"ssf2020-{quality}" for quality in range(1, 10))]


def choose_device(device: str) -> torch.device:
    """The device of a name such as ``cuda:0`` or ``auto``. Raises :class:`UsageError` when it is not there."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
    except RuntimeError as error:
        raise UsageError(f"device {device!r} is unknown: use auto, cpu, cuda or cuda:N") from error
    if place.type not in ("cpu", "cuda"):
        raise UsageError(f"device {device!r} is not supported: use auto, cpu, cuda or cuda:N")
    if place.type == "cuda" and (not torch.cuda.is_available() or (place.index or 0) >= torch.cuda.device_count()):
        raise UsageError(
            f"device {device!r} is not there: {torch.cuda.device_count()} CUDA devices found; use device cpu",
            fields=("device",),
        )
    return place
