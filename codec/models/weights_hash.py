"""The identity of a set of weights, which streams carry."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from torch import Tensor

FOR_TRAINING = "training."
"""How names begin of tensors that coding does not need: these are not part of the identity."""


def hash_tensors(tensors: dict[str, Tensor]) -> str:
    """SHA-256, as hexadecimal digits, of names, types, shapes and bytes of all tensors."""
    return hash_named_tensors((key, tensors[key]) for key in sorted(tensors))


def hash_named_tensors(tensors: Iterable[tuple[str, Tensor]]) -> str:
    """:func:`hash_tensors` of tensors that come one at a time, by rising names."""
    digest = hashlib.sha256()
    for key, tensor in tensors:
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()


def hash_weights(tensors: dict[str, Tensor]) -> str:
    """:func:`hash_tensors` of what coding needs of a weights file."""
    return hash_tensors({key: value for key, value in tensors.items() if not key.startswith(FOR_TRAINING)})
