"""Vision transformers whose middle blocks may skip attention; for classes, labels of places, and restored pictures.

Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021, in the sizes of Touvron et al., "DeiT", ICML 2021.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaleflow.efficient_nets.networks.skip_attention import SkipAttention
from scaleflow.efficient_nets.video.counted_product import AttentionProducts
from scaleflow.errors import UsageError

OUTPUT_STRIDE = 4
"""Lines and columns of the picture for each of a segmentation's output."""


@dataclass(frozen=True)
class TransformerConfig:
    """One transformer.

    Attributes:
        width: channels of the tokens.
        heads: of attention.
        depth: blocks.
        patch: side of the square patches that become tokens.
        grid: patches along each side for which places are learned; for other pictures they are interpolated.
        skipped: first and last block, counted from 0, that reuse attention; None for a plain transformer.
    """

    width: int
    heads: int
    depth: int = 12
    patch: int = 16
    grid: int = 14
    skipped: tuple[int, int] | None = (3, 8)

    def __post_init__(self) -> None:
        for name in ("width", "heads", "depth", "patch", "grid"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} = {getattr(self, name)} must be 1 or more")
        if self.width % self.heads:
            raise UsageError(f"width = {self.width} is no multiple of heads = {self.heads}")
        if self.skipped is not None and not 1 <= self.skipped[0] <= self.skipped[1] < self.depth:
            raise UsageError(
                f"skipped = {self.skipped}: the first and last of blocks 1 to {self.depth - 1}; block 0 has nothing "
                "before it to reuse"
            )


def tiny(skipped: tuple[int, int] | None = (3, 8), *, patch: int = 16) -> TransformerConfig:
    """Of 192 channels."""
    return TransformerConfig(192, 3, patch=patch, skipped=skipped)


def small(skipped: tuple[int, int] | None = (3, 8), *, patch: int = 16) -> TransformerConfig:
    """Of 384 channels."""
    return TransformerConfig(384, 6, patch=patch, skipped=skipped)


def base(skipped: tuple[int, int] | None = (3, 8), *, patch: int = 16) -> TransformerConfig:
    """Of 768 channels."""
    return TransformerConfig(768, 12, patch=patch, skipped=skipped)


