"""A denoising UNet for pictures of any size, that can be entered and left at any of its scales.

Ho, Jain, Abbeel, "Denoising Diffusion Probabilistic Models", NeurIPS 2020: blocks on the way down, a middle, and blocks
on the way up that also see what lay at their scale on the way down. Ours has no attention, so that its cost grows with
the number of samples alone, and works on squares of samples (``patch``), which makes the finest scale cheaper.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaleflow.efficient_nets.diffusion.residual_block import ResidualBlock, TimeEmbedding
from scaleflow.errors import UsageError

MOST_CHANNELS = 1024
MOST_BLOCKS = 64
"""Of files of others, too: a network is built before it is known whether its weights are there."""


@dataclass(frozen=True)
class UNetConfig:
    """Sizes of a UNet.

    Attributes:
        channels: of each scale, the finest first.
        blocks: residual blocks of each scale on the way down; on the way up there is one more.
        patch: side of the squares of samples that become channels of the finest scale.
        groups: of the group normalisations, where the channels can be divided so.
        inputs, outputs: channels of the samples; inputs with what is given as a condition.
    """

    channels: tuple[int, ...]
    blocks: tuple[int, ...]
    patch: int = 2
    groups: int = 8
    inputs: int = 6
    outputs: int = 3

    def __post_init__(self) -> None:
        if len(self.channels) < 2 or len(self.channels) != len(self.blocks):
            raise UsageError(
                f"channels = {self.channels}, blocks = {self.blocks}: both need a number for each of two scales or more"
            )
        for name, least, most in (("channels", 2, MOST_CHANNELS), ("blocks", 1, MOST_BLOCKS)):
            if not all(least <= value <= most for value in getattr(self, name)):
                raise UsageError(f"{name} = {getattr(self, name)}: each must be {least} to {most}")
        for name in ("patch", "groups", "inputs", "outputs"):
            if not 1 <= getattr(self, name) <= MOST_CHANNELS:
                raise UsageError(f"{name} = {getattr(self, name)} is outside 1..{MOST_CHANNELS}")

    @property
    def multiple(self) -> int:
        """What sides of samples must be a multiple of."""
        return int(self.patch * 2 ** (len(self.channels) - 1))

    @property
    def embedding(self) -> int:
        """Channels of the time embedding."""
        return 4 * self.channels[0]


def tiny_unet() -> UNetConfig:
    """For tests: 0.02 million parameters."""
    return UNetConfig(channels=(8, 12), blocks=(1, 1), groups=4)


def small_unet() -> UNetConfig:
    """For training on a CPU, on patches of up to 256x256."""
    return UNetConfig(channels=(32, 64, 96), blocks=(1, 2, 2))


@dataclass(frozen=True)
class OuterFeatures:
    """What the blocks down to a scale have made of a sample.

    Attributes:
        features: their output, which is the input of what lies within.
        skips: for the way up, the latest last.
        embedding: of the time, (N, E).
    """

    features: Tensor
    skips: tuple[Tensor, ...]
    embedding: Tensor


class UNet(nn.Module):
    """Samples (N, inputs, H, W) and times (N,) in 0..1 to (N, outputs, H, W). Parts are named as is usual.

    :meth:`forward` is :meth:`enter`, :meth:`inner` and :meth:`leave` at any ``cut``: the number of scales that lie
    outside, from 1 to all but one.
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        channels, embedding, groups = config.channels, config.embedding, config.groups
        square = config.patch**2
        self.time_embedding = TimeEmbedding(channels[0], embedding)
        self.conv_in = nn.Conv2d(config.inputs * square, channels[0], 3, padding=1)
        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        last = len(channels) - 1
        before = channels[0]
        for scale, (width, count) in enumerate(zip(channels, config.blocks, strict=True)):
            self.down_blocks.append(DownBlock(before, width, count, embedding, groups, downsample=scale < last))
            before = width
        self.mid_block = ResidualBlock(before, before, embedding, groups)
        for scale in range(last, -1, -1):
            width, count = channels[scale], config.blocks[scale]
            skips = [width] * count + [channels[max(0, scale - 1)]]
            self.up_blocks.append(UpBlock(before, width, skips, embedding, groups, upsample=scale > 0))
            before = width
        self.conv_norm_out = nn.GroupNorm(math.gcd(groups, before), before)
        self.conv_out = nn.Conv2d(before, config.outputs * square, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)
        assert self.conv_out.bias is not None
        nn.init.zeros_(self.conv_out.bias)

    def forward(self, sample: Tensor, time: Tensor) -> Tensor:
        """See the class.

        Raises:
            UsageError: the sides are no multiples of ``config.multiple``.
        """
        outer = self.enter(sample, time, 1)
        return self.leave(self.inner(outer.features, outer.embedding, 1), outer, 1)

    def enter(self, sample: Tensor, time: Tensor, cut: int) -> OuterFeatures:
        """The first ``cut`` blocks on the way down. Raises as :meth:`forward`."""
        height, width = sample.shape[-2:]
        multiple = self.config.multiple
        if height % multiple or width % multiple or not height or not width:
            raise UsageError(f"samples of {width}x{height}: sides must be multiples of {multiple}")
        embedding = self.time_embedding(time)
        features = self.conv_in(F.pixel_unshuffle(sample, self.config.patch))
        skips = [features]
        for number in range(cut):
            features = self.down_blocks[number](features, embedding, skips)
        return OuterFeatures(features, tuple(skips), embedding)

    def inner(self, features: Tensor, embedding: Tensor, cut: int) -> Tensor:
        """What lies within: the other blocks on the way down, the middle, and as many on the way up."""
        skips = [features]
        for number in range(cut, len(self.down_blocks)):
            features = self.down_blocks[number](features, embedding, skips)
        features = self.mid_block(features, embedding)
        for number in range(len(self.up_blocks) - cut):
            features = self.up_blocks[number](features, embedding, skips)
        return features

    def leave(self, features: Tensor, outer: OuterFeatures, cut: int) -> Tensor:
        """The last ``cut`` blocks on the way up, from what lay within and what :meth:`enter` gave."""
        skips = list(outer.skips[:-1])
        for number in range(len(self.up_blocks) - cut, len(self.up_blocks)):
            features = self.up_blocks[number](features, outer.embedding, skips)
        features = self.conv_out(F.silu(self.conv_norm_out(features)))
        return F.pixel_shuffle(features, self.config.patch)


