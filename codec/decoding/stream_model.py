"""The model that a stream needs, checked against what its header says.

A header is data: the name in it is only compared with the names of models that come with ScaleFlow. Everything else, a
file, a folder or a model whose weights are downloaded, is what the user names.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Literal

from scaleflow.codec.container import SfvHeader
from scaleflow.codec.models.released_weights import RELEASED_WEIGHTS, describe_weights
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.models.weights_folder import FOLDER_VARIABLE, find_weights
from scaleflow.errors import DataError

logger = logging.getLogger(__name__)


def load_stream_model(
    header: SfvHeader,
    *,
    device: str = "cpu",
    model: str | None = None,
    weights: str | os.PathLike[str] | None = None,
    weights_folder: str | os.PathLike[str] | None = None,
) -> VideoModel:
    """Load the model that the header names, in the stream's precision.

    The header's name leads to weights that come with ScaleFlow, and to no other file: it opens no path and starts no
    download. Where the model's own weights are not those of the stream, and none are named, the file that has the
    stream's hash is looked for in a folder.

    Args:
        header: of the stream to decode.
        device: see :func:`scaleflow.codec.models.registry.load_model`.
        model: another name or place of the model than the header's; may be downloaded.
        weights: another file of weights; of a stream of ``ssf2020``, a checkpoint of it.
        weights_folder: of weights files; without, the folder that the environment variable ``SCALEFLOW_WEIGHTS``
            names, if it names any.

    Raises:
        UsageError: the model that is named is unknown here, or there is no such folder.
        DataError: the header's model does not come with ScaleFlow, or the weights are missing, or are not those that
            the stream was encoded with.
    """
    from scaleflow.codec.models.registry import DEFAULT_MODEL, RECURRENT_MODEL, load_model

    if header.precision not in ("fp32", "bf16"):
        raise DataError(f"the stream needs precision {header.precision!r}, which is unknown here: update scaleflow")
    precision: Literal["fp32", "bf16"] = "bf16" if header.precision == "bf16" else "fp32"
    place = None if weights is None else Path(weights)
    name = model if model is not None else _known_name(header, place)
    if name is None:
        name, place = f"ssf2020:{place}", None
    if name == RECURRENT_MODEL and place is None and model is None:
        place = find_weights(header.weights_hash, weights_folder)
        if place is None:
            needed = f"the stream was coded by {name!r}, {describe_weights(header.weights_hash)}"
            raise DataError(": ".join((needed, _remedy(header))), fields=("weights", "weights_folder"))
    loaded = load_model(name, device=device, precision=precision, weights=place)
    if loaded.weights_hash != header.weights_hash and model is None and place is None and name == DEFAULT_MODEL:
        found = find_weights(header.weights_hash, weights_folder)
        if found is not None:
            logger.info("weights of the stream: %s", found)
            loaded = load_model(name, device=device, precision=precision, weights=found)
    check_weights(header, loaded)
    return loaded


def _known_name(header: SfvHeader, weights: Path | None) -> str | None:
    """The header's model where its name is enough; None where it is ``ssf2020`` and the user gave its checkpoint.

    Raises:
        DataError: nothing but the user can say where the model is.
    """
    from scaleflow.codec.models.registry import STREAM_MODELS, list_models

    if header.model in STREAM_MODELS:
        return header.model
    if header.model.startswith("ssf2020"):
        if weights is not None:
            return None
        unshipped = f"the stream was coded by {header.model!r}, which does not come with ScaleFlow"
        if header.model not in list_models():
            raise DataError(f"{unshipped}: name its checkpoint as weights", fields=("weights",))
        raise DataError(
            f"{unshipped}: name model {header.model}, or its checkpoint as weights", fields=("model", "weights")
        )
    raise DataError(
        f"the stream was coded by {header.model!r}, which is unknown here: name another model", fields=("model",)
    )


def check_weights(header: SfvHeader, model: VideoModel) -> None:
    """Refuse a model that would decode to garbage.

    Raises:
        DataError: its weights or its working format are not those of the stream.
    """
    if model.weights_hash != header.weights_hash:
        needed, present = describe_weights(header.weights_hash), describe_weights(model.weights_hash)
        message = f"the stream was encoded by {header.model}, {needed}, but {model.name} is {present} here"
        raise DataError(": ".join((message, _remedy(header))), fields=("weights", "weights_folder"))
    if model.working_format != header.video.working_format:
        raise DataError(
            f"the stream holds {header.video.working_format} pictures, model {model.name} makes {model.working_format}"
        )


def _remedy(header: SfvHeader) -> str:
    """Where the weights of a stream come from, and how they are named."""
    named = f"give the file as weights, or its folder as weights_folder or in {FOLDER_VARIABLE}"
    released = RELEASED_WEIGHTS.get(header.weights_hash)
    if released is None:
        return named + (f"; the stream was written by {header.software}" if header.software else "")
    return (
        f"{released.name} came with ScaleFlow {released.release} of {released.shipped}: in a clone of the repository, "
        f"'{released.command}' writes its file; {named}"
    )
