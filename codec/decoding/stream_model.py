"""The model that a stream needs, checked against what its header says."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from scaleflow.codec.container import SfvHeader
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.errors import DataError, UsageError


def load_stream_model(
    header: SfvHeader, *, device: str = "cpu", model: str | None = None, weights: Path | None = None
) -> VideoModel:
    """Load the model that the header names, in the stream's precision.

    Args:
        header: of the stream to decode.
        device: see :func:`scaleflow.codec.models.registry.load_model`.
        model: another name or place of the model than the header's.
        weights: another file of weights.

    Raises:
        UsageError: the precision or the model is unknown here.
        DataError: the weights are missing, or are not those that the stream was encoded with.
    """
    from scaleflow.codec.models.registry import load_model

    if header.precision not in ("fp32", "bf16"):
        raise DataError(f"the stream needs precision {header.precision!r}, which is unknown here: update scaleflow")
    precision: Literal["fp32", "bf16"] = "bf16" if header.precision == "bf16" else "fp32"
    try:
        loaded = load_model(model or header.model, device=device, precision=precision, weights=weights)
    except UsageError as error:
        if model is None and "unknown" in str(error) and header.model in str(error):
            raise DataError(
                f"the stream was coded by {header.model!r}, which is unknown here: name another model",
                fields=("model",),
            ) from error
        raise
    check_weights(header, loaded)
    return loaded


def check_weights(header: SfvHeader, model: VideoModel) -> None:
    """Refuse a model that would decode to garbage.

    Raises:
        DataError: its weights or its working format are not those of the stream.
    """
    if model.weights_hash != header.weights_hash:
        raise DataError(
            f"the stream was encoded by {header.model} of hash {header.weights_hash}, but {model.name} is of hash "
            f"{model.weights_hash} here: give the right model or weights"
            + (f", or install {header.software.replace(' ', ' version ')}" if header.software else ""),
            fields=("model", "weights"),
        )
    if model.working_format != header.video.working_format:
        raise DataError(
            f"the stream holds {header.video.working_format} pictures, model {model.name} makes {model.working_format}"
        )
