"""Decode coded clips as one machine or host program would, and compare with what the encoder saw.

    python -m benchmarks.drift_decode FOLDER REPORT [--threads N] [--host NAME]

:mod:`benchmarks.drift` runs it, each setting in a process of its own, since what PyTorch and oneDNN are told in the
environment is read once.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.machine_settings import add_options, around_calls, set_host
from scaleflow.codec.conformance.symbol_hashes import SymbolHashes
from scaleflow.codec.distortion import picture_psnr, weighted_psnr
from scaleflow.codec.frame_coder import FrameDecoder
from scaleflow.codec.models.registry import load_model
from scaleflow.codec.models.video_model import Precision, VideoModel
from scaleflow.codec.picture import Planes


@dataclass(frozen=True)
class CodedClip:
    """A clip that was encoded: what the source was, what the decoder gets, and what it should have.

    Attributes:
        name: of the clip.
        quality, precision: as it was encoded.
        width, height: of luma; sides are even.
        weights: the file of weights, None for the shipped ones.
        payloads: of the pictures; the first one stands alone.
        source, expected: all samples of each picture, uint8 (pictures, width * height * 3 / 2).
    """

    name: str
    quality: float
    precision: Precision
    width: int
    height: int
    weights: str | None
    payloads: list[bytes]
    source: NDArray[np.uint8]
    expected: NDArray[np.uint8]

    def save(self, folder: Path) -> None:
        """Write into a folder that exists."""
        facts = {key: getattr(self, key) for key in ("name", "quality", "precision", "width", "height", "weights")}
        facts["payloads"] = [payload.hex() for payload in self.payloads]
        (folder / "clip.json").write_text(json.dumps(facts), encoding="utf-8")
        np.save(folder / "source.npy", self.source)
        np.save(folder / "expected.npy", self.expected)

    @classmethod
    def load(cls, folder: Path) -> CodedClip:
        """Inverse of :meth:`save`; samples are read as they are used."""
        facts = json.loads((folder / "clip.json").read_text(encoding="utf-8"))
        facts["payloads"] = [bytes.fromhex(payload) for payload in facts["payloads"]]
        arrays = {
            key: np.load(folder / f"{key}.npy", mmap_mode="r", allow_pickle=False) for key in ("source", "expected")
        }
        return cls(**facts, **arrays)

    def planes(self, samples: NDArray[np.uint8]) -> Planes:
        """One row of samples as planes."""
        size, half = (self.height, self.width), (self.height // 2, self.width // 2)
        luma, cb, cr = np.split(samples, np.cumsum([self.height * self.width, half[0] * half[1]]))
        return luma.reshape(size), cb.reshape(half), cr.reshape(half)


@dataclass(frozen=True)
class Drift:
    """How a decoded clip differs from what the encoder saw.

    Attributes:
        symbols: SHA-256 of the hashes of the symbols of all pictures.
        largest: difference of a sample in each picture, in code values.
        share: of the samples of each picture that differ.
        lost: PSNR-YUV that the source loses by it, mean over the pictures, in dB; negative where it gains.
        worst_lost: the largest loss of any picture.
        seconds: for each picture.
    """

    symbols: str
    largest: list[int]
    share: list[float]
    lost: float
    worst_lost: float
    seconds: float


def measure(clip: CodedClip, model: VideoModel, around: Callable[[], AbstractContextManager[object]]) -> Drift:
    """Decode a clip, each picture within ``around``."""
    hashes = SymbolHashes(model)
    decoder = FrameDecoder(hashes, width=clip.width, height=clip.height)
    largest, share, losses, seconds = [], [], [], 0.0
    for number, payload in enumerate(clip.payloads):
        start = time.perf_counter()
        with around():
            planes = decoder.decode(payload, key=number == 0)
        seconds += time.perf_counter() - start
        expected, source = clip.planes(clip.expected[number]), clip.planes(clip.source[number])
        difference = np.concatenate([np.abs(a - b.astype(int)).ravel() for a, b in zip(expected, planes, strict=True)])
        largest.append(int(difference.max()))
        share.append(float((difference > 0).mean()))
        best, found = (weighted_psnr(picture_psnr(source, one, 8)) for one in (expected, planes))
        losses.append(best - found)
    mean, worst = float(np.mean(losses)), float(max(losses))
    symbols = hashlib.sha256("".join(hashes.hashes).encode()).hexdigest()
    return Drift(symbols, largest, share, mean, worst, seconds / len(clip.payloads))


def main() -> None:
    """Decode all clips of a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("report", type=Path)
    add_options(parser)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    found = {}
    for folder in sorted(options.folder.iterdir()):
        if not folder.is_dir():
            continue
        clip = CodedClip.load(folder)
        model = load_model(precision=clip.precision, weights=None if clip.weights is None else Path(clip.weights))
        assert isinstance(model, nn.Module)
        set_host(options.host, model)
        found[folder.name] = asdict(measure(clip, model, around_calls(options.host)))
    options.report.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
