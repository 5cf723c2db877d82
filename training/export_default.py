"""Freeze a trained default model into the weights file that the codec loads.

    python -m training.export_default RUN/intra.pt RUN/inter.pt codec/weights/default.safetensors

Tables and integer networks are derived once, here. The result is loaded again and must code pictures that decode.
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from codec.frame_coder import FrameDecoder, FrameEncoder
from codec.models.registry import WEIGHTS_FORMAT, load_scaleflow
from codec.models.scaleflow import ScaleFlowConfig
from codec.models.scaleflow_codec import ScaleFlowCodec

logger = logging.getLogger("export")

WIDER_RANGE = 0.5
"""Octaves by which gains at the ends of the quality scale go beyond what was trained, for a wider range of rates.
Rate and distortion go on along the curve there: the networks change little from one anchor to the next."""


def freeze(intra: Path, inter: Path) -> tuple[ScaleFlowCodec, dict[str, int]]:
    """The codec with averaged weights of both stages, frozen, and the steps that each stage was trained."""
    codec = ScaleFlowCodec(ScaleFlowConfig())
    first, second = (torch.load(path, weights_only=True) for path in (intra, inter))
    codec.network.intra.load_state_dict(first["averaged"]["intra"])
    codec.network.motion.load_state_dict(second["averaged"]["motion"])
    codec.network.residual.load_state_dict(second["averaged"]["residual"])
    with torch.no_grad():
        for coder in (codec.network.intra, codec.network.motion, codec.network.residual):
            coder.gain.anchors[0] -= WIDER_RANGE
            coder.gain.anchors[-1] += WIDER_RANGE
    codec.freeze()
    return codec, {"intra steps": first["step"], "inter steps": second["step"]}


def check_round_trip(path: Path) -> None:
    """Code three synthetic pictures at three qualities; raise ValueError unless they decode to the same pictures."""
    codec = load_scaleflow(path, ScaleFlowConfig())
    generator = np.random.default_rng(0)
    base = np.kron(generator.integers(30, 220, (12, 16)), np.ones((8, 8))).astype(np.uint8)
    for quality in (0.0, 31.5, 63.0):
        encoder = FrameEncoder(codec, width=101, height=77)
        decoder = FrameDecoder(codec, width=101, height=77)
        for shift in range(3):
            luma = base[:77, shift : shift + 101]
            chroma = base[: (77 + 1) // 2, shift : shift + 51]
            coded = encoder.encode((luma, chroma, 255 - chroma), key=False, quality=quality)
            for ours, theirs in zip(decoder.decode(coded.payload, key=coded.key), coded.planes, strict=True):
                if not np.array_equal(ours, theirs):
                    raise ValueError(f"the frozen model does not round-trip at quality {quality}")


def main() -> None:
    """Freeze, write, load again, check."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("intra", type=Path)
    parser.add_argument("inter", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    codec, steps = freeze(arguments.intra, arguments.inter)
    tensors = codec.frozen_tensors()
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"format": WEIGHTS_FORMAT, "training": json.dumps(steps)}
    temporary = arguments.output.with_suffix(".tmp")
    save_file(tensors, temporary, metadata=metadata)
    check_round_trip(temporary)
    temporary.replace(arguments.output)
    logger.info("%s: %.1f MB, %s", arguments.output, arguments.output.stat().st_size / 1e6, steps)


if __name__ == "__main__":
    main()
