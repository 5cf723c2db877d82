"""A torchvision network that looks only where a video changes: python examples/accelerate_network.py clip.sfv.

The weights here are random, so that nothing is downloaded: give torchvision's ``weights=`` for real ones.
"""

from __future__ import annotations

import sys
from itertools import islice

import torch
import torchvision

import scaleflow
from scaleflow.efficient_nets.skip_convolutions.method import SkipConv


def main(path: str, frames: int = 8) -> None:
    """Print, picture by picture, the class that ResNet-18 names, and what of its work was left out in all."""
    network = torchvision.models.resnet18()
    video_network = scaleflow.accelerate(network, SkipConv(threshold=0.3))
    mean, deviation = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with scaleflow.open_decoder(path) as decoder:
        for frame in islice(decoder, frames):
            scores = video_network(((frame.tensor() / 255 - mean) / deviation)[None])
            print(f"{frame.seconds:8.3f} s  class {int(scores.argmax())}")
    print(f"{video_network.cost().ratio:.2f} times fewer multiply-accumulates than picture by picture")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:3]))
