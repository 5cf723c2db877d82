"""Small convolutional networks in exact integer arithmetic.

Activations are fixed-point integers with 10 fractional bits, weights with up to 14; both are held in float64, where
sums of integers are exact, in any order, as long as they stay below 2**53. That bound is checked for every layer when
the network is made. Convolutions are matrix products of gathered patches, never a library's convolution, which might
choose an algorithm with fractions (Winograd, FFT). So the result is the same for any number of threads, memory
format, instruction set and device. The idea is that of Ballé, Johnston and Minnen, "Integer networks for data
compression with latent-variable models", ICLR 2019, with wide integers instead of trained narrow ones.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaleflow.entropy.fixed_point import FRACTION_BITS, ONE, round_shift

WEIGHT_BITS = 14
LARGEST_ACTIVATION = float(1 << 26)
"""Activations are clamped to this: 2**16 with its fraction."""

LARGEST_INTEGER = float(1 << 53)

LARGEST_FLOAT = float(1 << 16)
"""Weights and biases below this have integer forms of 32 and 64 bits."""


class IntegerConvolution(nn.Module):
    """Convolution, or transposed convolution, of fixed-point integers."""

    weight: Tensor
    bias: Tensor

    def __init__(self, source: nn.Conv2d | nn.ConvTranspose2d) -> None:
        super().__init__()
        if source.groups != 1 or source.dilation != (1, 1) or source.padding_mode != "zeros":
            raise ValueError(f"only plain convolutions have an integer form, not {source}")
        if isinstance(source.padding, str):
            raise ValueError(f"padding {source.padding!r} must be given in numbers")
        self.transposed = isinstance(source, nn.ConvTranspose2d)
        self.kernel, self.stride, self.padding = source.kernel_size, source.stride, source.padding
        self.output_padding = source.output_padding
        self.outputs = source.out_channels
        weight = source.weight.detach().double()
        # one row of the matrix for each output value that a patch contributes to
        matrix = weight.flatten(1).T if self.transposed else weight.flatten(1)
        bias = source.bias.detach().double() if source.bias is not None else torch.zeros(self.outputs).double()
        if not float(matrix.abs().max()) < LARGEST_FLOAT or not float(bias.abs().max()) < LARGEST_FLOAT:
            raise ValueError(f"weights too large for exact integers, or not finite: magnitudes below {LARGEST_FLOAT:g}")
        self.register_buffer("weight", (matrix * (1 << WEIGHT_BITS)).round().to(torch.int32).contiguous())
        self.register_buffer("bias", (bias * (1 << WEIGHT_BITS) * ONE).round().to(torch.int64))
        self._prepared: tuple[Tensor, Tensor] | None = None
        self.check_bound()

    def check_bound(self) -> None:
        """Raise ValueError where a sum could reach 2**53."""
        rows = self.weight.double().abs().sum(1)
        if self.transposed:
            rows = rows.view(self.outputs, -1).sum(1)  # several patches add up in one output
        largest = float((rows * LARGEST_ACTIVATION + self.bias.double().abs()).max())
        if largest >= LARGEST_INTEGER:
            raise ValueError(f"weights too large for exact integers: a sum could reach {largest:.3g}, limit 2**53")

    def forward(self, x: Tensor) -> Tensor:
        """Float64 integers (N, C, H, W)."""
        weight, bias = self._as_double()
        number, _, height, width = x.shape
        if self.transposed:
            columns = weight @ x.flatten(2)
            size = tuple(
                (side - 1) * s - 2 * p + k + o
                for side, s, p, k, o in zip(
                    (height, width), self.stride, self.padding, self.kernel, self.output_padding, strict=True
                )
            )
            total = F.fold(columns, size, self.kernel, stride=self.stride, padding=self.padding) + bias[..., None]
        else:
            size = tuple(
                (side + 2 * p - k) // s + 1
                for side, s, p, k in zip((height, width), self.stride, self.padding, self.kernel, strict=True)
            )
            total = bias.expand(number, self.outputs, size[0] * size[1])
            # offset by offset: smaller products, but no patches to gather, which would take longer
            for offset, part in zip(weight, self._parts(x, size), strict=True):
                total = torch.baddbmm(total, offset.expand(number, -1, -1), part.flatten(2))
            total = total.view(number, self.outputs, *size)
        return round_shift(total, WEIGHT_BITS).clamp(-LARGEST_ACTIVATION, LARGEST_ACTIVATION)

    def _parts(self, x: Tensor, size: tuple[int, ...]) -> list[Tensor]:
        """For each offset within the kernel, the inputs that it meets at each position of the output."""
        if self.kernel == (1, 1) and self.stride == (1, 1) and self.padding == (0, 0):
            return [x]
        padded = F.pad(x, (self.padding[1], self.padding[1], self.padding[0], self.padding[0]))
        (down, right), (height, width) = self.stride, size
        return [
            padded[:, :, i : i + (height - 1) * down + 1 : down, j : j + (width - 1) * right + 1 : right]
            for i in range(self.kernel[0])
            for j in range(self.kernel[1])
        ]

    def _as_double(self) -> tuple[Tensor, Tensor]:
        if self._prepared is None or self._prepared[0].device != self.weight.device:
            weight = self.weight.double()
            if not self.transposed:  # one matrix for each offset within the kernel
                weight = weight.view(self.outputs, -1, self.kernel[0] * self.kernel[1]).permute(2, 0, 1).contiguous()
            self._prepared = (weight, self.bias.double().view(1, -1, 1))
        return self._prepared

    def _load_from_state_dict(self, *arguments: object, **named: object) -> None:
        super()._load_from_state_dict(*arguments, **named)
        self._prepared = None


class _Bounded(nn.Module):
    """Hardtanh in fixed point: values outside its range are cut off."""

    def __init__(self, source: nn.Hardtanh) -> None:
        super().__init__()
        self.lowest, self.highest = source.min_val * ONE, source.max_val * ONE
        if self.lowest != round(self.lowest) or self.highest != round(self.highest):
            raise ValueError(f"the bounds of {source} are no multiples of 1/{ONE}")

    def forward(self, x: Tensor) -> Tensor:
        """Any shape."""
        return x.clamp(self.lowest, self.highest)


class IntegerNetwork(nn.Sequential):
    """A chain of convolutions, ReLUs, Hardtanhs and pixel shuffles on fixed-point integers with 10 fractional bits."""

    @classmethod
    def from_float(cls, network: nn.Sequential) -> IntegerNetwork:
        """Round the weights of ``network``; raises ValueError for a layer that has no integer form."""
        return cls(*(_integer_layer(layer) for layer in network))

    def check_bounds(self) -> None:
        """Check every layer again, as after loading weights."""
        for layer in self.modules():
            if isinstance(layer, IntegerConvolution):
                layer.check_bound()

    def forward(self, x: Tensor) -> Tensor:
        """Float64 integers (N, C, H, W), clamped to the largest activation."""
        if x.dtype != torch.float64:
            raise TypeError(f"integers must be held in float64, got {x.dtype}")
        result: Tensor = super().forward(x.clamp(-LARGEST_ACTIVATION, LARGEST_ACTIVATION))
        return result


def _integer_layer(layer: nn.Module) -> nn.Module:
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        return IntegerConvolution(layer)
    if isinstance(layer, nn.ReLU):
        return nn.ReLU()
    if isinstance(layer, nn.PixelShuffle):
        return nn.PixelShuffle(layer.upscale_factor)
    if isinstance(layer, nn.Hardtanh):
        return _Bounded(layer)
    if isinstance(layer, nn.Sequential):
        return nn.Sequential(*(_integer_layer(inner) for inner in layer))
    raise ValueError(f"{type(layer).__name__} has no exact integer form")


__all__ = ["FRACTION_BITS", "IntegerNetwork"]
