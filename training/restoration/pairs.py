"""Pairs of original and decoded patches: coded once, and kept in the run's folder."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from scaleflow.codec.models.video_model import VideoModel
from scaleflow.codec.video.color import ColorCoding
from scaleflow.efficient_nets.diffusion.coded_pictures import code_pictures
from scaleflow.efficient_nets.tensor_file import read_tensors, write_tensors
from scaleflow.errors import DataError
from scaleflow.training.data.configuration import DataConfig
from scaleflow.training.data.samples import SampleKey, SampleSet, UnreadReport
from scaleflow.training.data.video_folder import VideoFolder
from scaleflow.training.restoration.configuration import PairsConfig

logger = logging.getLogger(__name__)

FORMAT = "scaleflow-coded-pairs-1"
PAIRS_FILE = "pairs.safetensors"
"""In the folder of a run."""

CODING = ColorCoding("smpte170m")
"""What patches are read as; they carry no tags."""


@dataclass(frozen=True)
class CodedPairs:
    """Patches (P, 3, S, S), uint8 RGB, original and decoded; those of one clip stand beside each other."""

    original: Tensor
    decoded: Tensor

    def __len__(self) -> int:
        return len(self.original)

    def split(self, held_out: int) -> tuple[CodedPairs, CodedPairs]:
        """All but the last ``held_out`` pairs, and these."""
        first = len(self) - held_out
        return (
            CodedPairs(self.original[:first], self.decoded[:first]),
            CodedPairs(self.original[first:], self.decoded[first:]),
        )


def open_pairs(
    config: PairsConfig,
    seed: int,
    folder: Path,
    load_codec: Callable[[], VideoModel],
    coded: Callable[[int, int], None] = lambda done, total: None,
    stop: Callable[[], bool] = lambda: False,
) -> CodedPairs | None:
    """The pairs of a run's folder; where there are none, or others, they are made and kept.

    Args:
        config: what is coded, and how.
        seed: of what is random.
        load_codec: gives the codec, if it is needed.
        coded: is told how many clips of how many are done.
        stop: asked before each clip.

    Returns:
        None where ``stop`` asked to end; nothing is kept then.

    Raises:
        UsageError: there is no such folder of videos.
        DataError: the videos cannot be read, are smaller than patches, or the pairs cannot be written.
    """
    path = folder / PAIRS_FILE
    described = asdict(config) | {"seed": seed}
    del described["crop"], described["held_out"]
    description = json.dumps(described, sort_keys=True)
    if path.is_file():
        tensors, metadata = read_tensors(path, FORMAT, "coded pairs")
        if metadata.get("made") == description:
            return CodedPairs(tensors["original"], tensors["decoded"])
        logger.warning("%s: was made with other settings, and is made again", path)
    pairs = _code(config, seed, load_codec, coded, stop)
    if pairs is not None:
        write_tensors(path, FORMAT, {"original": pairs.original, "decoded": pairs.decoded}, {"made": description})
    return pairs


def read_pairs(folder: Path) -> CodedPairs:
    """The pairs that a run has been trained on. Raises :class:`DataError` where they are not there."""
    path = folder / PAIRS_FILE
    if not path.is_file():
        raise DataError(f"{path}: is not there: scaleflow diffusion train makes it, and an adaptor learns from it")
    tensors, _ = read_tensors(path, FORMAT, "coded pairs")
    return CodedPairs(tensors["original"], tensors["decoded"])


def _code(
    config: PairsConfig,
    seed: int,
    load_codec: Callable[[], VideoModel],
    coded: Callable[[int, int], None],
    stop: Callable[[], bool],
) -> CodedPairs | None:
    try:
        source = VideoFolder(Path(config.path), config.patch)
    except DataError as error:
        raise DataError(str(error).replace("data.crop", "data.patch")) from error
    samples = SampleSet(source, DataConfig(path=config.path, crop=config.patch), seed, "yuv420")
    codec = load_codec()
    report = UnreadReport()
    originals, decodeds = [], []
    for number in range(config.clips):
        if stop():
            return None
        sample = samples.load(SampleKey(0, number, config.frames))
        report.add(sample.unread)
        luma, chroma = (plane.numpy() for plane in sample.planes)
        pictures = [(luma[n, 0], chroma[n, 0], chroma[n, 1]) for n in range(config.frames)]
        quality = float(np.random.default_rng((seed, 3, number)).uniform(*config.quality))
        for original, decoded in code_pictures(pictures, codec, quality, CODING):
            originals.append(torch.from_numpy(original))
            decodeds.append(torch.from_numpy(decoded))
        coded(number + 1, config.clips)
    return CodedPairs(torch.stack(originals), torch.stack(decodeds))
