"""Batches from the arrays that :mod:`training.prepare_clips` wrote."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from codec.motion_estimation import BLOCK, vector_smoothness

GRANULE = 64
"""Crops are whole numbers of hyper-latent cells."""


@dataclass(frozen=True)
class ClipBatch:
    """Successive pictures of N clips: luma (N, T, 1, H, W) and chroma (N, T, 2, H / 2, W / 2) in 0..1, and vectors
    (N, T - 1, 2, H / 8, W / 8) in luma samples from each picture to the one before."""

    luma: Tensor
    chroma: Tensor
    vectors: Tensor


SMOOTHNESS = (5, 12, 30, 80)
"""Prices of irregular vectors with which motion was searched beforehand."""


def _nearest_smoothness(quality: float) -> int:
    wanted = math.log(vector_smoothness(quality))
    return min(SMOOTHNESS, key=lambda smoothness: abs(math.log(smoothness) - wanted))


class ClipArrays:
    """Random access to memory-mapped groups."""

    def __init__(self, folder: Path) -> None:
        self.luma = np.load(folder / "luma.npy", mmap_mode="r")
        self.chroma = np.load(folder / "chroma.npy", mmap_mode="r")
        self.vectors = {
            smoothness: np.load(folder / f"vectors_{smoothness}.npy", mmap_mode="r") for smoothness in SMOOTHNESS
        }

    def sample(
        self, qualities: Sequence[float], frames: int, generator: np.random.Generator, crop: int | None = None
    ) -> ClipBatch:
        """A random clip of ``frames`` successive pictures for each quality, cropped, flipped at random.

        Vectors are those whose smoothness is nearest to what the encoder would search with at that quality.
        """
        available, size = self.luma.shape[1], self.luma.shape[3]
        crop = crop or size
        lumas, chromas, vectors = [], [], []
        for quality in qualities:
            group = generator.integers(len(self.luma))
            first = generator.integers(available - frames + 1)
            top, left = (int(generator.integers((size - crop) // 16 + 1)) * 16 for _ in range(2))
            rows, columns = slice(top, top + crop), slice(left, left + crop)
            half = (slice(top // 2, (top + crop) // 2), slice(left // 2, (left + crop) // 2))
            block = (slice(top // BLOCK, (top + crop) // BLOCK), slice(left // BLOCK, (left + crop) // BLOCK))
            luma = self.luma[group, first : first + frames, :, rows, columns]
            chroma = self.chroma[group, first : first + frames, :, half[0], half[1]]
            vectors_found = self.vectors[_nearest_smoothness(float(quality))]
            vector = vectors_found[group, first : first + frames - 1, :, block[0], block[1]].astype(np.float32) / 4
            if generator.random() < 0.5:
                luma, chroma, vector = luma[..., ::-1], chroma[..., ::-1], vector[..., ::-1].copy()
                vector[:, 0] *= -1
            if generator.random() < 0.5:
                luma, chroma, vector = luma[..., ::-1, :], chroma[..., ::-1, :], vector[..., ::-1, :].copy()
                vector[:, 1] *= -1
            lumas.append(np.ascontiguousarray(luma))
            chromas.append(np.ascontiguousarray(chroma))
            vectors.append(np.ascontiguousarray(vector))
        return ClipBatch(
            torch.from_numpy(np.stack(lumas)).float() / 255,
            torch.from_numpy(np.stack(chromas)).float() / 255,
            torch.from_numpy(np.stack(vectors)),
        )
