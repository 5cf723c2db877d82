"""Weights that a run continues from: a checkpoint, a weights file, or what is shipped."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from scaleflow.codec.models.encoder_weights import ENCODER_FORMAT
from scaleflow.codec.models.recurrent.codec import RecurrentCodec
from scaleflow.codec.models.recurrent.weights_file import WEIGHTS_FORMAT as RECURRENT_FORMAT
from scaleflow.codec.models.recurrent.weights_file import load_recurrent
from scaleflow.codec.models.registry import (
    DEFAULT_MODEL,
    load_scaleflow,
    load_with_encoder,
    scaleflow_small,
    weights_format,
)
from scaleflow.codec.models.scaleflow_codec import ScaleFlowCodec
from scaleflow.errors import DataError, UsageError
from scaleflow.training.codec.codec_weights import codec_weights
from scaleflow.training.codec.models.trainable import TrainableModel
from scaleflow.training.loop.checkpoint import load_checkpoint


def load_start(model: TrainableModel, start: str) -> None:
    """Give ``model`` the weights that ``model.start`` of a configuration names.

    Args:
        model: whatever weights it has.
        start: ``default`` for the shipped weights, a ``.safetensors`` file that ``scaleflow export`` wrote, or a
            checkpoint, of which the averaged weights are taken where there are some.

    Raises:
        UsageError: there is no such file.
        DataError: it is damaged, of another architecture, or not complete enough to go on.
    """
    if start == DEFAULT_MODEL or start.endswith(".safetensors"):
        weights = _exported_network(start, model.name).state_dict()
    else:
        weights = codec_weights(load_checkpoint(Path(start)))
    if difference := _difference(weights, model.network.state_dict()):
        raise DataError(f"{start}: is of another architecture than {model.name} as configured: {difference}")
    model.network.load_state_dict(weights)


def load_trainable_codec(start: str) -> ScaleFlowCodec:
    """The codec of ``default``, or of a ``.safetensors`` file that ``scaleflow export`` wrote, with float priors.

    Raises:
        UsageError: there is no such file.
        DataError: it is damaged, of another model, or holds integer priors only, which cannot be trained.
    """
    codec = load_codec_with_parts(start)
    if not isinstance(codec, ScaleFlowCodec):
        raise DataError(f"{start}: holds weights of the model {codec.name}, where those of default are needed")
    return codec


def load_codec_with_parts(start: str) -> ScaleFlowCodec | RecurrentCodec:
    """As :func:`load_trainable_codec`, of either model that gives the parts of its pictures."""
    _check_start(start)
    form = "" if start == DEFAULT_MODEL else weights_format(Path(start))
    if form == RECURRENT_FORMAT:
        return load_recurrent(Path(start))
    codec: ScaleFlowCodec | RecurrentCodec
    if form == ENCODER_FORMAT:
        codec = load_with_encoder(Path(start))
    else:
        codec = scaleflow_small() if start == DEFAULT_MODEL else load_scaleflow(Path(start))
    if isinstance(codec, ScaleFlowCodec):
        try:
            codec.trainable_network()
        except DataError as error:
            raise DataError(f"{start}: {error}") from error
    return codec


def _exported_network(start: str, name: str) -> nn.Module:
    """The network of a model from what ``scaleflow export`` wrote of it. Raises as :func:`load_trainable_codec`."""
    if name == "ssf2020" and start != DEFAULT_MODEL:
        from scaleflow.codec.models.ssf2020 import FROM_FILE, load_network

        _check_start(start)
        return load_network(f"{FROM_FILE}{start}")
    return load_codec_with_parts(start).network


def _check_start(start: str) -> None:
    if start != DEFAULT_MODEL and not Path(start).is_file():
        raise UsageError(f"{start}: there is no such weights file")


def _difference(given: dict[str, Tensor], wanted: dict[str, Tensor]) -> str:
    """The first thing that does not fit, or nothing."""
    for name, tensor in wanted.items():
        if name not in given:
            return f"it has no {name}"
        if given[name].shape != tensor.shape:
            return f"its {name} is {tuple(given[name].shape)}, not {tuple(tensor.shape)}"
    unknown = sorted(given.keys() - wanted.keys())
    return f"it has {unknown[0]}" if unknown else ""
