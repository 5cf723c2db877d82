"""Convolution of 8-bit integers by oneDNN, as the x86 backend of torch's quantization runs it."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

from scaleflow.efficient_nets.video.block_grid import pad_as
from scaleflow.errors import UsageError

SYMMETRIC_ZERO = 128
"""Byte that stands for zero where codes lie on both sides of it."""

CACHED_SAMPLES = 1 << 16
"""Values that become bytes at a time, in a buffer that stays in the cache."""


class Int8Convolution:
    """One layer with packed weights, for inputs of one shape and one range.

    Codes of fewer bits run as bytes too. Sums are of 32 bits, and scaled as in the simulation.
    """

    def __init__(
        self,
        layer: nn.Conv2d,
        weights: Tensor,
        weight_step: Tensor,
        step: float,
        code_range: tuple[int, int],
        shape: torch.Size,
    ) -> None:
        """``weights`` are codes (O, C, h, w) with a step for each output channel; ``shape`` is that of inputs.

        Raises:
            UsageError: this processor or this build of torch cannot run it exactly.
        """
        if weights.device.type != "cpu" or not runs_exactly():
            raise UsageError(
                "execution = 'int8' needs a processor with VNNI or AMX and a torch with oneDNN's quantized kernels: "
                "use execution = 'simulated'"
            )
        self.layer = layer
        self._range = code_range
        self._step = step
        self._zero = SYMMETRIC_ZERO if code_range[0] == -code_range[1] else -code_range[0]
        self._pads_itself = layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
        padding = list(layer.padding) if self._pads_itself else [0, 0]
        self._geometry = (list(layer.stride), padding, list(layer.dilation), layer.groups)
        self._weight_steps = weight_step.flatten().float()
        self._weight_zeros = torch.zeros(len(weights), dtype=torch.int32)
        self._packed = torch.ops.onednn.qconv_prepack(
            weights.to(torch.int8), self._weight_steps, step, self._zero, *self._geometry, list(shape)
        )

    def __call__(self, x: Tensor, bias: Tensor | None, reference: Tensor | None = None) -> Tensor:
        """Convolution of quantized ``x`` (N, C, H, W), or of its difference from ``reference``; in float32."""
        if not self._pads_itself:
            x, reference = pad_as(self.layer, x if reference is None else x - reference), None
        output: Tensor = torch.ops.onednn.qconv2d_pointwise(
            self._bytes(x, reference),
            self._step,
            self._zero,
            self._packed,
            self._weight_steps,
            self._weight_zeros,
            bias,
            *self._geometry,
            1.0,
            0,
            torch.float32,
            "none",
            [],
            "",
        )
        return output

    def _bytes(self, x: Tensor, reference: Tensor | None) -> Tensor:
        """Codes as bytes, channels-last; the arithmetic is that of ``UniformQuantizer``."""
        x = x.contiguous(memory_format=torch.channels_last)
        result = torch.empty_like(x, dtype=torch.uint8)
        values, codes = _in_memory_order(x), _in_memory_order(result)
        others = None
        if reference is not None:
            others = _in_memory_order(reference.contiguous(memory_format=torch.channels_last))
        low, high = self._range
        buffer = values.new_empty(min(CACHED_SAMPLES, len(values)))
        whole = torch.empty_like(buffer, dtype=torch.int32)  # from float32 to bytes by way of it is twice as fast
        for start in range(0, len(values), CACHED_SAMPLES):
            part = values[start : start + CACHED_SAMPLES]
            scaled = buffer[: len(part)]
            if others is None:
                torch.div(part, self._step, out=scaled)
            else:
                torch.sub(part, others[start : start + CACHED_SAMPLES], out=scaled).div_(self._step)
            scaled.round_().clamp_(low, high).add_(self._zero)
            codes[start : start + CACHED_SAMPLES] = whole[: len(part)].copy_(scaled)
        return result


@cache
def runs_exactly() -> bool:
    """Whether the kernels are there and their sums are exact: without VNNI, products of bytes are added up in 16 bits
    and may saturate."""
    layer = nn.Conv2d(64, 16, 1, bias=False)
    largest = torch.full((16, 64, 1, 1), 127, dtype=torch.int8)
    bytes_ = torch.full((1, 64, 8, 8), 255, dtype=torch.uint8).contiguous(memory_format=torch.channels_last)
    steps, zeros = torch.ones(16), torch.zeros(16, dtype=torch.int32)
    geometry = (list(layer.stride), [0, 0], list(layer.dilation), 1)
    try:
        packed = torch.ops.onednn.qconv_prepack(largest, steps, 1.0, 0, *geometry, [1, 64, 8, 8])
        found = torch.ops.onednn.qconv2d_pointwise(
            bytes_, 1.0, 0, packed, steps, zeros, None, *geometry, 1.0, 0, torch.float32, "none", [], ""
        )
    except (AttributeError, RuntimeError, NotImplementedError):
        return False
    return bool((found == 64 * 127 * 255).all())


def _in_memory_order(x: Tensor) -> Tensor:
    """Values (N, C, H, W), channels-last, as one row."""
    return x.permute(0, 2, 3, 1).view(-1)
