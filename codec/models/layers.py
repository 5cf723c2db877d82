"""Building blocks of the default model's transforms."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NEGATIVE_SLOPE = 0.1


_ONEDNN = torch.backends.mkldnn.is_available()


def convolve(x: Tensor, layer: nn.Conv2d, *, padding: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    """What a layer makes of ``x`` (N, C, H, W), padded with zeros, in one order of sums.

    PyTorch chooses between libraries by the number of threads, the size of the input and the memory format, and each
    adds up in an order of its own. In inference on a CPU this always takes oneDNN and its channels-last form, which in
    float32 gives equal bits for any number of threads, and with AVX2 and all versions of AVX-512.
    """
    weight, bias, dilation, groups = layer.weight, layer.bias, layer.dilation, layer.groups
    if torch.is_inference_mode_enabled() and x.device.type == "cpu":
        # not contiguous(), to which a single position, or a kernel of one, is of every format already
        x, weight = (tensor.to(memory_format=torch.channels_last) for tensor in (x, weight))
        if _ONEDNN and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu"):
            return torch.mkldnn_convolution(x, weight, bias, padding, stride, dilation, groups)
    return F.conv2d(x, weight, bias, stride, padding, dilation, groups)


class Convolution(nn.Conv2d):
    """A convolution with zero padding, computed by :func:`convolve`."""

    def forward(self, input: Tensor) -> Tensor:
        """``input`` (N, C, H, W), in any memory format."""
        assert not isinstance(self.padding, str)
        return convolve(input, self, padding=self.padding, stride=self.stride)


def steady_sigmoid(x: Tensor) -> Tensor:
    """The sigmoid in float32, rounded from float64: vector instructions differ in the last bits of float32's."""
    return torch.sigmoid(x.double()).float()


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a leaky ReLU, added to the input; starts close to the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = Convolution(channels, channels, 3, padding=1)
        self.second = Convolution(channels, channels, 3, padding=1)
        with torch.no_grad():
            self.second.weight.mul_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Any (N, C, H, W); same shape."""
        change: Tensor = self.second(F.leaky_relu(self.first(x), NEGATIVE_SLOPE, inplace=True))
        return change.add_(x)


class Downsample(nn.Sequential):
    """2x2 convolution with stride 2."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(Convolution(inputs, outputs, 2, stride=2), nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True))


class Upsample(nn.Sequential):
    """1x1 convolution and pixel shuffle: twice the height and width."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            Convolution(inputs, 4 * outputs, 1), nn.PixelShuffle(2), nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True)
        )


def zero_start(convolution: Convolution) -> Convolution:
    """Let a branch begin without effect: the codec starts as a linear transform and learns what to add."""
    nn.init.zeros_(convolution.weight)
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
    return convolution


def full_precision(layer: nn.Module, x: Tensor) -> Tensor:
    """Run one layer in float32 under autocast: bfloat16 has too few digits for values of hundreds of steps."""
    with torch.autocast(x.device.type, enabled=False):
        result: Tensor = layer(x.float())
    return result


def round_through(values: Tensor) -> Tensor:
    """Round; the gradient passes as if nothing had happened."""
    return values + (values.round() - values).detach()
