"""Two ways to show a stream for perception, trained alike: a network behind the decoder, or a second synthesis.

    python -m benchmarks.perceptual_structure RUN.yaml CLIP [CLIP ...] [--steps 400] [--frames 5] [--quality 4 12 20]

The first, of :mod:`benchmarks.network_behind`, sees the decoded picture and its latents; the second is what ScaleFlow
has, :class:`scaleflow.adversarial.second_synthesis.SecondSynthesis`. Both have the same multiplications, see what they
added to the picture before, begin with what the fidelity decoder shows, and learn from the same clips by the
configuration's losses, without an adversary. CLIPs are decoded in tensors, with latents rounded as in use.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
import yaml
from torch import Tensor, nn

from benchmarks.network_behind import NetworkBehind
from scaleflow.adversarial.flicker import flicker
from scaleflow.adversarial.perceptual_loss import LpipsLoss
from scaleflow.codec.models.clip_coding import padded
from scaleflow.codec.models.scaleflow_picture import CELL
from scaleflow.codec.models.transforms import SAMPLE_RANGE, pack_planes
from scaleflow.codec.video.reader import open_video
from scaleflow.training.codec.clip_batches import ClipBatches
from scaleflow.training.codec.configuration import StageConfig, TrainingConfig
from scaleflow.training.codec.configuration_file import configuration_of
from scaleflow.training.codec.models.perceptual import PerceptualTraining
from scaleflow.training.codec.models.trainable import ClipBatch
from scaleflow.training.data.sources import open_source
from scaleflow.training.loop.distributed import join_processes


class StructureTraining(PerceptualTraining):
    """Either of them, in training."""

    def __init__(self, config: TrainingConfig, second: bool) -> None:
        assert config.adversarial is not None
        super().__init__(config.model, config.adversarial, config.optimization)
        if not second:
            behind = NetworkBehind()
            self.network["generator"] = behind.requires_grad_(True).train().to(memory_format=torch.channels_last)

    @property
    def generator(self) -> nn.Module:  # type: ignore[override]
        """What is compared."""
        return self.network["generator"]


def train(model: StructureTraining, clips: Iterator[ClipBatch], stage: StageConfig) -> None:
    """As the stage says, with Adam."""
    parameters = [parameter for group in model.parameter_groups(stage) for parameter in group.parameters]
    optimizer = torch.optim.Adam(parameters, stage.learning_rate)
    for step, batch in enumerate(itertools.islice(clips, stage.steps)):
        optimizer.param_groups[0]["lr"] = stage.learning_rate * min(1, (step + 1) / 50, 4 * (1 - step / stage.steps))
        optimizer.zero_grad()
        model.step(batch, stage).loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()


@torch.no_grad()
def measure(
    model: StructureTraining, lpips: LpipsLoss, clip: Path, frames: int, quality: float, fidelity: bool
) -> list[float]:
    """LPIPS, PSNR (all samples) and flicker of a clip as it is shown."""
    with open_video(clip) as video:
        planes = [picture.planes for picture in itertools.islice(video, frames)]
    pictures = []
    for luma, *chroma in planes:
        samples = torch.from_numpy(luma)[None, None, None].float() / 255
        colour = torch.stack([torch.from_numpy(plane) for plane in chroma])[None, None].float() / 255
        pictures.append(pack_planes(padded(samples, CELL)[:, 0], padded(colour, CELL // 2)[:, 0]))
    torch.manual_seed(0)  # the quality of key pictures is drawn
    decoded = model.decode(pictures, torch.tensor([float(quality)]))
    shown: list[Tensor] = []
    detail: Tensor | None = None
    for parts in decoded:
        detail = model.generator(parts, detail)
        shown.append(parts.picture if fidelity else parts.picture + detail)
    original, result = torch.stack(pictures, 1), torch.stack(shown, 1)
    error = (original - result).square().mean() * (255 / SAMPLE_RANGE) ** 2
    flows = [parts.flow for parts in decoded if parts.flow is not None]
    change = flicker(original, result, flows).mean() * 255 / SAMPLE_RANGE
    distance = lpips(original[0], result[0]).mean()
    return [float(distance), float(10 * torch.log10(255**2 / error)), float(change)]


def main() -> None:
    """Train both and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--frames", type=int, default=5)
    parser.add_argument("--quality", type=float, nargs="+", default=[4, 12, 20])
    options = parser.parse_args()
    config = configuration_of(yaml.safe_load(options.run.read_text()), str(options.run))
    assert config.adversarial is not None
    config = replace(config, adversarial=replace(config.adversarial, weight=0.0))
    stage = replace(config.stages[0], steps=options.steps)
    lpips = LpipsLoss(Path(config.adversarial.lpips_backbone or "") if config.adversarial.lpips_backbone else None)
    print("| clip | quality | shown by | LPIPS | PSNR | flicker |\n|---|---|---|---|---|---|")
    with join_processes("cpu") as processes:
        batches = ClipBatches(config, open_source(config.data), "yuv420", processes)
        for second in (False, True):
            torch.manual_seed(config.seed)
            model = StructureTraining(config, second)
            train(model, (part.clips for parts in batches.steps(0, stage, 0) for part in parts), stage)
            names = [(False, "second synthesis" if second else "network behind")]
            for fidelity, name in names if second else [(True, "fidelity decoder"), *names]:
                for clip, quality in itertools.product(options.clips, options.quality):
                    values = measure(model, lpips, clip, options.frames, quality, fidelity)
                    row = [clip.name, f"{quality:g}", name, *(f"{value:.4g}" for value in values)]
                    print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
