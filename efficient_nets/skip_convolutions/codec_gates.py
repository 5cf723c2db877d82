"""Skip-Convolutions on decoded video: gates open where the decoder has read that something changed."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from scaleflow.efficient_nets.skip_convolutions.convolution import SkipConvolution
from scaleflow.efficient_nets.skip_convolutions.decoded_change import DecodedChange
from scaleflow.efficient_nets.skip_convolutions.method import SkipConv
from scaleflow.efficient_nets.skip_convolutions.settings import Execution


@dataclass(frozen=True)
class CodecGates:
    """:class:`SkipConv` with given gates, and what makes maps of changes for them.

    Attributes:
        prediction, residual: thresholds, see :class:`DecodedChange`.
        block, execution, dense_above, least_macs_per_sample: see :class:`SkipConv`.
    """

    prediction: float = 2.0
    residual: float = 2.0
    block: int = SkipConv.block
    execution: Execution = SkipConv.execution
    dense_above: float = SkipConv.dense_above
    least_macs_per_sample: float = SkipConv.least_macs_per_sample

    def __post_init__(self) -> None:
        self.change_maps()
        self._skip_conv()

    def change_maps(self) -> DecodedChange:
        """For the pictures of a video, from its first one on."""
        return DecodedChange(self.prediction, self.residual)

    def convolution(self, dense: nn.Conv2d) -> SkipConvolution | None:
        """See :class:`~scaleflow.efficient_nets.video.conversion.VideoMethod`."""
        return self._skip_conv().convolution(dense)

    def _skip_conv(self) -> SkipConv:
        return SkipConv(
            gate="given",
            block=self.block,
            execution=self.execution,
            dense_above=self.dense_above,
            least_macs_per_sample=self.least_macs_per_sample,
        )
