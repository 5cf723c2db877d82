"""Pictures as networks see them after coding: what is trained on them knows blur and block edges."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from scaleflow.codec.models.clip_coding import code_clip
from scaleflow.codec.models.registry import scaleflow_small
from scaleflow.codec.models.scaleflow import ScaleFlowNetwork
from scaleflow.codec.video.color_tensors import planes_to_rgb, rgb_to_planes


class CodedPictures:
    """Codes clips by the shipped default model at a quality that is drawn, and leaves some as they are.

    A clip's first picture is coded alone and the others are predicted, as in use; single pictures are key pictures.

    Args:
        qualities: of which one is drawn for each clip, 0..63; that a clip stays as it is is as likely as each of them.
    """

    def __init__(self, qualities: Sequence[float]) -> None:
        self._qualities = tuple(qualities)
        self._network: ScaleFlowNetwork | None = None

    def __call__(self, clip: Tensor, generator: np.random.Generator) -> Tensor:
        """A clip (T, 3, H, W) in 0..1, decoded; odd sides are enlarged by a sample while it is coded."""
        chosen = int(generator.integers(len(self._qualities) + 1))
        if chosen == len(self._qualities):
            return clip
        if self._network is None:  # in the process that loads, which may be another
            self._network = scaleflow_small().trainable_network().requires_grad_(False).eval()
        height, width = clip.shape[2:]
        even = torch.nn.functional.pad(clip, (0, width % 2, 0, height % 2), mode="replicate")
        quality = torch.tensor([self._qualities[chosen]], dtype=torch.float32)
        with torch.no_grad():
            coded = code_clip(self._network, rgb_to_planes(even[None]), quality)
            decoded = planes_to_rgb(coded.planes[0], coded.planes[1])[0]
        return decoded[:, :, :height, :width]
