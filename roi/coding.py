"""The ways to code a region of interest: what of a mask reaches the latents, and what the stream."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scaleflow.codec.models.bin_width_map import WIDEST, WIDTH_STEPS_PER_OCTAVE
from scaleflow.codec.models.capabilities import CodesRegions, require_regions
from scaleflow.codec.models.region_coding import LatentKind, RegionCoding
from scaleflow.codec.models.registry import DEFAULT_MODEL, WEIGHTS_FOLDER
from scaleflow.codec.models.video_model import VideoModel
from scaleflow.errors import DataError, UsageError
from scaleflow.roi.networks import MOST_STRENGTH, RegionNetworks, load_region_networks

RegionMode = Literal["latent-scaling", "learned-scaling", "implicit", "both"]
DEFAULT_MODE: RegionMode = "latent-scaling"
DEFAULT_STRENGTH = 8.0
DEFAULT_NETWORKS = WEIGHTS_FOLDER / f"{DEFAULT_MODEL}-roi.safetensors"

LEARNED_STEPS_PER_OCTAVE = 2
"""Learned widths vary from place to place: on a coarser grid their map costs less."""


@dataclass(frozen=True)
class RegionSettings:
    """How a region is coded.

    Attributes:
        mode: ``latent-scaling`` widens the bins outside by the mask, ``learned-scaling`` by what a network proposes, in
            both cases with a map in the stream; ``implicit`` shrinks latents outside before they are quantized, and
            the stream has nothing new; ``both`` does half of each, in octaves.
        strength: how many times wider bins are outside, 1 to 64. For ``implicit``, errors outside weigh
            ``strength ** 2`` times less, which is what bins of that width amount to.
        networks: a file that ``scaleflow export`` wrote from a run of ``--preset roi``; without, what is shipped.

    Raises:
        UsageError: the mode is unknown, or the strength out of range.
    """

    mode: RegionMode = DEFAULT_MODE
    strength: float = DEFAULT_STRENGTH
    networks: Path | None = None

    def __post_init__(self) -> None:
        if self.mode not in get_args(RegionMode):
            raise UsageError(f"mode {self.mode!r} is unknown: use {', '.join(get_args(RegionMode))}", fields=("mode",))
        if not (math.isfinite(self.strength) and 1 <= self.strength <= MOST_STRENGTH):
            raise UsageError(f"strength {self.strength:g} is outside 1..{MOST_STRENGTH:g}", fields=("strength",))

    @property
    def octaves(self) -> float:
        """log2 of the strength."""
        return math.log2(self.strength)

    @property
    def needs_networks(self) -> bool:
        """Whether it takes more than the mask."""
        return self.mode != "latent-scaling"

    def coding_for(self, model: VideoModel) -> RegionCoding:
        """What codes regions with this model, with its networks where the mode needs any.

        Args:
            model: the default model, or one of its architecture with other weights.

        Raises:
            UsageError: the model codes no regions, or no networks are shipped and none given.
            DataError: the networks cannot be read, or were trained for other weights.
        """
        capable = require_regions(model)
        if not self.needs_networks:
            return LatentScaling(self.octaves)
        loaded = self._load_networks(capable)
        if self.mode == "learned-scaling":
            return LearnedScaling(loaded, self.octaves)
        return Steering(loaded, self.octaves, 1.0 if self.mode == "implicit" else 0.5)

    def _load_networks(self, model: CodesRegions) -> RegionNetworks:
        path = self.networks or DEFAULT_NETWORKS
        if self.networks is None and not path.exists():
            raise UsageError(
                f"mode {self.mode} needs networks, and none are shipped: train and export some (scaleflow train, "
                "preset roi), or use mode latent-scaling",
                fields=("mode", "networks"),
            )
        loaded = load_region_networks(path).to(model.device)
        if loaded.codec_hash != model.weights_hash:
            raise DataError(
                f"{path}: was trained for weights {loaded.codec_hash}, this model has {model.weights_hash}: train "
                "others for it (scaleflow train, preset roi) and name their file as networks, or use mode "
                "latent-scaling, which needs none",
                fields=("mode", "networks"),
            )
        return loaded


class LatentScaling:
    """Bins outside the region are wider by the octaves of the strength; those partly inside, by part of them."""

    codes_widths = True

    def __init__(self, octaves: float) -> None:
        self.octaves = octaves

    def steer(self, kind: LatentKind, latents: Tensor, towards: Tensor, region: Tensor, quality: Tensor) -> Tensor:
        """Latents stay what they are."""
        return latents

    def bin_widths(self, analyse: Callable[[], Tensor], region: Tensor, quality: Tensor) -> NDArray[np.int32]:
        """See :class:`scaleflow.codec.models.region_coding.RegionCoding`."""
        return whole_widths((1 - region) * self.octaves, WIDTH_STEPS_PER_OCTAVE)


class LearnedScaling:
    """Bins outside the region are wider by what a network proposes, which sees mask and picture."""

    codes_widths = True

    def __init__(self, networks: RegionNetworks, octaves: float) -> None:
        self._networks, self.octaves = networks, octaves

    def steer(self, kind: LatentKind, latents: Tensor, towards: Tensor, region: Tensor, quality: Tensor) -> Tensor:
        """Latents stay what they are."""
        return latents

    def bin_widths(self, analyse: Callable[[], Tensor], region: Tensor, quality: Tensor) -> NDArray[np.int32]:
        """See :class:`scaleflow.codec.models.region_coding.RegionCoding`."""
        octaves = torch.full_like(quality, self.octaves)
        return whole_widths(self._networks.widths(analyse(), region, octaves, quality), LEARNED_STEPS_PER_OCTAVE)


class Steering:
    """Latents outside the region are steered by a network; with a ``share`` below 1, wider bins do the rest."""

    def __init__(self, networks: RegionNetworks, octaves: float, share: float) -> None:
        self._networks = networks
        self.octaves = octaves
        self._steered_octaves = octaves * share
        self._scaling = LatentScaling(octaves * (1 - share))
        self.codes_widths = share < 1

    def steer(self, kind: LatentKind, latents: Tensor, towards: Tensor, region: Tensor, quality: Tensor) -> Tensor:
        """See :class:`scaleflow.codec.models.region_coding.RegionCoding`."""
        octaves = torch.full_like(quality, self._steered_octaves)
        return self._networks.steer(kind, latents, towards, region, octaves, quality)

    def bin_widths(self, analyse: Callable[[], Tensor], region: Tensor, quality: Tensor) -> NDArray[np.int32]:
        """See :class:`scaleflow.codec.models.region_coding.RegionCoding`."""
        return self._scaling.bin_widths(analyse, region, quality)


def whole_widths(octaves: Tensor, steps_per_octave: int) -> NDArray[np.int32]:
    """Octaves (1, 1, h, w) on a grid, as steps of the map (h, w)."""
    steps = (octaves[0, 0] * steps_per_octave).round() * (WIDTH_STEPS_PER_OCTAVE // steps_per_octave)
    return steps.clamp(0, WIDEST).to(torch.int32).cpu().numpy()