def check_grid(size: tuple[int, int], patch: int, name: str = "pictures", fields: tuple[str, ...] = ()) -> None:
    """See that pictures of a size (width, height) are a grid of patches.

    Raises:
        UsageError: they are not; it calls them ``name``, of which ``fields`` are settings, and says what would fit.
    """
    if any(side % patch for side in size):
        fitting = "x".join(str(max(patch, side // patch * patch)) for side in size)
        raise UsageError(
            f"{name} of {size[0]}x{size[1]} do not fit a grid of patches of {patch}: make them {fitting}",
            fields=fields,
        )


class Attention(nn.Module):
    """Multi-head self-attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.inputs = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.products = AttentionProducts()

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (N, T, C) to the same."""
        queries, keys, values = self.inputs(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attended = self.products(queries, keys, values)
        output: Tensor = self.output(attended.transpose(1, 2).flatten(2))
        return output


class Block(nn.Module):
    """Attention, or what replaces it, and a perceptron; each added to its input."""

    def __init__(self, width: int, heads: int, skips: bool) -> None:
        super().__init__()
        self.skip = SkipAttention(width) if skips else None
        if not skips:
            self.attention_norm = nn.LayerNorm(width, eps=1e-6)
            self.attention = Attention(width, heads)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.perceptron = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor, attended: Tensor | None, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Tokens and the attention output of the block before, to those of this one."""
        if self.skip is None:
            attended = self.attention(self.attention_norm(x))
        else:
            assert attended is not None  # the first block never skips
            attended = self.skip(attended, grid)
        x = x + attended
        return x + self.perceptron(self.norm(x)), attended


class VisionTransformer(nn.Module):
    """Pictures to tokens. Those of patches come in rows; with ``class_token`` one stands before them."""

    def __init__(self, config: TransformerConfig, class_token: bool = True) -> None:
        super().__init__()
        self.config = config
        self.patches = nn.Conv2d(3, config.width, config.patch, config.patch)
        self.token = nn.Parameter(torch.zeros(1, 1, config.width)) if class_token else None
        self.token_place = nn.Parameter(torch.zeros(1, 1, config.width)) if class_token else None
        self.places = nn.Parameter(torch.zeros(1, config.width, config.grid, config.grid))
        first, last = config.skipped or (config.depth, config.depth)
        self.blocks = nn.ModuleList(
            [Block(config.width, config.heads, first <= number <= last) for number in range(config.depth)]
        )
        self.norm = nn.LayerNorm(config.width, eps=1e-6)
        for parameter in (self.token, self.token_place, self.places):
            if parameter is not None:
                nn.init.trunc_normal_(parameter, std=0.02)
        self.apply(_start)

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Pictures (N, 3, H, W) to tokens (N, T, C) and the grid of patches (rows, columns).

        Raises:
            UsageError: sides are no multiples of the patch.
        """
        height, width = x.shape[2:]
        side = self.config.patch
        check_grid((width, height), side)
        grid = height // side, width // side
        places: Tensor = self.places
        if grid != tuple(places.shape[2:]):
            places = F.interpolate(places, grid, mode="bicubic", align_corners=False)
        tokens = (self.patches(x) + places).flatten(2).transpose(1, 2)
        if self.token is not None and self.token_place is not None:
            tokens = torch.cat(((self.token + self.token_place).expand(len(x), -1, -1), tokens), 1)
        attended: Tensor | None = None
        for block in self.blocks:
            tokens, attended = block(tokens, attended, grid)
        return self.norm(tokens), grid


class TransformerClassifier(nn.Module):
    """Pictures (N, 3, H, W) to logits (N, classes), from the class token."""

    def __init__(self, config: TransformerConfig, classes: int) -> None:
        super().__init__()
        self.transformer = VisionTransformer(config)
        self.head = nn.Linear(config.width, classes)
        _start(self.head)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        logits: Tensor = self.head(self.transformer(x)[0][:, 0])
        return logits


class TransformerSegmentation(nn.Module):
    """Pictures (N, 3, H, W) in 0..1 to logits (N, classes, H / 4, W / 4): a linear head of patches, and a 3x3 one.

    A patch gives the logits of its places together; the convolution lets them see their neighbours.
    """

    def __init__(self, config: TransformerConfig, classes: int, channels: int = 32) -> None:
        super().__init__()
        if config.patch % OUTPUT_STRIDE:
            raise UsageError(f"patch = {config.patch} is no multiple of {OUTPUT_STRIDE}, which segmentation needs")
        self.transformer = VisionTransformer(config, class_token=False)
        self.factor = config.patch // OUTPUT_STRIDE
        self.spread = nn.Conv2d(config.width, channels * self.factor**2, 1)
        self.head = nn.Sequential(nn.GELU(), nn.Conv2d(channels, classes, 3, padding=1))
        for layer in (self.spread, self.head[1]):
            _start(layer)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        tokens, grid = self.transformer((x - 0.5) / 0.25)
        features = self.spread(tokens.transpose(1, 2).unflatten(2, grid))
        logits: Tensor = self.head(F.pixel_shuffle(features, self.factor))
        return logits


class TransformerRestoration(nn.Module):
    """Pictures (N, 3, H, W) in 0..1 with noise to pictures without: what a patch's token says is added to it.

    A token needs as many channels as its patch has samples to say all of its noise: patches of 8 for 192.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.transformer = VisionTransformer(config, class_token=False)
        self.change = nn.Conv2d(config.width, 3 * config.patch**2, 1)
        for parameter in self.change.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        tokens, grid = self.transformer((x - 0.5) / 0.25)
        change = self.change(tokens.transpose(1, 2).unflatten(2, grid))
        return x + F.pixel_shuffle(change, self.transformer.config.patch)


def _start(layer: nn.Module) -> None:
    if isinstance(layer, nn.Linear | nn.Conv2d):
        nn.init.trunc_normal_(layer.weight, std=0.02)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
