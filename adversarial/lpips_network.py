"""The network of LPIPS (Zhang et al., CVPR 2018): network alex, heads of version 0.1.

The heads come with the package lpips. The AlexNet that they stand on is torchvision's, trained on ImageNet, whose
weights come with no package and are never fetched from here: they are read from a file, or from torchvision's own
cache where they lie there already.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from scaleflow.errors import DataError, UsageError
from scaleflow.torch_file import read_torch_file

CACHED_BACKBONE = "alexnet-owt-7be5be79.pth"
"""torchvision's name of AlexNet's weights of ImageNet, by which its cache holds them."""

LEAST_SIDE = 32
"""Of smaller pictures AlexNet's strides and poolings leave nothing to compare in its last layers."""

_LAYERS = {"0": "slice1", "3": "slice2", "6": "slice3", "8": "slice4", "10": "slice5"}
"""Convolutions of torchvision's ``features`` and where the package lpips keeps them."""


def find_backbone(given: Path | None = None) -> Path:
    """The file with AlexNet's weights: the one that is given, or that of torchvision's cache.

    Raises:
        UsageError: there is none; says how to get it.
    """
    if given is not None:
        if not given.is_file():
            raise UsageError(f"{given}: there is no such file of LPIPS backbone weights")
        return given
    cached = Path(torch.hub.get_dir()) / "checkpoints" / CACHED_BACKBONE
    if not cached.is_file():
        raise UsageError(
            f"LPIPS needs AlexNet's ImageNet weights, which are not downloaded from here: get "
            f"https://download.pytorch.org/models/{CACHED_BACKBONE} and give it as lpips_backbone, or put it into "
            f"{cached.parent}",
            fields=("lpips_backbone",),
        )
    return cached


def load_lpips(backbone: Path) -> torch.nn.Module:
    """The network of LPIPS, for two tensors of shape (n, 3, height, width) in -1..1.

    Args:
        backbone: AlexNet's weights under torchvision's names, with or without its classifier; safetensors or pth.

    Raises:
        DataError: the file cannot be read or lacks weights.
    """
    import lpips

    weights = _read_weights(backbone)
    # The package draws random weights first; nobody else's random numbers are to change by that.
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # It calls torchvision by an older name.
        network: torch.nn.Module = lpips.LPIPS(net="alex", version="0.1", pnet_rand=True, verbose=False)
    parameters = dict(network.named_parameters())
    with torch.no_grad():
        for layer, place in _LAYERS.items():
            for kind in ("weight", "bias"):
                name, target = f"features.{layer}.{kind}", parameters[f"net.{place}.{layer}.{kind}"]
                value = weights.get(name)
                if value is None or value.shape != target.shape:
                    found = "is missing" if value is None else f"has shape {tuple(value.shape)}"
                    raise DataError(
                        f"{backbone}: {name} {found}; AlexNet's weights under torchvision's names are needed"
                    )
                target.copy_(value)
    return network.eval()


def _read_weights(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = read_torch_file(path)
    except (SafetensorError, OSError, DataError) as error:
        raise DataError(f"{path}: cannot be read as weights ({type(error).__name__})") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: holds no weights by name")
    return {name: value for name, value in content.items() if isinstance(value, Tensor)}
