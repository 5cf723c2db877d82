"""FFNet: segmentation by a deep encoder of basic blocks and a small decoder.

Mehta et al., "Simple and Efficient Architectures for Semantic Segmentation", workshop on Efficient Deep Learning for
Computer Vision at CVPR 2022: residual networks of two 3x3 convolutions a block, without bottlenecks or dilation, see
more of the picture than bottlenecks of the same cost, and need no elaborate decoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from scaleflow.errors import UsageError

Stem = Literal["resnet", "slim", "three-stage"]
Size = Literal["A", "B", "C"]
Block = Literal["basic", "bottleneck"]
Upsampling = Literal["bilinear", "nearest"]

ADAPTED: dict[Size, tuple[int, int, int, int]] = {"A": (64, 128, 256, 512), "B": (64, 128, 128, 256), "C": (128,) * 4}
"""Channels of the branches behind their 1x1 adapters, from fine to coarse, by the size of the up-head."""

RAISED: dict[Size, tuple[int, int, int, int]] = {"A": (128,) * 4, "B": (96, 96, 64, 32), "C": (128, 16, 16, 16)}
"""Channels that each level gives to the segmentation head, from fine to coarse."""

HEADS: dict[Size, tuple[int, int]] = {"A": (512, 1), "B": (256, 3), "C": (128, 1)}
"""Channels of the segmentation head, and the kernel of its last convolution."""


@dataclass(frozen=True)
class FFNetConfig:
    """One member of the family.

    Attributes:
        blocks: of each stage: four, or three behind the ``three-stage`` stem.
        channels: of the features at four scales.
        stem: ``resnet`` (7x7 and max-pooling), ``slim`` (two strided 3x3) or ``three-stage`` (two strided 3x3 and one
            more, whose output is the finest branch).
        up_head, seg_head: sizes of the decoder's parts.
        strided: the first stage has a stride too, so that outputs are at an eighth of the picture instead of a quarter.
        upsampling: ``bilinear`` with aligned corners for large devices, ``nearest`` for mobile ones.
        block: ``bottleneck`` is the plain alternative of ResNet-50, four times as many channels outside of blocks.
    """

    blocks: tuple[int, ...]
    channels: tuple[int, int, int, int] = (64, 128, 192, 320)
    stem: Stem = "slim"
    up_head: Size = "B"
    seg_head: Size = "B"
    strided: bool = False
    upsampling: Upsampling = "nearest"
    block: Block = "basic"

    def __post_init__(self) -> None:
        for name, kind in (("stem", Stem), ("up_head", Size), ("seg_head", Size), ("upsampling", Upsampling),
                           ("block", Block)):  # fmt: skip
            if getattr(self, name) not in get_args(kind):
                raise UsageError(f"{name} = {getattr(self, name)!r} is none of {', '.join(get_args(kind))}")
        stages = 3 if self.stem == "three-stage" else 4
        if len(self.blocks) != stages or min(self.blocks) < 1:
            raise UsageError(f"blocks = {self.blocks}: {stages} numbers from 1 on are needed behind stem {self.stem!r}")
        if min(self.channels) < 1:
            raise UsageError(f"channels = {self.channels} must be 1 or more")
        if self.strided and self.stem == "three-stage":
            raise UsageError("strided: the three-stage stem has no first stage to stride")


def _slim(*blocks: int) -> FFNetConfig:
    return FFNetConfig(blocks)


def _large(*blocks: int) -> FFNetConfig:
    channels = (64, 128, 256, 512)
    return FFNetConfig(blocks, channels, "resnet", "A", "A", upsampling="bilinear")


def _three_stage(channels: tuple[int, int, int, int], *blocks: int) -> FFNetConfig:
    return FFNetConfig(blocks, channels, "three-stage")


NARROW, NARROW_SLIM = (64, 96, 160, 320), (64, 64, 128, 256)

FFNETS: dict[str, FFNetConfig] = {
    "ffnet-18": _large(2, 2, 2, 2),
    "ffnet-34": _large(3, 4, 6, 3),
    "ffnet-56": _large(4, 8, 12, 3),
    "ffnet-86": _large(8, 12, 16, 6),
    "ffnet-134": _large(8, 18, 28, 12),
    "ffnet-150": _large(16, 18, 28, 12),
    "ffnet-22s": _slim(2, 3, 3, 2),
    "ffnet-30s": _slim(3, 4, 4, 3),
    "ffnet-40s": _slim(4, 5, 6, 4),
    "ffnet-54s": _slim(5, 8, 8, 5),
    "ffnet-78s": _slim(6, 12, 12, 8),
    "ffnet-46n": _three_stage(NARROW, 6, 8, 8),
    "ffnet-74n": _three_stage(NARROW, 8, 12, 16),
    "ffnet-122n": _three_stage(NARROW, 16, 24, 20),
    "ffnet-46ns": _three_stage(NARROW_SLIM, 6, 8, 8),
    "ffnet-74ns": _three_stage(NARROW_SLIM, 8, 12, 16),
    "ffnet-122ns": _three_stage(NARROW_SLIM, 16, 24, 20),
    "ffnet-10s": FFNetConfig((1, 1, 1, 1), up_head="C", seg_head="C"),
    "ffnet-14s": FFNetConfig((1, 2, 2, 1), up_head="C", seg_head="C"),
    "bottleneck-20s": FFNetConfig((1, 2, 2, 1), (48, 96, 144, 240), up_head="C", seg_head="C", block="bottleneck"),
}
"""By name: numbers count the encoder's convolutions, S is slim, N narrow. The last three are not the paper's: they are
for CPUs, and ``bottleneck-20s`` is what ``ffnet-14s`` is to be compared with: as many blocks, of the kind that the
paper argues against, with channels for about the same time."""


def ffnet(name: str, classes: int) -> FFNet:
    """A named member with weights drawn by chance. Raises :class:`UsageError` for another name."""
    if name not in FFNETS:
        raise UsageError(f"network {name!r} is unknown: use {', '.join(FFNETS)}")
    return FFNet(FFNETS[name], classes)


class FFNet(nn.Module):
    """Takes pictures (N, 3, H, W) in 0..1 and gives (N, classes, H / 4, W / 4), rounded up, or an eighth if strided.

    Attributes:
        ends: names of the first and the last convolution.
    """

    ends = ("stem.0.0", "seg_head.1")

    def __init__(self, config: FFNetConfig, classes: int) -> None:
        super().__init__()
        if classes < 1:
            raise UsageError(f"classes = {classes} must be 1 or more")
        self.config = config
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.tensor((0.485, 0.456, 0.406)).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor((0.229, 0.224, 0.225)).view(3, 1, 1), persistent=False)
        self.stem = _stem(config.stem)
        expansion = 4 if config.block == "bottleneck" else 1
        channels = [expansion * count for count in config.channels]
        if config.stem == "three-stage":
            channels[0] = STEM_CHANNELS
        self.stages = nn.ModuleList()
        inputs = STEM_CHANNELS
        own = config.channels[-len(config.blocks) :]
        for number, (count, outputs) in enumerate(zip(config.blocks, own, strict=True)):
            stride = 1 if number == 0 and len(own) == 4 and not config.strided else 2
            self.stages.append(_stage(config.block, inputs, outputs, count, stride))
            inputs = expansion * outputs
        self.up_head = UpHead(tuple(channels), config.up_head, config.upsampling)
        width, kernel = HEADS[config.seg_head]
        self.seg_head = nn.Sequential(
            convolution(sum(RAISED[config.up_head]), width, 3), nn.Conv2d(width, classes, kernel, padding=kernel // 2)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        x = self.stem((x - self.mean) / self.deviation)
        features = [x] if len(self.stages) == 3 else []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        output: Tensor = self.seg_head(self.up_head(features))
        return output


class UpHead(nn.Module):
    """From features at four scales to one set at the finest: adapters, sums from coarse to fine, 3x3, all joined."""

    def __init__(self, channels: tuple[int, ...], size: Size, upsampling: Upsampling) -> None:
        super().__init__()
        adapted, raised = ADAPTED[size], RAISED[size]
        self.adapters = nn.ModuleList(map(convolution, channels, adapted, (1,) * 4))
        self.down = nn.ModuleList([convolution(adapted[level + 1], adapted[level], 1) for level in range(3)])
        self.levels = nn.ModuleList(map(convolution, adapted, raised, (3,) * 4))
        self.upsampling = upsampling

    def forward(self, features: list[Tensor]) -> Tensor:
        """Features (N, C, H, W), from fine to coarse, to (N, sum of the levels' channels, H, W) of the finest."""
        sums = [adapter(feature) for adapter, feature in zip(self.adapters, features, strict=True)]
        for level in (2, 1, 0):
            sums[level] = sums[level] + self._enlarge(self.down[level](sums[level + 1]), sums[level])
        raised = [level(feature) for level, feature in zip(self.levels, sums, strict=True)]
        return torch.cat([raised[0], *(self._enlarge(level, raised[0]) for level in raised[1:])], 1)

    def _enlarge(self, x: Tensor, like: Tensor) -> Tensor:
        corners = True if self.upsampling == "bilinear" else None
        return F.interpolate(x, size=like.shape[-2:], mode=self.upsampling, align_corners=corners)


STEM_CHANNELS = 64


def _stem(kind: Stem) -> nn.Sequential:
    if kind == "resnet":
        return nn.Sequential(convolution(3, STEM_CHANNELS, 7, 2), nn.MaxPool2d(3, 2, 1))
    if kind == "slim":
        return nn.Sequential(convolution(3, 32, 3, 2), convolution(32, STEM_CHANNELS, 3, 2))
    strided = convolution(3, STEM_CHANNELS, 3, 2), convolution(STEM_CHANNELS, STEM_CHANNELS, 3, 2)
    return nn.Sequential(*strided, convolution(STEM_CHANNELS, STEM_CHANNELS, 3))


def _stage(kind: Block, inputs: int, channels: int, blocks: int, stride: int) -> nn.Sequential:
    block = Bottleneck if kind == "bottleneck" else BasicBlock
    outputs = channels * block.expansion
    shortcut = None
    if stride != 1 or inputs != outputs:
        shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
    first = block(inputs, channels, stride, shortcut)
    return nn.Sequential(first, *(block(outputs, channels) for _ in range(blocks - 1)))


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution that keeps the size but for its stride, batch norm and ReLU."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))
