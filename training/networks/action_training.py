"""Training of FrameExit: backbone, classifiers and gates at once, on evenly spread frames of videos."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from scaleflow.efficient_nets.data.action_clips import ActionData, read_clip
from scaleflow.efficient_nets.frame_exit.network import gate_loss, judge
from scaleflow.efficient_nets.frame_exit.weights_file import GatedNetwork
from scaleflow.training.loop.parts import ParameterGroup, StepLoss
from scaleflow.training.networks.batches import LabelledBatch, NumberedSamples, draw_windows, vary_brightness
from scaleflow.training.networks.configuration import NetworkDataConfig, NetworkStage

KEPT_BYTES = 1 << 30
"""Of clips as they were read, so that small data are decoded once; of each process that loads."""


class ActionSamples(NumberedSamples):
    """Sample n of a run: which clip, and how it is varied, follows from (seed, n) alone. Clips are not mirrored, as
    many actions have a side."""

    def __init__(self, data: ActionData, config: NetworkDataConfig, frames: int, seed: int) -> None:
        """``config.size`` must be that of the pictures to train on."""
        self._data, self._config, self._frames, self._seed = data, config, frames, seed
        self._kept: dict[int, Tensor] = {}

    def load(self, number: int) -> tuple[Tensor, Tensor]:
        """Clip (T, 3, H, W) and its class, a scalar. Raises :class:`DataError` where it cannot be read."""
        epoch, place = divmod(number, len(self._data.clips))
        chosen = int(np.random.default_rng((self._seed, 1, epoch)).permutation(len(self._data.clips))[place])
        generator = np.random.default_rng((self._seed, 2, number))
        clip = self._read(chosen).float() / 255
        windows = draw_windows(clip[0], self._config, len(clip), False, generator)
        shown = torch.stack([window.picture(picture) for window, picture in zip(windows, clip, strict=True)])
        return vary_brightness(shown, self._config, generator), torch.tensor(self._data.clips[chosen].label)

    def _read(self, number: int) -> Tensor:
        kept = self._kept.get(number)
        if kept is None:
            kept = read_clip(self._data.clips[number].path, self._frames, self._config.size)
            if (len(self._kept) + 1) * kept.numel() <= KEPT_BYTES:
                self._kept[number] = kept
        return kept


class ActionTraining:
    """Implements :class:`scaleflow.training.loop.parts.Trainable`."""

    def __init__(self, gated: GatedNetwork, precision: str) -> None:
        self._gated, self._precision = gated, precision
        gated.to(memory_format=torch.channels_last)

    @property
    def network(self) -> nn.Module:
        """See :class:`scaleflow.training.loop.parts.Trainable`."""
        return self._gated

    def start(self, stage: NetworkStage, batches: Iterator[LabelledBatch]) -> None:
        """Nothing is measured."""

    def parameter_groups(self, stage: NetworkStage) -> list[ParameterGroup]:
        """The backbone, which may learn more slowly, classifiers, and gates, whose gradients say nothing of the
        others'."""
        backbone, rest = ParameterGroup([], stage.backbone_rate), ParameterGroup([])
        gates = ParameterGroup([], clipped=False)
        for name, parameter in self._gated.named_parameters():
            if name.startswith(("further.", "network.gates.")):
                group = gates
            else:
                group = backbone if name.startswith("network.backbone.") else rest
            group.parameters.append(parameter)
            group.names.append(name)
        return [backbone, rest, gates]

    def step(self, batch: LabelledBatch, stage: NetworkStage) -> StepLoss:
        """See :class:`scaleflow.training.loop.parts.Trainable`."""
        network = self._gated.network
        with torch.autocast(batch.clips.device.type, torch.bfloat16, enabled=self._precision == "bf16"):
            pooled = network.pooled_features(batch.clips)
        pooled = pooled.float()
        logits = network.classify_pooled(pooled)
        classified = network.classification_losses(logits, batch.targets)
        loss = classified.mean()
        right = (logits.argmax(2) == batch.targets[:, None]).float().mean(0)
        scalars = {"first frame right": float(right[0]), "all frames right": float(right[-1])}
        for strictness in self._gated.strictnesses:
            taught = replace(network.config, strictness=strictness)
            loss = loss + gate_loss(judge(self._gated.gates_for(strictness), pooled), classified, taught)
        return StepLoss(loss, scalars)


def validate_action(gated: GatedNetwork, data: ActionData, size: tuple[int, int], most: int = 0) -> dict[str, float]:
    """``accuracy`` in percent of the network in eval mode after all frames, after one, and where gates of the first
    strictness stop, with the mean number of frames up to there.

    Args:
        size: (width, height).
        most: clips, evenly spread; 0 for all.
    """
    network = gated.network
    clips = data.clips
    if most and len(clips) > most:
        clips = tuple(clips[number * len(clips) // most] for number in range(most))
    device = next(gated.parameters()).device
    right: list[list[float]] = []
    with torch.inference_mode():
        for clip in clips:
            video = read_clip(clip.path, network.config.frames, size).to(device).float() / 255
            output = network(video[None])
            stops = (output.gates[0] > 0).nonzero()
            left = int(stops[0]) if len(stops) else network.config.frames - 1
            found = (output.logits[0].argmax(1) == clip.label).float().tolist()
            right.append([found[-1], found[0], found[left], (left + 1) / 100])
    means = [100 * float(value) for value in np.mean(right, 0)]
    names = ("accuracy", "accuracy of one frame", "accuracy at exits", "frames at exits")
    return dict(zip(names, means, strict=True))