class DownBlock(nn.Module):
    """Residual blocks of one scale, and a convolution of stride 2 to the next."""

    def __init__(self, inputs: int, outputs: int, count: int, embedding: int, groups: int, *, downsample: bool) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(
            [ResidualBlock(inputs if n == 0 else outputs, outputs, embedding, groups) for n in range(count)]
        )
        self.downsampler = nn.Conv2d(outputs, outputs, 3, stride=2, padding=1) if downsample else None

    def forward(self, x: Tensor, embedding: Tensor, skips: list[Tensor]) -> Tensor:
        """(N, C, H, W) to (N, C', H / 2, W / 2), or of the same size at the last scale; adds to ``skips``."""
        for block in self.resnets:
            x = block(x, embedding)
            skips.append(x)
        if self.downsampler is not None:
            x = self.downsampler(x)
            skips.append(x)
        return x


class UpBlock(nn.Module):
    """Residual blocks of one scale, each with a skip beside its input, and nearest-neighbour upsampling with a 3x3
    convolution to the next."""

    def __init__(
        self, inputs: int, outputs: int, skips: list[int], embedding: int, groups: int, *, upsample: bool
    ) -> None:
        """``skips`` are their channels, in the order in which they are taken."""
        super().__init__()
        widths = [inputs, *[outputs] * (len(skips) - 1)]
        self.resnets = nn.ModuleList(
            [ResidualBlock(width + skip, outputs, embedding, groups) for width, skip in zip(widths, skips, strict=True)]
        )
        self.upsampler = nn.Conv2d(outputs, outputs, 3, padding=1) if upsample else None

    def forward(self, x: Tensor, embedding: Tensor, skips: list[Tensor]) -> Tensor:
        """(N, C, H, W) to (N, C', 2 H, 2 W), or of the same size at the finest scale; takes from ``skips``."""
        for block in self.resnets:
            x = block(torch.cat((x, skips.pop()), 1), embedding)
        if self.upsampler is not None:
            x = self.upsampler(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return x
