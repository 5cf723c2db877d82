"""What integer hyper-syntheses and frozen tables cost in rate, against the floating-point priors they come from.

    python -m benchmarks.integer_cost RUN/intra.pt RUN/inter.pt CLIP [--frames 16] [--qualities 0 20 40 63]

Needs training checkpoints, as weights files hold the integer form only. Both priors see the same latents and the same
contexts; bits are ideal code lengths, of latents and hyper-latents.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from codec.frame_coder import FrameEncoder
from codec.models.frozen_hyperprior import QUALITY_STEPS, DecodedLatents, FrozenHyperprior
from codec.models.quality import LatentGain
from codec.video.reader import open_video
from entropy.fixed_point import ONE
from entropy.symbol_coder import SymbolEncoder
from training.export_default import freeze


class ComparedPrior(FrozenHyperprior):
    """A frozen prior that also asks the prior it was frozen from."""

    def compare_with(self, gain: LatentGain, bits: dict[str, float]) -> None:
        """Add up bits in ``bits``: ``integer`` and ``float``."""
        self.float_gain, self.bits_so_far = gain, bits

    def encode(
        self, latents: Tensor, quality_code: int, context: Tensor | None, encoder: SymbolEncoder
    ) -> tuple[DecodedLatents, float, float]:
        """See :class:`FrozenHyperprior`."""
        coded = super().encode(latents, quality_code, context, encoder)
        seen = None if context is None else (context / ONE).float()
        quality = torch.tensor([quality_code / QUALITY_STEPS])
        theirs = self.source(latents, self.float_gain(quality), seen)
        self.bits_so_far["integer"] += coded[1] + coded[2]
        self.bits_so_far["float"] += float(theirs.bits_latents + theirs.bits_hyper)
        return coded


def main() -> None:
    """Parse the command line, run, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("intra", type=Path)
    parser.add_argument("inter", type=Path)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--qualities", type=float, nargs="+", default=[0, 20, 40, 63])
    arguments = parser.parse_args()
    with open_video(arguments.clip, working_format="yuv420") as reader:
        pictures = [picture.planes for picture in islice(reader, arguments.frames)]
    height, width = pictures[0][0].shape
    codec, _ = freeze(arguments.intra, arguments.inter)
    coders = (codec.network.intra, codec.network.motion, codec.network.residual)
    priors = (codec.intra_prior, codec.motion_prior, codec.residual_prior)
    bits: dict[str, float] = defaultdict(float)
    for prior, coder in zip(priors, coders, strict=True):
        prior.__class__ = ComparedPrior
        assert isinstance(prior, ComparedPrior)
        prior.compare_with(coder.gain, bits)
    print(f"{arguments.clip.name}, {len(pictures)} pictures\n\n| quality | bpp | integer over float |\n|---|---|---|")
    for quality in arguments.qualities:
        bits.clear()
        encoder = FrameEncoder(codec, width=width, height=height)
        for planes in pictures:
            encoder.encode(planes, key=False, quality=quality)
        rate = bits["integer"] / len(pictures) / width / height
        print(f"| {quality:g} | {rate:.4f} | {100 * (bits['integer'] / bits['float'] - 1):+.2f} % |")


if __name__ == "__main__":
    main()
