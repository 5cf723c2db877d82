"""Discriminators: networks that tell originals from decoded pictures, and so teach a decoder what is missing.

All see pictures of 4:2:0, packed at half the size of luma (six channels), beside what was sent, as the picture that is
decoded for fidelity or as the decoded latents. What is judged is whether a picture is plausible *for that*, as in
Mentzer et al., "High-fidelity generative image compression" (NeurIPS 2020). They give a map of scores, one for each
patch, not normalised: above 0 means original (Isola et al., "Image-to-image translation with conditional adversarial
networks", CVPR 2017). Convolutions are spectrally normalised (Miyato et al., ICLR 2018), which bounds their gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from scaleflow.codec.models.hyperprior import compand
from scaleflow.codec.models.transforms import PICTURE_CHANNELS, SAMPLE_RANGE
from scaleflow.errors import UsageError

DETAIL_GAIN = 16.0
"""Where the picture decoded for fidelity is seen, what is judged is the difference to it, enlarged by this much.

Differences are a few code values; as small as they are, a network whose layers are spectrally normalised told originals
from decoded pictures no better than by chance after 600 steps."""

_SLOPE = 0.2


@dataclass(frozen=True)
class Judgement:
    """What a discriminator says of pictures: scores (N, 1, h, w) of each scale, and features of its layers."""

    scores: tuple[Tensor, ...]
    features: tuple[Tensor, ...]


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Sizes of a discriminator.

    Attributes:
        widths: channels of its layers: at a half, a quarter and an eighth of the size of luma, the last one twice.
        pictures: successive pictures that are judged together; 1 for single pictures.
        scales: how often the whole is repeated on pictures of half the size (Wang et al., pix2pixHD, CVPR 2018).
        condition: what is seen beside each picture: ``picture``, the one that was decoded for fidelity; ``latents``,
            those that were decoded; ``none``.
        latents: channels of these latents, at a sixteenth of the size.

    Raises:
        UsageError: a size is out of range.
    """

    widths: tuple[int, int, int] = (32, 64, 96)
    pictures: int = 1
    scales: int = 1
    condition: Literal["picture", "latents", "none"] = "picture"
    latents: int = 256

    def __post_init__(self) -> None:
        if len(self.widths) != 3 or not all(4 <= width <= 512 for width in self.widths):
            raise UsageError(f"widths = {self.widths} of a discriminator: three numbers within 4..512 are needed")
        if not 1 <= self.pictures <= 8:
            raise UsageError(f"pictures = {self.pictures} of a discriminator is outside 1..8")
        if not 1 <= self.latents <= 1024:
            raise UsageError(f"latents = {self.latents} of a discriminator is outside 1..1024")
        if not 1 <= self.scales <= 4:
            raise UsageError(f"scales = {self.scales} of a discriminator is outside 1..4")

    @property
    def input_channels(self) -> int:
        """Of what it sees at each position of half the size."""
        return PICTURE_CHANNELS * self.pictures * (2 if self.condition == "picture" else 1)

    @property
    def kilo_macs_per_pixel(self) -> float:
        """Thousand multiplications for each pixel of luma that is judged once."""
        half, quarter, eighth = self.widths
        stem = 9 * self.input_channels * half / 4
        once = stem + 16 * half * quarter / 16 + 16 * quarter * eighth / 64 + (9 * eighth * eighth + 9 * eighth) / 64
        if self.condition == "latents":
            once += self.latents * self.pictures * eighth / 256
        return once * sum(0.25**scale for scale in range(self.scales)) / 1000

    @property
    def receptive_field(self) -> int:
        """Side, in samples of luma, of what a score at the first scale depends on."""
        field, step = 1, 2
        for kernel, stride in ((3, 1), (4, 2), (4, 2), (3, 1), (3, 1)):
            field, step = field + (kernel - 1) * step // 2, step * stride
        return 2 * field


def small_patch_discriminator() -> DiscriminatorConfig:
    """Single pictures, on a CPU: 5.8 kMAC/pixel, 0.22 million parameters; a score sees 56x56 samples of luma."""
    return DiscriminatorConfig()


def small_clip_discriminator() -> DiscriminatorConfig:
    """Three successive pictures, on a CPU: flicker shows only there. 7.5 kMAC/pixel for each three."""
    return DiscriminatorConfig(pictures=3)


def patch_discriminator() -> DiscriminatorConfig:
    """Single pictures at two scales, where there is a GPU: 34 kMAC/pixel, 2.5 million parameters."""
    return DiscriminatorConfig((64, 128, 256), scales=2)


