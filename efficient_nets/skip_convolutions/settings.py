"""Settings of Skip-Convolutions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from scaleflow.efficient_nets.skip_convolutions.sparse_kernels import check_compiler
from scaleflow.efficient_nets.video.block_grid import BLOCKS

Gate = Literal["input", "output", "learned", "given"]
Reference = Literal["opened", "every"]
Execution = Literal["sparse", "compiled", "masked"]


@dataclass(frozen=True)
class SkipConvSettings:
    """When a position is computed, and how.

    Attributes:
        threshold: size of the change from which on a position is computed, for all layers; see
            :class:`~scaleflow.efficient_nets.skip_convolutions.gates.NormGate` for its unit. 0 computes wherever
            anything changed, and gives what the dense network gives.
        gate: ``output`` (the change of output that the change of input could make), ``input`` (its own size), or
            ``learned`` (see :class:`~scaleflow.efficient_nets.skip_convolutions.learned_gate.LearnedGate`; the
            threshold is then in log odds, and 0 is what was trained), or ``given`` (by ``network.change_map()`` before
            each frame, see :class:`~scaleflow.efficient_nets.skip_convolutions.given_gate.GivenGate`; there is no
            threshold).
        block: output positions are computed or kept in squares of this side: 1, 2, 4 or 8.
        reference: what a change is measured against. ``opened``: the input as far as gates let it through, so that
            small changes add up until they are seen. ``every``: the frame before, as the paper's released code does;
            changes below the threshold are lost for good.
        execution: ``sparse`` computes open blocks alone. ``compiled`` does so with gates, gathering and scattering in
            machine code, which numba makes when a layer first runs: the same but for rounding, and faster. It is for
            one thread of a CPU, in float32; layers that it does not cover (learned gates, padding that repeats
            samples, ``reference="every"``) run as ``sparse``. ``masked`` computes everything and keeps what is open,
            which gives the same and saves nothing: for comparison.
        dense_above: where a larger share of a layer's blocks is open, the gate opens everywhere and the layer runs
            dense, which is then faster and more exact. 1 never does.
        least_macs_per_sample: layers with fewer MACs for each sample of their input and output stay as they are. To
            look for changes in a sample, or to copy it, takes about as long as 50 MACs, so that gating cheaper layers
            (depthwise ones, most of 1x1) costs time though it saves MACs. 0 converts all.
    """

    threshold: float = 0.0
    gate: Gate = "output"
    block: int = 4
    reference: Reference = "opened"
    execution: Execution = "sparse"
    dense_above: float = 0.5
    least_macs_per_sample: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.threshold) and self.threshold >= 0):
            raise ValueError(f"threshold = {self.threshold} must be 0 or more")
        if self.gate == "given" and (self.threshold or self.reference != "opened"):
            raise ValueError("gate = 'given' takes no threshold (0), and reference = 'opened'")
        if self.block not in BLOCKS:
            raise ValueError(f"block = {self.block} is none of {', '.join(map(str, BLOCKS))}")
        for name, kind in (("gate", Gate), ("reference", Reference), ("execution", Execution)):
            if getattr(self, name) not in get_args(kind):
                raise ValueError(f"{name} = {getattr(self, name)!r} is none of {', '.join(get_args(kind))}")
        if self.execution == "compiled":
            check_compiler()
        if not 0 <= self.dense_above <= 1:
            raise ValueError(f"dense_above = {self.dense_above} is outside 0..1")
        if not self.least_macs_per_sample >= 0:
            raise ValueError(f"least_macs_per_sample = {self.least_macs_per_sample} must be 0 or more")
