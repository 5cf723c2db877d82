"""Networks that act on latents for a region of interest; they run in the encoder only."""

from __future__ import annotations

import math
from pathlib import Path
from typing import get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaleflow.codec.models.companion_weights import read_companion, serialized_companion
from scaleflow.codec.models.hyperprior import compand
from scaleflow.codec.models.quality import quantization_step
from scaleflow.codec.models.region_coding import LatentKind
from scaleflow.codec.models.scaleflow import COARSEST_MOTION_STEP, FINEST_MOTION_STEP
from scaleflow.codec.models.tensor_check import check_tensors
from scaleflow.codec.models.transforms import SAMPLE_RANGE
from scaleflow.errors import DataError
from scaleflow.output_file import write_whole_file
from scaleflow.quality_range import HIGHEST_QUALITY

MOST_STRENGTH = 64.0
WEIGHTS_FORMAT = "scaleflow-regions-3"
"""Layout of a file of these weights; another value is refused."""

FEATURES = 64

MOST_LATENTS = 1024
"""Channels of latents that a file of these weights may speak of."""

SHARPNESS = 6.0
"""Of thresholds: within a sixth of a quantization step, and a twelfth of the threshold, latents pass from dropped to
kept. A margin that grows with the threshold leaves some latents within it, whose gradients train the threshold."""


def latent_step(kind: LatentKind, quality: Tensor) -> Tensor:
    """Nominal quantization step of latents at a quality (N,), as (N, 1, 1, 1)."""
    if kind == "motion":
        step = COARSEST_MOTION_STEP * (FINEST_MOTION_STEP / COARSEST_MOTION_STEP) ** (quality / HIGHEST_QUALITY)
    else:
        step = quantization_step(quality) * (SAMPLE_RANGE / 255)
    return step[:, None, None, None]


class RegionFeatures(nn.Module):
    """What latents, their region, its strength and the quality say of each position."""

    def __init__(self, kind: LatentKind, latents: int) -> None:
        super().__init__()
        self.kind = kind
        self.of_latents = nn.Conv2d(latents, FEATURES, 1)
        self.of_region = nn.Conv2d(3, FEATURES, 3, padding=1)
        self.around = nn.Conv2d(FEATURES, FEATURES, 3, padding=1)

    def forward(self, latents: Tensor, outside: Tensor, octaves: Tensor, quality: Tensor) -> Tensor:
        """``latents`` (N, C, h, w), ``outside`` (N, 1, h, w) in 0..1, ``octaves`` and ``quality`` (N,)."""
        strength = octaves[:, None, None, None] / math.log2(MOST_STRENGTH)
        level = torch.ones_like(outside) * (quality / HIGHEST_QUALITY)[:, None, None, None]
        region = self.of_region(torch.cat((outside, outside * strength, level), 1))
        features = F.relu(self.of_latents(compand(latents / latent_step(self.kind, quality))) + region)
        return F.relu(features + self.around(features))


class LatentSteering(nn.Module):
    """Draws latents outside the region to where they cost least, by how much is learned.

    Inside, and at strength 1, it changes nothing. The implicit variant of Perugachi-Diaz et al., "Region-of-Interest
    Based Neural Video Compression", BMVC 2022: the region is known to the encoder only, and errors outside count less
    in training. There, the whole codec is trained with the mask as a further input; here the codec stays as it is, so
    that its own decoder decodes the streams, and what the mask changes is this network before quantization.

    It both shrinks all of a channel, and drops what is below a threshold: where errors count less, the latents that
    are worth their bits are few, but those are coded as well as before.
    """

    def __init__(self, kind: LatentKind, latents: int) -> None:
        super().__init__()
        self.kind = kind
        self.features = RegionFeatures(kind, latents)
        self.last = nn.Conv2d(FEATURES, latents, 1)
        self.threshold = nn.Conv2d(FEATURES, latents, 1)
        _start(self.last, -3.0)
        _start(self.threshold, -3.0)

    def forward(self, latents: Tensor, towards: Tensor, region: Tensor, octaves: Tensor, quality: Tensor) -> Tensor:
        """``octaves`` (N,): log2 of the strength, whose square divides the weight of errors outside the region."""
        outside, change = 1 - region, latents - towards
        features = self.features(change, outside, octaves, quality)
        amount = outside * octaves[:, None, None, None]
        shrunk = change * torch.exp2(-amount * F.softplus(self.last(features).float()))
        steps = change.float().abs() / latent_step(self.kind, quality)
        # where errors count S^2 times less, dropping what costs the same bits pays up to S times larger a change
        threshold = (torch.exp2(amount) - 1) * F.softplus(self.threshold(features).float())
        margin = (1 + threshold / 2) / SHARPNESS
        # exactly 1 where the threshold is 0
        kept = torch.sigmoid((steps - threshold) / margin) / torch.sigmoid(SHARPNESS * steps)
        return towards + shrunk * kept