def clip_discriminator() -> DiscriminatorConfig:
    """Three successive pictures at two scales, where there is a GPU: 39 kMAC/pixel for each three."""
    return DiscriminatorConfig((64, 128, 256), pictures=3, scales=2)


class Discriminator(nn.Module):
    """Judges pictures, or runs of successive ones."""

    def __init__(self, config: DiscriminatorConfig | None = None) -> None:
        super().__init__()
        self.config = config or DiscriminatorConfig()
        self.scales = nn.ModuleList(_Scale(self.config) for _ in range(self.config.scales))

    def forward(self, pictures: Tensor, condition: Tensor | None = None) -> Judgement:
        """Judge clips.

        Args:
            pictures: packed, (N, T, 6, H / 2, W / 2), T at least ``config.pictures``.
            condition: the same pictures as decoded for fidelity, or the decoded latents (N, T, C, H / 16, W / 16), as
                ``config.condition`` says; None where that is ``none``.

        Raises:
            UsageError: a condition is missing, or is not taken.
        """
        if (self.config.condition == "none") != (condition is None):
            raise UsageError(f"a discriminator with condition {self.config.condition!r} was given another one")
        seen, latents = pictures, None
        if condition is not None and self.config.condition == "picture":
            seen = torch.cat(((pictures - condition) * DETAIL_GAIN, condition), 2)
        elif condition is not None:
            latents = _successive(compand(condition.float()), self.config.pictures)
        runs = _successive(seen * (2 / SAMPLE_RANGE), self.config.pictures)
        scores, features = [], []
        for number, scale in enumerate(self.scales):
            score, of_layers = scale(F.avg_pool2d(runs, 2**number) if number else runs, latents)
            scores.append(score)
            features += of_layers
        return Judgement(tuple(scores), tuple(features))


class Discriminators(nn.Module):
    """Several discriminators that judge together; those of runs are left out of clips that are too short."""

    def __init__(self, configs: Sequence[DiscriminatorConfig]) -> None:
        super().__init__()
        if not configs:
            raise UsageError("no discriminators are named: give one at least")
        self.members = nn.ModuleList(Discriminator(config) for config in configs)

    def forward(self, pictures: Tensor, condition: Tensor | None = None) -> Judgement:
        """As :meth:`Discriminator.forward`; the condition is given to those that take one.

        Raises:
            UsageError: the clips are too short for all of them, or a condition is missing.
        """
        scores: tuple[Tensor, ...] = ()
        features: tuple[Tensor, ...] = ()
        for member in self.members:
            assert isinstance(member, Discriminator)
            if pictures.shape[1] >= member.config.pictures:
                judged = member(pictures, None if member.config.condition == "none" else condition)
                scores, features = scores + judged.scores, features + judged.features
        if not scores:
            raise UsageError(f"clips of {pictures.shape[1]} pictures are too short for every discriminator")
        return Judgement(scores, features)


class _Scale(nn.Module):
    """The layers of a discriminator at one scale."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        half, quarter, eighth = config.widths
        self.fine = nn.ModuleList(
            (
                spectral_norm(nn.Conv2d(config.input_channels, half, 3, padding=1)),
                spectral_norm(nn.Conv2d(half, quarter, 4, stride=2, padding=1)),
                spectral_norm(nn.Conv2d(quarter, eighth, 4, stride=2, padding=1)),
            )
        )
        self.of_latents: nn.Module | None = None
        if config.condition == "latents":
            self.of_latents = spectral_norm(nn.Conv2d(config.latents * config.pictures, eighth, 1))
        self.joined = spectral_norm(nn.Conv2d(eighth, eighth, 3, padding=1))
        self.last = spectral_norm(nn.Conv2d(eighth, 1, 3, padding=1))

    def forward(self, x: Tensor, latents: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        """Scores, and features of the layers before."""
        features = []
        for layer in self.fine:
            x = F.leaky_relu(layer(x), _SLOPE)
            features.append(x)
        if self.of_latents is not None and latents is not None:
            x = x + F.interpolate(self.of_latents(latents), size=x.shape[2:], mode="nearest")
        x = F.leaky_relu(self.joined(x), _SLOPE)
        return self.last(x), [*features, x]


def _successive(clips: Tensor, count: int) -> Tensor:
    """Runs of ``count`` successive pictures, one after the other in the channels, (N * runs, count * C, H, W)."""
    runs = clips.unfold(1, count, 1)  # (N, runs, C, H, W, count)
    return runs.permute(0, 1, 5, 2, 3, 4).flatten(2, 3).flatten(0, 1)
