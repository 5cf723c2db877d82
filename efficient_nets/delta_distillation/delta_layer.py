"""What layers that predict the change of their output share, whatever the student."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from scaleflow.efficient_nets.delta_distillation.settings import DeltaDistillationSettings
from scaleflow.efficient_nets.video.convolution import VideoLayer
from scaleflow.efficient_nets.video.cost import Cost, dense_cost, gated_cost
from scaleflow.efficient_nets.video.gumbel import draw_decision
from scaleflow.errors import UsageError

Candidate = Literal["full", "compressed"]

START_LOG_ODDS = -1.0
"""Of the full candidate: a search starts nearer to the compressed one."""


@dataclass
class DeltaState:
    """What one call of a layer remembers.

    Attributes:
        input: that changes are measured against: the key frame's, or the frame's before.
        output: that changes are added to.
        dense_macs: of computing all of ``output``.
    """

    input: Tensor
    output: Tensor
    dense_macs: int


class DeltaLayer(VideoLayer):
    """Computes key frames in full, and predicts by how much outputs of later frames differ.

    The method is that of Habibian et al., "Delta Distillation", ECCV 2022. The teacher is the layer itself. A search
    has two candidates for what predicts: ``full``, as large as the teacher, and ``compressed``. One number says by its
    sign which of them runs; in training the choice is drawn by its odds, anew for each clip, so that the task and the
    cost can tell which is worth its MACs.

    In training mode, clips are first run with all layers computed in full. What the outputs changed by there is what
    the student learns; it sees inputs that its predecessors predicted.

    Attributes:
        students: what of the candidates has weights of its own.
        log_odds: of the full candidate; None where there is no choice.
        candidates: what there is to choose from.
        errors: of each call in the last clip in training mode: mean square of what was predicted wrong.
        compressed_errors: the same of what the compressed candidate predicts, whether or not it was drawn.
        first_error: of the first clip that was learned from, the latter's sum over calls; not a number before.
    """

    students: nn.ModuleDict
    log_odds: nn.Parameter | None
    first_error: Tensor

    def start_deltas(self, settings: DeltaDistillationSettings, students: dict[str, nn.Module], like: Tensor) -> None:
        """To be called where the layer is made; ``like`` says where numbers of the layer's own are to be."""
        self.settings = settings
        self.students = nn.ModuleDict(students)
        self.candidates: tuple[Candidate, ...] = ("full", "compressed") if settings.search else ("compressed",)
        log_odds = torch.full((), START_LOG_ODDS, device=like.device, dtype=like.dtype)
        self.log_odds = nn.Parameter(log_odds) if settings.search else None
        self.register_buffer("first_error", torch.full((), float("nan"), device=like.device))
        self.errors: list[Tensor] = []
        self.compressed_errors: list[Tensor] = []
        self._targets: deque[Tensor] = deque()

    @abstractmethod
    def predict(self, candidate: Candidate, x: Tensor, state: DeltaState) -> tuple[Tensor, int]:
        """Change of the output since ``state`` for the input ``x`` (N, C, H, W), and its MACs."""

    @abstractmethod
    def predict_clip(self, candidate: Candidate, clip: Tensor, first: Tensor) -> tuple[Tensor, int]:
        """Changes of the output (B, T - 1, O, H, W) in a clip whose first frame gave ``first``, and MACs of all."""

    @property
    def choice(self) -> Candidate:
        """The candidate that runs in eval mode."""
        if self.log_odds is None:
            return self.candidates[0]
        return "full" if self.log_odds.item() > 0 else "compressed"

    def finalize(self, choice: Candidate) -> None:
        """Keep this candidate alone.

        Raises:
            UsageError: it was dropped before.
        """
        if choice not in self.candidates:
            raise UsageError(f"{self.name}: candidate {choice!r} is none of {', '.join(self.candidates)}")
        for other in [name for name in self.students if name != choice]:
            del self.students[other]
        self.candidates, self.log_odds = (choice,), None

    @property
    def learns_from_dense(self) -> bool:
        """See :class:`VideoLayer`."""
        return self.training

    def begin_frame(self) -> None:
        """See :class:`VideoLayer`."""
        super().begin_frame()
        self.errors, self.compressed_errors = [], []
        if self.clock.teacher:
            self._targets.clear()

    def first_frame(self, x: Tensor) -> tuple[Tensor, DeltaState]:
        """See :class:`VideoLayer`."""
        output = self.dense(x)
        return output, DeltaState(x.clone(), output.clone(), self.dense_macs(output))

    def next_frame(self, x: Tensor, state: object) -> tuple[Tensor, Cost]:
        """See :class:`VideoLayer`."""
        assert isinstance(state, DeltaState)
        change, macs = self.predict(self.choice, x, state)
        output = state.output + change
        if self.settings.reference == "previous":
            state.input.copy_(x)
            state.output.copy_(output)
        return output, gated_cost(macs, 0, macs, state.dense_macs)

    def whole_clip(self, clip: Tensor) -> tuple[Tensor, list[Cost]]:
        """See :class:`VideoLayer`."""
        length = clip.shape[1]
        if self.clock.teacher:
            outputs = self.dense(clip.flatten(0, 1)).unflatten(0, clip.shape[:2])
            self._targets.append(self.differences(outputs))
            return outputs, [Cost()] * length
        first = self.dense(clip[:, 0])
        dense = self.dense_macs(first)
        if length == 1:
            return first[:, None], [dense_cost(dense)]
        changes, compressed, macs, share = self._changes(clip, first, dense * (length - 1))
        if self.training:
            self._learn(changes, compressed)
            self.clock.choices.append((dense * (length - 1), share))
        if self.settings.reference == "previous":
            changes = changes.cumsum(1)
        later = macs // (length - 1)
        costs = [dense_cost(dense)] + [gated_cost(later, 0, later, dense)] * (length - 1)
        return torch.cat((first[:, None], first[:, None] + changes), 1), costs

    def expected_shape(self, state: object) -> tuple[int, ...]:
        """See :class:`VideoLayer`."""
        assert isinstance(state, DeltaState)
        return state.input.shape

    def differences(self, clip: Tensor) -> Tensor:
        """Of all frames (B, T - 1, C, H, W) but the first of ``clip`` to what they are measured against."""
        return clip[:, 1:] - self.references(clip)

    def references(self, clip: Tensor) -> Tensor:
        """What each frame but the first is measured against (B, T - 1, C, H, W)."""
        return clip[:, :-1] if self.settings.reference == "previous" else clip[:, :1].expand_as(clip[:, 1:])

    def _changes(self, clip: Tensor, first: Tensor, dense: int) -> tuple[Tensor, Tensor, int, Tensor]:
        """Changes of the output, those that the compressed candidate predicts where there is a choice, MACs, and the
        share of ``dense`` MACs, which lets gradients through.
        """
        if self.log_odds is None or not self.training:
            changes, macs = self.predict_clip(self.choice, clip, first)
            return changes, changes, macs, first.new_tensor(macs / dense)
        full, full_macs = self.predict_clip("full", clip, first)
        compressed, compressed_macs = self.predict_clip("compressed", clip, first)
        drawn = draw_decision(self.log_odds)
        macs = full_macs if drawn > 0.5 else compressed_macs
        share = (drawn * full_macs + (1 - drawn) * compressed_macs) / dense
        return drawn * full + (1 - drawn) * compressed, compressed, macs, share

    def _learn(self, changes: Tensor, compressed: Tensor) -> None:
        if not self._targets or self._targets[0].shape != changes.shape:
            raise UsageError(
                f"{self.name}: runs in another way than in the dense network, so it has nothing to learn from: "
                f"leave it out with exclude=({self.name!r},)"
            )
        target = self._targets.popleft()
        self.errors.append((changes - target).square().mean())
        with torch.no_grad():
            self.compressed_errors.append((compressed - target).square().mean())
