"""Weights files of networks that belong to the weights of a codec, which they name by hash: safetensors in float16."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import save as serialized
from torch import Tensor

from scaleflow.errors import DataError
from scaleflow.safetensors_file import opened_safetensors

HASH = re.compile("[0-9A-Za-z]{1,128}")
"""What is said of a hash before it is compared: it is shown in messages."""


@dataclass(frozen=True)
class CompanionWeights:
    """What such a file holds: tensors and metadata, whose values are not checked, and the hash of the codec's weights,
    which is what the file says."""

    tensors: dict[str, Tensor]
    metadata: Mapping[str, str]
    codec_hash: str


def serialized_companion(
    tensors: Mapping[str, Tensor], form: str, codec_hash: str, training: tuple[str, ...], **metadata: str
) -> bytes:
    """The file; ``form`` names its layout, ``training`` is what is said of its training."""
    halved = {name: value.detach().cpu().half().contiguous() for name, value in tensors.items()}
    return serialized(halved, {"format": form, "codec": codec_hash, "training": json.dumps(training), **metadata})


def read_companion(
    path: Path, form: str, kind: str, *, missing: str, other: str, hashes: re.Pattern[str] = HASH
) -> CompanionWeights:
    """Inverse of :func:`serialized_companion`.

    Args:
        form: the layout; another one is refused.
        kind: what is expected, as in "holds no KIND".
        missing, other: said of a file that is not there, and of one that is damaged or of another kind.
        hashes: what the hash of a codec's weights looks like; messages show it.

    Raises:
        DataError: there is no such file, it is damaged, or none of these.
    """
    with opened_safetensors(path, missing, other) as file:
        metadata = file.metadata() or {}
        found = metadata.get("format", "")
        if found != form:
            raise DataError(f"{path}: holds {found[:40]!r}, no {kind} ({form!r})")
        tensors = {key: file.get_tensor(key) for key in file.keys()}
    codec_hash = metadata.get("codec", "")
    if not hashes.fullmatch(codec_hash):
        raise DataError(f"{path}: does not name the codec's weights that it belongs to: codec is {codec_hash[:40]!r}")
    return CompanionWeights(tensors, metadata, codec_hash)
