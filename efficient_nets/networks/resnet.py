"""A backbone of plain 3x3 convolutions, which skip well: much work for each sample that is read."""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock


class ResNetBackbone(nn.Module):
    """torchvision's ResNet of basic blocks without its classifier, of any width.

    Parameters have torchvision's names, so that its weights fit at ``width=64``: blocks (2, 2, 2, 2) are resnet18,
    (3, 4, 6, 3) resnet34.
    """

    first = "conv1"
    mean = (0.485, 0.456, 0.406)
    deviation = (0.229, 0.224, 0.225)

    def __init__(self, width: int = 48, blocks: tuple[int, int, int, int] = (2, 2, 2, 2)) -> None:
        super().__init__()
        self.channels = (width, 2 * width, 4 * width, 8 * width)
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = _stage(width, self.channels[0], blocks[0], 1)
        self.layer2 = _stage(self.channels[0], self.channels[1], blocks[1], 2)
        self.layer3 = _stage(self.channels[1], self.channels[2], blocks[2], 2)
        self.layer4 = _stage(self.channels[2], self.channels[3], blocks[3], 2)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Features at a 4th, 8th, 16th and 32nd of the resolution, ``channels`` each."""
        first = self.layer1(self.maxpool(self.relu(self.bn1(self.conv1(x)))))
        second = self.layer2(first)
        third = self.layer3(second)
        return first, second, third, self.layer4(third)


def _stage(inputs: int, outputs: int, blocks: int, stride: int) -> nn.Sequential:
    shortcut = None
    if stride != 1 or inputs != outputs:
        shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
    first = BasicBlock(inputs, outputs, stride, shortcut)
    return nn.Sequential(first, *(BasicBlock(outputs, outputs) for _ in range(blocks - 1)))
