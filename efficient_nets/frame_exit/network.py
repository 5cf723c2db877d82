"""FrameExit: a video is classified frame by frame, until a gate finds that enough was seen.

Ghodrati, Bejnordi, Habibian, "FrameExit: Conditional Early Exiting for Efficient Video Recognition", CVPR 2021.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaleflow.efficient_nets.frame_exit.frame_order import coarse_to_fine
from scaleflow.errors import UsageError


@dataclass(frozen=True)
class FrameExitConfig:
    """Sizes of the network behind the backbone.

    Attributes:
        classes: of videos.
        frames: most that are looked at.
        features: channels of the pooled features.
        gate: channels of the gates' hidden layers, the second of which is half as wide.
        strictness: the paper's beta, from which on a gate is taught to stop; larger stops earlier. The loss that a
            gate allows at frame t (from 1 on) is ``strictness * exp(t / 2)``.
        placed: each frame's features get a learned summand for its place in the video. Pooling by the maximum does not
            know which frame came first; with this, features may. The paper has none.
    """

    classes: int
    frames: int = 10
    features: int = 4096
    gate: int = 128
    strictness: float = 1e-3
    placed: bool = False

    def __post_init__(self) -> None:
        for name, least in (("classes", 2), ("frames", 2), ("features", 1), ("gate", 2)):
            if getattr(self, name) < least:
                raise UsageError(f"{name} = {getattr(self, name)} must be {least} or more")
        if not self.strictness > 0:
            raise UsageError(f"strictness = {self.strictness} must be above 0")

    def allowed_loss(self, frame: int) -> float:
        """Loss of the classifier below which a gate is taught to stop at a frame, counted from 0."""
        return self.strictness * math.exp((frame + 1) / 2)


@dataclass(frozen=True)
class Exit:
    """Where a video was left.

    Attributes:
        logits: (classes,).
        frames: how many were looked at.
    """

    logits: Tensor
    frames: int


@dataclass(frozen=True)
class CascadeOutput:
    """Of all frames of a batch, in the order in which they are looked at: ``logits`` (B, T, classes), and the logits
    of stopping ``gates`` (B, T - 1); after the last frame there is no choice."""

    logits: Tensor
    gates: Tensor


class FrameExit(nn.Module):
    """A cascade of classifiers and gates behind any backbone that makes features (N, C) of pictures (N, 3, H, W).

    Frames are visited in coarse-to-fine order; features are pooled by their maximum; each number of frames has a
    classifier of its own. Gates share a perceptron of the features before and behind the newest frame. The first gate
    sees the first frame's alone, as in the paper; the released code stops there by the largest probability instead.
    """

    def __init__(self, backbone: nn.Module, channels: int, config: FrameExitConfig) -> None:
        """``channels`` are those of the backbone's features."""
        super().__init__()
        self.config = config
        self.order = coarse_to_fine(config.frames)
        self.backbone = backbone
        self.embed = nn.Linear(channels, config.features)
        self.norm = nn.BatchNorm1d(config.features)
        self.places = nn.Parameter(torch.zeros(config.frames, config.features)) if config.placed else None
        self.classifiers = nn.ModuleList([nn.Linear(config.features, config.classes) for _ in range(config.frames)])
        self.gates = make_gates(config)

    def forward(self, video: Tensor) -> CascadeOutput:
        """Everything, for training and for measuring: videos (B, T, 3, H, W) with T as configured."""
        pooled = self.pooled_features(video)
        return CascadeOutput(self.classify_pooled(pooled), judge(self.gates, pooled))

    def pooled_features(self, video: Tensor) -> Tensor:
        """(B, T, features): the maximum over the first frames, one, two and so on in the order of the visits."""
        self._check(video)
        features = self.frame_features(video[:, list(self.order)].flatten(0, 1), self.order * len(video))
        return features.unflatten(0, (len(video), -1)).cummax(1).values

    def classify_pooled(self, pooled: Tensor) -> Tensor:
        """Logits (B, T, classes) of pooled features (B, T, features), by the classifier of each number of frames."""
        return torch.stack([classifier(pooled[:, t]) for t, classifier in enumerate(self.classifiers)], 1)

    def loss(self, output: CascadeOutput, labels: Tensor) -> Tensor:
        """Mean loss of the classifiers, and of the gates against labels that are made of it on the fly."""
        classified = self.classification_losses(output.logits, labels)
        return classified.mean() + gate_loss(output.gates, classified, self.config)

    def classification_losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """(B, T) of logits (B, T, classes)."""
        frames = logits.shape[1]
        return F.cross_entropy(logits.flatten(0, 1), labels.repeat_interleave(frames), reduction="none").unflatten(
            0, (-1, frames)
        )

    @torch.no_grad()
    def classify(self, video: Tensor, threshold: float = 0.5) -> Exit:
        """One video (T, 3, H, W), of which frames are looked at until a gate says with ``threshold`` to stop.

        Raises:
            UsageError: the network is in training mode, or the video has another number of frames.
        """
        if self.training:
            raise UsageError("the network is in training mode, where batch norms change: call eval() before classify()")
        self._check(video[None])
        stop = math.log(threshold / (1 - threshold)) if 0 < threshold < 1 else math.inf * (threshold - 0.5)
        pooled = before = torch.zeros(1, self.config.features, device=video.device)
        for t, number in enumerate(self.order):
            feature = self.frame_features(video[number : number + 1], (number,))
            pooled = feature if t == 0 else torch.maximum(before, feature)
            if t == len(self.gates) or float(self.gates[t](before, pooled)) > stop:
                break
            before = pooled
        return Exit(self.classifiers[t](pooled)[0], t + 1)

    def frame_features(self, pictures: Tensor, places: Sequence[int]) -> Tensor:
        """(N, features) of pictures (N, 3, H, W) from these places of their videos."""
        features = self.norm(self.embed(self.backbone(pictures)))
        if self.places is not None:
            features = features + self.places[list(places)]
        return F.relu(features)

    def _check(self, video: Tensor) -> None:
        if video.dim() != 5 or video.shape[1] != self.config.frames:
            raise UsageError(
                f"videos of shape {tuple(video.shape)}: (batch, {self.config.frames}, 3, height, width) is needed; "
                "spread_frames() chooses frames of a longer one"
            )


