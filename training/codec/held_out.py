"""Loss on clips that are held out of training, beside the training loss: overfitting is to be seen, not guessed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from scaleflow.training.codec.configuration import StageConfig
from scaleflow.training.codec.losses import spread_qualities
from scaleflow.training.codec.models.trainable import ClipBatch, TrainableModel
from scaleflow.training.data.clip import ClipRequest
from scaleflow.training.data.packed import PackedClips

CLIPS_TOGETHER = 4


class HeldOutClips:
    """The same clips at the same qualities, each time."""

    def __init__(self, folder: Path, clips: int, crop: int) -> None:
        """The first ``clips`` of a packed folder, cut to ``crop`` samples.

        Raises:
            UsageError: there are none.
            DataError: they are damaged or too small.
        """
        packed = PackedClips(folder)
        self._clips = min(clips, len(packed))
        request = ClipRequest(packed.frames, crop, flip=False, reverse=False)
        cut = [packed.read(number, request, np.random.default_rng(number)) for number in range(self._clips)]
        self._planes = tuple(
            torch.from_numpy(np.stack([clip.planes[plane] for clip in cut])).float() / 255 for plane in (0, 1)
        )

    @torch.no_grad()
    def measure(self, model: TrainableModel, stage: StageConfig) -> dict[str, float]:
        """Means of the loss and of what is logged with it; symbols are rounded, and nothing is random."""
        frames = min(1 if stage.trains == "intra" else stage.unroll[1], self._planes[0].shape[1])
        qualities = spread_qualities(0, self._clips, *stage.quality, 0)
        was_training = model.network.training
        state = torch.get_rng_state()
        model.network.eval()
        torch.manual_seed(0)
        sums: dict[str, float] = {}
        try:
            for first in range(0, self._clips, CLIPS_TOGETHER):
                chosen = slice(first, first + CLIPS_TOGETHER)
                batch = ClipBatch(tuple(plane[chosen, :frames] for plane in self._planes), qualities[chosen])
                result = model.step(batch, stage)
                share = len(batch.quality) / self._clips
                for key, value in {"loss": float(result.loss), **result.scalars}.items():
                    sums[key] = sums.get(key, 0.0) + share * value
        finally:
            model.network.train(was_training)
            torch.set_rng_state(state)
        return sums
