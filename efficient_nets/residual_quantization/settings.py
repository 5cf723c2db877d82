"""Settings of residual quantization."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from scaleflow.efficient_nets.residual_quantization.clipping import Clipping
from scaleflow.efficient_nets.video.block_grid import BLOCKS

FEWEST_BITS, MOST_BITS = 2, 8

DYNAMIC_THRESHOLDS = (0.1, 0.2)
"""Of the widths 0, 4 and 8; see ``benchmarks/residual_quantization.py``."""

Scales = Literal["tracked", "learned"]
Reference = Literal["quantized", "exact"]
Execution = Literal["simulated", "int8"]


@dataclass(frozen=True)
class ResidualQuantizationSettings:
    """How many bits key frames, residuals and weights have, and how ranges are found.

    Attributes:
        bits: of residuals, 2 to 8. Several, such as ``(0, 4, 8)``, are chosen from block by block (Dynamic-ResQ); 0
            computes nothing. None has no residuals: every frame is quantized for itself, at ``key_bits``.
        key_bits: of the samples of key frames.
        weight_bits: of the weights that residuals meet; None takes as many as the residual has.
        key_weight_bits: of the weights that key frames meet; None takes ``key_bits``.
        thresholds: sizes of a residual above which the next of several ``bits`` is taken, rising, one less than there
            are widths. The size is the mean magnitude under the kernel, in steps of the quantizer of the narrowest
            width above 0; the largest in a block counts. None is for 0, 4 and 8 bits: :data:`DYNAMIC_THRESHOLDS`.
        block: with several ``bits``, output positions get one width in squares of this side: 1, 2, 4 or 8.
        reference: what residuals are taken from. ``quantized``: the key frame as it was quantized, so that its error
            does not add to theirs, and is corrected where their step is finer. ``exact``: the key frame itself.
        clipping: how ranges are fitted to values: ``mse``, ``percentile`` or ``largest``; see
            :func:`~scaleflow.efficient_nets.residual_quantization.clipping.fit`.
        scales: in training, ranges follow the values (``tracked``), or are parameters (``learned``). They have the
            same names in ``state_dict()``.
        execution: ``simulated`` runs on codes held in floating point; ``int8`` on oneDNN's kernels for 8-bit integers,
            which give the same. Clips always run simulated.
    """

    bits: int | tuple[int, ...] | None = 4
    key_bits: int = 8
    weight_bits: int | None = None
    key_weight_bits: int | None = None
    thresholds: tuple[float, ...] | None = None
    block: int = 4
    reference: Reference = "quantized"
    clipping: Clipping = "mse"
    scales: Scales = "tracked"
    execution: Execution = "simulated"

    def __post_init__(self) -> None:
        for name, bits in (
            ("key_bits", self.key_bits),
            ("weight_bits", self.weight_bits),
            ("key_weight_bits", self.key_weight_bits),
            *(("bits", width) for width in self.widths if self.dynamic is False or width != 0),
        ):
            if bits is not None and not FEWEST_BITS <= bits <= MOST_BITS:
                raise ValueError(f"{name} = {bits} is outside {FEWEST_BITS}..{MOST_BITS}")
        if self.dynamic:
            self._check_choice()
        elif self.thresholds is not None:
            raise ValueError(f"thresholds = {self.thresholds} need several bits to choose from, such as bits=(0, 4, 8)")
        if self.block not in BLOCKS:
            raise ValueError(f"block = {self.block} is none of {', '.join(map(str, BLOCKS))}")
        for name, kind in (
            ("reference", Reference),
            ("clipping", Clipping),
            ("scales", Scales),
            ("execution", Execution),
        ):
            if getattr(self, name) not in get_args(kind):
                raise ValueError(f"{name} = {getattr(self, name)!r} is none of {', '.join(get_args(kind))}")
        if self.execution == "int8" and self.dynamic:
            raise ValueError("execution = 'int8' runs one width: give a single number of bits")

    def _check_choice(self) -> None:
        if len(self.widths) < 2 or list(self.widths) != sorted(set(self.widths)):
            raise ValueError(f"bits = {self.bits} are not two or more that rise")
        thresholds = self.width_thresholds
        if len(thresholds) != len(self.widths) - 1 or list(thresholds) != sorted(thresholds) or thresholds[0] < 0:
            raise ValueError(
                f"thresholds = {self.thresholds} for bits = {self.bits}: give {len(self.widths) - 1} that rise from 0"
            )

    @property
    def dynamic(self) -> bool:
        """Whether widths are chosen block by block."""
        return isinstance(self.bits, tuple)

    @property
    def widths(self) -> tuple[int, ...]:
        """Of residuals; none where every frame is quantized for itself."""
        if self.bits is None:
            return ()
        return self.bits if isinstance(self.bits, tuple) else (self.bits,)

    @property
    def width_thresholds(self) -> tuple[float, ...]:
        """Thresholds between :attr:`widths`."""
        if self.thresholds is None:
            return DYNAMIC_THRESHOLDS if self.bits == (0, 4, 8) else ()
        return self.thresholds

    def weight_width(self, width: int | None) -> int:
        """Bits of the weights that residuals of ``width`` bits meet; None for key frames."""
        if width is None:
            return self.key_weight_bits or self.key_bits
        return self.weight_bits or width