def make_gates(config: FrameExitConfig) -> nn.ModuleList:
    """One for each frame but the last."""
    return nn.ModuleList([Gate(config.features, config.gate) for _ in range(config.frames - 1)])


def judge(gates: nn.ModuleList, pooled: Tensor) -> Tensor:
    """Logits of stopping (B, T - 1), of pooled features (B, T, features).

    Gates judge: what they are taught does not change the features.
    """
    seen = pooled.detach()
    before = torch.cat((torch.zeros_like(seen[:, :1]), seen[:, :-1]), 1)
    return torch.cat([gate(before[:, t], seen[:, t]) for t, gate in enumerate(gates)], 1)


def gate_loss(logits: Tensor, classified: Tensor, config: FrameExitConfig) -> Tensor:
    """Of gates (B, T - 1), against labels that are made of the classifiers' losses (B, T)."""
    frames = classified.shape[1]
    allowed = torch.tensor([config.allowed_loss(t) for t in range(frames - 1)], device=logits.device)
    stops = (classified[:, :-1].detach() <= allowed).to(logits.dtype)
    return F.binary_cross_entropy_with_logits(logits, stops)


class Gate(nn.Module):
    """Logit of stopping, from the pooled features (N, C) before and behind the newest frame."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        half = hidden // 2
        self.reduce = nn.Sequential(
            *(nn.Linear(features, hidden), nn.BatchNorm1d(hidden), nn.ReLU()),
            *(nn.Linear(hidden, half), nn.BatchNorm1d(half), nn.ReLU()),
        )
        self.decide = nn.Linear(2 * half, 1)

    def forward(self, before: Tensor, behind: Tensor) -> Tensor:
        """(N, 1)."""
        reduced = self.reduce(torch.cat((before, behind)))
        logits: Tensor = self.decide(torch.cat(reduced.chunk(2), 1))
        return logits
