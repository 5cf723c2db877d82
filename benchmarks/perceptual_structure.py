"""Two ways to show a stream for perception, trained alike: a network behind the decoder, or a second synthesis.

    python -m benchmarks.perceptual_structure RUN.yaml CLIP [CLIP ...] [--steps 400] [--frames 5] [--quality 4 12 20]

The first is :class:`scaleflow.adversarial.perceptual_network.PerceptualNetwork`, at the multiplications of the second:
copies of the codec's synthesis transforms of key pictures and of residuals, which go on learning from their trained
weights. Both begin with what the fidelity decoder shows, and learn from the same clips by the configuration's losses,
without an adversary. CLIPs are decoded in tensors, with latents rounded as in use.
"""

from __future__ import annotations

import argparse
import copy
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import yaml
from scaleflow.adversarial.perceptual_network import PerceptualConfig, PerceptualNetwork
from torch import Tensor, nn

from scaleflow.adversarial.flicker import flicker
from scaleflow.adversarial.perceptual_loss import LpipsLoss
from scaleflow.codec.models.clip_coding import code_inter, first_state, padded, plain_coding
from scaleflow.codec.models.decoded_parts import DecodedParts
from scaleflow.codec.models.scaleflow import ScaleFlowNetwork
from scaleflow.codec.models.scaleflow_picture import CELL
from scaleflow.codec.models.transforms import SAMPLE_RANGE, pack_planes
from scaleflow.codec.video.reader import open_video
from scaleflow.training.codec.clip_batches import ClipBatches
from scaleflow.training.codec.configuration import StageConfig, TrainingConfig
from scaleflow.training.codec.configuration_file import configuration_of
from scaleflow.training.codec.models.clip_training import key_picture_quality
from scaleflow.training.codec.models.perceptual import PerceptualTraining
from scaleflow.training.codec.models.trainable import ClipBatch
from scaleflow.training.data.sources import open_source
from scaleflow.training.loop.distributed import join_processes

AS_A_SYNTHESIS = {"quarter": 40, "eighth": 80, "sixteenth": 128}
"""Sizes of the network behind the decoder that cost 10.8 kMAC/pixel, as the synthesis transforms do."""


@dataclass(frozen=True)
class SynthesisParts(DecodedParts):
    """With what a synthesis transform sees; the last two are None of key pictures."""

    prediction: Tensor | None
    motion: Tensor | None


class SecondSynthesis(nn.Module):
    """Stands in the place of the network behind the decoder: its detail is the difference to the decoder's picture."""

    def __init__(self, network: ScaleFlowNetwork) -> None:
        super().__init__()
        self.intra = copy.deepcopy(network.intra.synthesis)
        self.residual = copy.deepcopy(network.residual.synthesis)

    def forward(self, parts: SynthesisParts, earlier: Tensor | None) -> Tensor:
        """As :meth:`PerceptualNetwork.forward`; what was shown before is not seen."""
        if parts.prediction is None:
            return self.intra(parts.latents, parts.quality).float() - parts.picture
        change = self.residual(parts.latents, parts.quality, parts.motion, parts.prediction)
        return (parts.prediction + change).float() - parts.picture


class StructureTraining(PerceptualTraining):
    """Either of them, in training."""

    def __init__(self, config: TrainingConfig, second: bool) -> None:
        assert config.adversarial is not None
        super().__init__(config.model, config.adversarial, config.optimization)
        sizes = PerceptualConfig(**AS_A_SYNTHESIS)
        shown = SecondSynthesis(self._coding) if second else PerceptualNetwork(sizes)
        self.network["generator"] = shown.requires_grad_(True).train().to(memory_format=torch.channels_last)

    @property
    def generator(self) -> nn.Module:  # type: ignore[override]
        """What is compared."""
        return self.network["generator"]

    def decode(self, pictures: list[Tensor], quality: Tensor) -> Sequence[SynthesisParts]:
        """With predictions and motion."""
        network, intra_quality = self._coding, key_picture_quality(quality)
        decoded, coded = network.intra(pictures[0], intra_quality)
        state = first_state(network, decoded)
        parts = [SynthesisParts(state.reference.float(), coded.values.float(), None, intra_quality, None, None)]
        for picture in pictures[1:]:
            inter = code_inter(network, picture, state, quality, plain_coding(network, quality))
            state = inter.next_state()
            picture_and_latents = state.reference.float(), inter.residual.values.float()
            flow, prediction = inter.prediction.flow.float(), inter.prediction.picture.float()
            parts.append(SynthesisParts(*picture_and_latents, flow, quality, prediction, inter.motion.values.float()))
        return parts


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
        detail = model.generator(parts, None if parts.key else detail)
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