class BinWidthNetwork(nn.Module):
    """Proposes how much wider bins are outside the region: 0 to 2 times the octaves of the strength, at first once."""

    def __init__(self, latents: int) -> None:
        super().__init__()
        self.features = RegionFeatures("intra", latents)
        self.last = nn.Conv2d(FEATURES, 1, 1)
        _start(self.last, 0.0)

    def forward(self, latents: Tensor, region: Tensor, octaves: Tensor, quality: Tensor) -> Tensor:
        """Octaves of each position, (N, 1, h, w), from the intra latents of the picture."""
        outside = 1 - region
        share = 2 * torch.sigmoid(self.last(self.features(latents, outside, octaves, quality)).float())
        return outside * octaves[:, None, None, None] * share


def _start(last: nn.Conv2d, value: float) -> None:
    nn.init.zeros_(last.weight)
    assert last.bias is not None
    nn.init.constant_(last.bias, value)


class RegionNetworks(nn.Module):
    """All networks for one codec, whose weights ``codec_hash`` names; ``latents`` are the channels of each kind."""

    def __init__(self, latents: dict[LatentKind, int], codec_hash: str) -> None:
        super().__init__()
        self.latents, self.codec_hash = latents, codec_hash
        self.steering = nn.ModuleDict({kind: LatentSteering(kind, size) for kind, size in latents.items()})
        self.widths = BinWidthNetwork(latents["intra"])

    def steer(
        self, kind: LatentKind, latents: Tensor, towards: Tensor, region: Tensor, octaves: Tensor, quality: Tensor
    ) -> Tensor:
        """See :class:`LatentSteering`."""
        steered: Tensor = self.steering[kind](latents, towards, region, octaves, quality)
        return steered

    def save(self, path: Path) -> None:
        """Write the weights, in float16."""
        sizes: dict[str, str] = {kind: str(size) for kind, size in self.latents.items()}
        data = serialized_companion(self.state_dict(), WEIGHTS_FORMAT, self.codec_hash, (), **sizes)
        write_whole_file(str(path), data, True)


def load_region_networks(path: Path) -> RegionNetworks:
    """Inverse of :meth:`RegionNetworks.save`.

    Raises:
        DataError: there is no such file, it is damaged, or none of these.
    """
    found = read_companion(
        path,
        WEIGHTS_FORMAT,
        "region networks",
        missing="there is no such file of region networks",
        other="is no safetensors file",
    )
    try:
        latents: dict[LatentKind, int] = {kind: int(found.metadata[kind]) for kind in get_args(LatentKind)}
        if not all(1 <= size <= MOST_LATENTS for size in latents.values()):
            raise ValueError(f"channels {latents} are outside 1..{MOST_LATENTS}")
    except (KeyError, ValueError) as error:
        raise DataError(f"{path}: these weights do not fit: {str(error).splitlines()[0]}") from error
    with torch.device("meta"):  # nothing is taken for sizes that the file does not fill
        check_tensors(found.tensors, RegionNetworks(latents, found.codec_hash).state_dict(), path)
    networks = RegionNetworks(latents, found.codec_hash)
    networks.load_state_dict({key: value.float() for key, value in found.tensors.items()})
    return networks.eval()
