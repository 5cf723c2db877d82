"""The identity of a set of weights, which streams carry."""

from __future__ import annotations

import hashlib

from torch import Tensor


def hash_tensors(tensors: dict[str, Tensor]) -> str:
    """SHA-256, as hexadecimal digits, of names, types, shapes and bytes of all tensors."""
    digest = hashlib.sha256()
    for key in sorted(tensors):
        tensor = tensors[key]
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()
