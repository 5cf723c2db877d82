"""Multiply-accumulates (MACs) and bit operations (BOPs) of a network on video, beside those of a dense run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

FLOAT_BITS = 32


@dataclass(frozen=True)
class Cost:
    """Work of one layer or of many; costs add up.

    BOPs are MACs times the bits of the weight times the bits of the sample, so that work at several precisions can be
    compared.

    Attributes:
        macs: spent by the method, gates included: what a kernel must do that computes each open position alone.
        gate_macs: of these, what deciding took. A subtraction whose magnitude is added up counts as one.
        executed_macs: what this execution ran, gates included: all positions where a layer ran dense and masked.
        bops: spent by the method.
        dense_macs, dense_bops: what the same layers do when every frame is computed in full.
    """

    macs: int = 0
    gate_macs: int = 0
    executed_macs: int = 0
    bops: int = 0
    dense_macs: int = 0
    dense_bops: int = 0

    def __add__(self, other: Cost) -> Cost:
        """Both together."""
        return Cost(
            self.macs + other.macs,
            self.gate_macs + other.gate_macs,
            self.executed_macs + other.executed_macs,
            self.bops + other.bops,
            self.dense_macs + other.dense_macs,
            self.dense_bops + other.dense_bops,
        )

    @property
    def ratio(self) -> float:
        """How many times fewer MACs than dense were spent; 1 where there was nothing to do."""
        return self.dense_macs / self.macs if self.macs else 1.0

    @property
    def bop_ratio(self) -> float:
        """How many times fewer BOPs than dense were spent; 1 where there was nothing to do."""
        return self.dense_bops / self.bops if self.bops else 1.0


def dense_cost(macs: int, bits: int = FLOAT_BITS) -> Cost:
    """Of a layer that computes everything, with weights and samples of ``bits``."""
    bops = macs * bits * bits
    return Cost(macs, 0, macs, bops, macs, bops)


def gated_cost(macs: int, gate_macs: int, executed_macs: int, dense_macs: int, bits: int = FLOAT_BITS) -> Cost:
    """Of a layer whose gate let ``macs`` of ``dense_macs`` through; ``executed_macs`` without those of the gate."""
    square = bits * bits
    return Cost(
        macs=macs + gate_macs,
        gate_macs=gate_macs,
        executed_macs=executed_macs + gate_macs,
        bops=(macs + gate_macs) * square,
        dense_macs=dense_macs,
        dense_bops=dense_macs * square,
    )


@dataclass(frozen=True)
class FrameCost:
    """Work of one frame.

    Attributes:
        key: the frame was computed in full.
        layers: by the name of the layer, in the order in which they ran.
    """

    key: bool
    layers: Mapping[str, Cost]

    @property
    def total(self) -> Cost:
        """Of all layers."""
        return sum(self.layers.values(), Cost())


@dataclass(frozen=True)
class VideoCost:
    """Work of all frames since the count began.

    Attributes:
        frames: how many frames were counted.
        layers: sums over these frames, by the name of the layer.
        latest: the last of these frames, one by one; the oldest first.
    """

    frames: int = 0
    layers: Mapping[str, Cost] = field(default_factory=dict)
    latest: tuple[FrameCost, ...] = ()

    @property
    def total(self) -> Cost:
        """Of all layers and frames."""
        return sum(self.layers.values(), Cost())

    @property
    def ratio(self) -> float:
        """How many times fewer MACs than dense were spent, key frames and gates included."""
        return self.total.ratio
