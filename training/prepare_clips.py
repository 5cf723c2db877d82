"""Cut a folder of videos into short groups of crops for training, kept as memory-mapped arrays.

    python -m training.prepare_clips VIDEOS OUTPUT --groups 4000

Sources are compressed, so pictures of 360 lines and more are first reduced by two (area average), which removes most
of the artefacts. Groups are spread evenly over clips, weighted by how much they move; groups across a scene cut are
left out. Vectors found by block matching between successive pictures are stored beside the pictures.
"""

from __future__ import annotations

import argparse
import logging
import random
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import torch
import torch.nn.functional as F

from codec.motion_estimation import BLOCK, match_blocks
from training.clips import SMOOTHNESS

FRAMES = 7
CROP = 192
LARGEST_CHANGE = 40.0
"""Mean absolute luma difference between successive pictures above which they are taken for a scene cut."""

logger = logging.getLogger(__name__)


def reduced_planes(path: Path, longest: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Luma (1, H, W) and chroma (2, H / 2, W / 2) of each picture, 0..255, halved where the source is large enough."""
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number >= longest:
                return
            height, width = frame.height // 4 * 4, frame.width // 4 * 4
            planes = torch.from_numpy(frame.reformat(width, height, "yuv420p").to_ndarray()).float()
            luma = planes[:height][None]
            chroma = planes[height:].reshape(2, height // 2, width // 2)
            if min(height, width) >= 360:
                luma, chroma = (F.avg_pool2d(plane[None], 2)[0] for plane in (luma, chroma))
            yield luma, chroma


def cut_groups(
    path: Path, number: int, generator: random.Random, longest: int = 400
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Random groups of a clip as (luma (7, 1, 192, 192), chroma (7, 2, 96, 96)) in uint8."""
    pictures = [(y.round().byte(), c.round().byte()) for y, c in reduced_planes(path, longest)]
    if len(pictures) < FRAMES or min(pictures[0][0].shape[1:]) < CROP:
        return []
    groups = []
    for _ in range(number * 3):
        stride = generator.choice([s for s in (1, 1, 1, 2, 3) if (FRAMES - 1) * s < len(pictures)])
        first = generator.randrange(len(pictures) - (FRAMES - 1) * stride)
        height, width = pictures[0][0].shape[1:]
        top, left = generator.randrange(0, height - CROP + 1, 2), generator.randrange(0, width - CROP + 1, 2)
        chosen = pictures[first : first + FRAMES * stride : stride]
        luma = torch.stack([y[:, top : top + CROP, left : left + CROP] for y, _ in chosen])
        half = CROP // 2
        chroma = torch.stack([c[:, top // 2 : top // 2 + half, left // 2 : left // 2 + half] for _, c in chosen])
        change = (luma[1:].float() - luma[:-1].float()).abs().mean((1, 2, 3))
        if change.max() > LARGEST_CHANGE or luma.float().std() < 4:
            continue
        if change.mean() < 1.0 and generator.random() > 0.15:  # a static group teaches little
            continue
        groups.append((luma, chroma))
        if len(groups) == number:
            break
    return groups


def main() -> None:
    """Cut every readable video of a folder."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--groups", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    generator = random.Random(arguments.seed)
    paths = sorted(path for path in arguments.videos.iterdir() if path.is_file())
    lumas, chromas = [], []
    for path in paths:
        similar = sum(other.name[:9] == path.name[:9] for other in paths)  # many takes of one scene count as a few
        wanted = max(8, round(arguments.groups / len(paths) * (1.5 if similar == 1 else 0.6)))
        try:
            groups = cut_groups(path, wanted, generator)
        except av.FFmpegError as error:
            logger.warning("%s left out: %s", path.name, error)
            continue
        logger.info("%s: %d groups", path.name, len(groups))
        lumas += [luma for luma, _ in groups]
        chromas += [chroma for _, chroma in groups]
    order = list(range(len(lumas)))
    generator.shuffle(order)
    arguments.output.mkdir(parents=True, exist_ok=True)
    np.save(arguments.output / "luma.npy", torch.stack([lumas[i] for i in order]).numpy())
    np.save(arguments.output / "chroma.npy", torch.stack([chromas[i] for i in order]).numpy())
    for smoothness in SMOOTHNESS:
        vectors = np.zeros((len(order), FRAMES - 1, 2, CROP // BLOCK, CROP // BLOCK), np.int16)
        for row, i in enumerate(order):
            luma = lumas[i].float()
            vectors[row] = (match_blocks(luma[1:], luma[:-1], float(smoothness)) * 4).round().short().numpy()
        np.save(arguments.output / f"vectors_{smoothness}.npy", vectors)
    logger.info("%d groups", len(order))


if __name__ == "__main__":
    main()
