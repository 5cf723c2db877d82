"""The paper's original network with its published weights: CompressAI's ``ssf2020``.

Agustsson et al., "Scale-space flow for end-to-end optimized video compression", CVPR 2020. The network is CompressAI's
own class, so that its nine published checkpoints (one for each rate) load and give what they give there.
"""

from __future__ import annotations

import contextlib
import http.client
import logging
import math
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from compressai.models.video import ScaleSpaceFlow
from compressai.zoo.pretrained import load_pretrained
from compressai.zoo.video import model_urls
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from scaleflow.codec.models.ssf2020_gains import VariableRateScaleSpaceFlow
from scaleflow.errors import DataError, UsageError
from scaleflow.torch_file import read_torch_file

logger = logging.getLogger(__name__)

QUALITIES = range(1, 10)
"""Checkpoints that CompressAI publishes, from the lowest rate to the highest."""

_PUBLISHED = re.compile(r"ssf2020-(\d+)")
_PUBLISHED_HASH = re.compile(r"-([0-9a-f]{8,64})\.")
"""In the names of the published files: how the SHA-256 of their content begins."""

FROM_FILE = "ssf2020:"
"""Stands before the checkpoint file in the name of a model."""


def is_ssf2020_name(name: str) -> bool:
    """Whether ``name`` is ``ssf2020-1`` to ``ssf2020-9`` or ``ssf2020:PATH``."""
    match = _PUBLISHED.fullmatch(name)
    return (match is not None and int(match[1]) in QUALITIES) or (name.startswith(FROM_FILE) and name != FROM_FILE)


def load_network(name: str) -> ScaleSpaceFlow:
    """The network that ``name`` stands for, with its weights, for inference on the CPU.

    Published weights are downloaded where torch's cache has none, so that ``name`` has to be the user's, not a file's.

    Raises:
        UsageError: not a name of this kind.
        DataError: the weights cannot be had, or are not those of this network.
    """
    if not is_ssf2020_name(name):
        raise UsageError(f"model {name!r} is unknown: use ssf2020-1 to ssf2020-9, or ssf2020:PATH for a checkpoint")
    if name.startswith(FROM_FILE):
        network = _from_file(Path(name.removeprefix(FROM_FILE)).expanduser())
    else:
        network = _published(int(name.rpartition("-")[2]))
    return network.eval().requires_grad_(False)


def cached_checkpoint(quality: int) -> Path:
    """Where CompressAI keeps the published checkpoint of ``quality`` (1..9): torch's cache."""
    url: str = model_urls["ssf2020"]["mse"][quality]
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name


def _published(quality: int) -> ScaleSpaceFlow:
    path = cached_checkpoint(quality)
    if not path.exists():
        _download(quality, path)
    try:
        return _from_file(path)
    except DataError as error:
        raise DataError(f"{error}; check its permissions, or delete it to have it downloaded again") from error


def _download(quality: int, path: Path) -> None:
    """Fetch a published checkpoint, which appears only when its content has the hash that its name says.

    Raises:
        DataError: there is no network, or the content is another.
    """
    url: str = model_urls["ssf2020"]["mse"][quality]
    begins = _PUBLISHED_HASH.search(path.name)
    if begins is None:
        raise DataError(f"ssf2020-{quality}: {url} names no hash of its content, so that it is not downloaded")
    logger.info("ssf2020-%d: downloads %s into torch's cache, %s", quality, url, path.parent)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # torch announces downloads on stdout, which may be carrying a video
        with contextlib.redirect_stdout(sys.stderr):
            torch.hub.download_url_to_file(url, str(path), begins[1], progress=bool(sys.stderr and sys.stderr.isatty()))
    except (OSError, http.client.HTTPException) as error:
        raise DataError(
            f"ssf2020-{quality}: the download of {url} failed ({error}); connect to the network once, or place that "
            f"file in {path.parent}, or name a local copy with ssf2020:path/to/file.pth.tar"
        ) from error
    except RuntimeError as error:  # torch's word for another hash
        raise DataError(f"ssf2020-{quality}: what {url} gave is not the published file ({error})") from error


def _from_file(path: Path) -> ScaleSpaceFlow:
    state = _read_tensors(path)
    try:
        if any(key.startswith("gains.") for key in state):
            return VariableRateScaleSpaceFlow.from_state_dict(load_pretrained(state))
        return ScaleSpaceFlow.from_state_dict(load_pretrained(state))
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise DataError(f"{path}: its tensors are not those of ssf2020 ({_first_line(error)})") from error


def _read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors by name from a safetensors file, or from a checkpoint of torch without running anything stored in it."""
    if not path.is_file():
        raise DataError(f"{path}: no such checkpoint file")
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        loaded = read_torch_file(path)
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path}: not a checkpoint that holds only tensors ({_first_line(error)})") from error
    except DataError as error:
        raise DataError(f"{error}: not a checkpoint that holds only tensors") from error
    if isinstance(loaded, dict):
        loaded = loaded.get("state_dict", loaded)  # what CompressAI's training example saves
    if not isinstance(loaded, dict) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in loaded.items()
    ):
        raise DataError(f"{path}: expected tensors by name, or a 'state_dict' of them")
    return loaded


def _first_line(error: Exception) -> str:
    """What torch says on many lines, on one: its heading and the first particular."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2])[:200] if lines else type(error).__name__


def bits_of_likelihoods(likelihoods: dict[str, Any]) -> Tensor:
    """Of each clip, (N,): of all tensors (N, ...) in what CompressAI's models give for a picture, however deep."""
    bits: list[Tensor] = []
    for part in likelihoods.values():
        if isinstance(part, dict):
            bits.append(bits_of_likelihoods(part))
        else:
            bits.append(part.float().log().flatten(1).sum(1) / -math.log(2))
    return torch.stack(bits).sum(0)
