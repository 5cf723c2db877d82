"""All networks. A new one is registered here, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from torch import nn

from scaleflow.efficient_nets.networks.dense_prediction import DensePredictionNetwork
from scaleflow.efficient_nets.networks.description import AnyBackbone, NetworkDescription
from scaleflow.efficient_nets.networks.efficientnet_lite import EfficientNetLiteBackbone
from scaleflow.efficient_nets.networks.ffnet import FFNETS, ffnet
from scaleflow.efficient_nets.networks.resnet import ResNetBackbone
from scaleflow.efficient_nets.networks.settings import NetworkSettings
from scaleflow.efficient_nets.networks.unet import UNet
from scaleflow.efficient_nets.networks.vision_transformer import (
    TransformerConfig,
    TransformerRestoration,
    TransformerSegmentation,
    base,
    small,
    tiny,
)
from scaleflow.efficient_nets.registry import Registry
from scaleflow.efficient_nets.tasks.description import Gives

SIZES: Mapping[str, Callable[..., TransformerConfig]] = {"vit-tiny": tiny, "vit-small": small, "vit-base": base}

SKIPPING = "-skipat"
"""Ends the name of a transformer of which some blocks skip attention."""

PATCH, RESTORATION_PATCH = 16, 8
"""Sides of a transformer's patches for labels and for pictures, where nothing else is said."""


def _with_decoder(
    name: str, settings: tuple[str, ...], backbone: Callable[[NetworkSettings], AnyBackbone]
) -> NetworkDescription:
    def build(given: NetworkSettings, outputs: int, gives: Gives) -> nn.Module:
        return DensePredictionNetwork(backbone(given), outputs, given.decoder)

    return NetworkDescription(name, (*settings, "decoder"), build, backbone=backbone)


def _unet(settings: NetworkSettings, outputs: int, gives: Gives) -> nn.Module:
    return UNet(outputs, settings.width, residual=gives == "pictures")


def _ffnet(name: str) -> NetworkDescription:
    return NetworkDescription(name, (), lambda settings, outputs, gives: ffnet(name, outputs))


def _transformer(name: str, size: Callable[..., TransformerConfig], skips: bool) -> NetworkDescription:
    def config(settings: NetworkSettings, gives: Gives) -> TransformerConfig:
        usual = RESTORATION_PATCH if gives == "pictures" else PATCH
        return size(settings.skipped if skips else None, patch=settings.patch or usual)

    def build(settings: NetworkSettings, outputs: int, gives: Gives) -> nn.Module:
        if gives == "pictures":
            return TransformerRestoration(config(settings, gives))
        return TransformerSegmentation(config(settings, gives), outputs)

    def check(settings: NetworkSettings) -> None:
        config(settings, "labels")

    return NetworkDescription(
        name,
        ("patch", "skipped") if skips else ("patch",),
        build,
        gives_pictures=True,
        size_step=lambda settings, gives: config(settings, gives).patch,
        check=check,
    )


def _transformers() -> Iterator[NetworkDescription]:
    yield from (_transformer(name, size, False) for name, size in SIZES.items())
    yield from (_transformer(name + SKIPPING, size, True) for name, size in SIZES.items())


NETWORKS: Registry[NetworkDescription] = Registry(
    "network.name =",
    [
        _with_decoder("resnet", ("width", "blocks"), lambda given: ResNetBackbone(given.width, given.blocks)),
        _with_decoder("efficientnet-lite0", (), lambda given: EfficientNetLiteBackbone()),
        NetworkDescription("unet", ("width",), _unet, gives_pictures=True, resolution="full"),
        *map(_ffnet, FFNETS),
        *_transformers(),
    ],
)
