"""Networks that look less, and their plain alternatives, by the names that the command line takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from torch import nn

from scaleflow.efficient_nets.networks.ffnet import FFNETS, ffnet
from scaleflow.efficient_nets.networks.unet import UNet
from scaleflow.efficient_nets.networks.vision_transformer import (
    TransformerConfig,
    TransformerRestoration,
    TransformerSegmentation,
    base,
    small,
    tiny,
)
from scaleflow.errors import UsageError

RESTORATION = "restoration"
"""The task whose outputs are pictures."""

SIZES: Mapping[str, Callable[..., TransformerConfig]] = {"vit-tiny": tiny, "vit-small": small, "vit-base": base}

SKIPPING = "-skipat"
"""Ends the name of a transformer of which some blocks skip attention."""

TRANSFORMERS = (*SIZES, *(f"{name}{SKIPPING}" for name in SIZES))

NAMED_NETWORKS = ("unet", *FFNETS, *TRANSFORMERS)

PATCH, RESTORATION_PATCH = 16, 8
"""Sides of a transformer's patches for labels and for pictures, where nothing else is said."""

FULL_RESOLUTION = ("unet",)
"""Networks whose output has the size of the picture, where the others' has a quarter of its lines and columns."""


def network_settings_of(name: str) -> tuple[str, ...]:
    """Which settings of :class:`scaleflow.efficient_nets.networks.weights_file.Architecture` a network has, beside its
    name."""
    if name == "resnet":
        return ("width", "blocks", "decoder")
    if name == "efficientnet-lite0":
        return ("decoder",)
    if name in TRANSFORMERS:
        return ("patch", "skipped") if name.endswith(SKIPPING) else ("patch",)
    return ("width",) if name == "unet" else ()


def check_network_settings(name: str, given: Iterable[str]) -> None:
    """Raises :class:`UsageError` where settings were given that a network does not have."""
    known = network_settings_of(name)
    for setting in given:
        if setting not in ("name", "start", *known):
            raise UsageError(f"network.{setting}: {name} has no such setting; it has {', '.join(known) or 'none'}")


def transformer_config(name: str, task: str, patch: int, skipped: tuple[int, int]) -> TransformerConfig:
    """A transformer.

    Args:
        name: one of :data:`TRANSFORMERS`.
        task: what it is for.
        patch: side of its patches; 0 for the usual one of the task.
        skipped: first and last block that skip attention, of names that end with :data:`SKIPPING`.

    Raises:
        UsageError: a setting is refused.
    """
    size = SIZES[name.removesuffix(SKIPPING)]
    usual = RESTORATION_PATCH if task == RESTORATION else PATCH
    return size(skipped if name.endswith(SKIPPING) else None, patch=patch or usual)


def named_network(name: str, task: str, outputs: int, *, width: int, patch: int, skipped: tuple[int, int]) -> nn.Module:
    """A network of :data:`NAMED_NETWORKS` with weights drawn by chance.

    Args:
        task: what it is for.
        outputs: classes, or points; of restoration 3.
        width: channels of the finest level of ``unet``.
        patch, skipped: see :func:`transformer_config`.

    Raises:
        UsageError: the network is not for the task, or a setting is refused.
    """
    if name in TRANSFORMERS:
        config = transformer_config(name, task, patch, skipped)
        return TransformerRestoration(config) if task == RESTORATION else TransformerSegmentation(config, outputs)
    if name == "unet":
        return UNet(outputs, width, residual=task == RESTORATION)
    return ffnet(name, outputs)


def check_task(name: str, task: str) -> None:
    """Raises :class:`UsageError` where a network cannot do a task."""
    if task == RESTORATION and name != "unet" and name not in TRANSFORMERS:
        raise UsageError(f"network.name = {name}: gives no pictures: use {', '.join(('unet', *TRANSFORMERS))}")
    if task in ("keypoints", "detection") and name in FULL_RESOLUTION:
        raise UsageError(
            f"network.name = {name}: its outputs are as large as the picture, and {task} is learned at a "
            "quarter of that: use resnet or another"
        )
