"""Settings of delta distillation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from torch import nn

from scaleflow.efficient_nets.delta_distillation.block_student import BlockInputs
from scaleflow.efficient_nets.delta_distillation.low_rank import Policy, Start

Reference = Literal["key", "previous"]
Full = Literal["copy", "teacher"]


@dataclass(frozen=True)
class DeltaDistillationSettings:
    """What the students are, and what they predict.

    Attributes:
        gamma: channels of compressed students are so many times fewer.
        policy: than a layer's outputs (``out``), or than the fewer of its inputs and outputs (``min``).
        reference: what changes are measured against: the key frame (``key``), so that errors of frames between do not
            add up, or the frame before (``previous``), so that changes are small. Outputs of linear students are the
            same with both.
        search: learn for each layer which of two candidates it runs, ``full`` or ``compressed``. Without it all are
            compressed.
        full: the full candidate has weights of its own, which start as those of the layer (``copy``), or is the layer
            itself (``teacher``).
        start: compressed students start nearest to the layer's weights (``svd``), or at random and near zero
            (``random``), which is faster to make where weights are loaded afterwards.
        blocks: names of modules, or their types, that are predicted as wholes by a non-linear student; see
            :class:`~scaleflow.efficient_nets.delta_distillation.block.DeltaBlock`. Each must take one picture and give
            one. Their full candidate is the block itself.
        block_inputs: what students of blocks see: the change of the block's input alone (``delta``), or also what it is
            measured against (``both``).
        block_downscale: students of blocks work at a resolution so many times lower.
    """

    gamma: float = 4.0
    policy: Policy = "out"
    reference: Reference = "key"
    search: bool = True
    full: Full = "copy"
    start: Start = "svd"
    blocks: tuple[str | type[nn.Module], ...] = ()
    block_inputs: BlockInputs = "delta"
    block_downscale: int = 1

    def __post_init__(self) -> None:
        if not (math.isfinite(self.gamma) and self.gamma >= 1):
            raise ValueError(f"gamma = {self.gamma} must be 1 or more")
        if self.block_downscale < 1:
            raise ValueError(f"block_downscale = {self.block_downscale} must be 1 or more")
        kinds = {
            "policy": Policy,
            "reference": Reference,
            "full": Full,
            "start": Start,
            "block_inputs": BlockInputs,
        }
        for name, kind in kinds.items():
            if getattr(self, name) not in get_args(kind):
                raise ValueError(f"{name} = {getattr(self, name)!r} is none of {', '.join(get_args(kind))}")
