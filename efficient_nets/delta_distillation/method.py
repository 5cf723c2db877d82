"""Delta distillation as a method: what ``accelerate`` takes."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from scaleflow.efficient_nets.delta_distillation.block import DeltaBlock
from scaleflow.efficient_nets.delta_distillation.convolution import DeltaConvolution
from scaleflow.efficient_nets.delta_distillation.low_rank import student_macs, student_rank
from scaleflow.efficient_nets.delta_distillation.settings import DeltaDistillationSettings


@dataclass(frozen=True)
class DeltaDistillation(DeltaDistillationSettings):
    """Compute key frames in full, and of later frames predict the change; see :class:`DeltaConvolution`,
    and for the settings :class:`DeltaDistillationSettings`.

    Give :func:`~scaleflow.efficient_nets.video.conversion.accelerate` a ``key_interval`` with it: changes grow with the
    distance, and so do errors. Layers whose compressed student would not be cheaper stay as they are.
    """

    def convolution(self, dense: nn.Conv2d) -> DeltaConvolution | None:
        """See :class:`~scaleflow.efficient_nets.video.conversion.VideoMethod`."""
        rank = student_rank(dense, self.policy, self.gamma)
        if student_macs(dense, rank) >= dense.weight.numel():
            return None
        return DeltaConvolution(dense, self)

    def replace_block(self, name: str, dense: nn.Module) -> DeltaBlock:
        """See :class:`~scaleflow.efficient_nets.video.conversion.BlockMethod`."""
        return DeltaBlock(name, dense, self)
