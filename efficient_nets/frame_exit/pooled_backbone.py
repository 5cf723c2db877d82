"""A backbone's last features, averaged over the picture."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scaleflow.efficient_nets.networks.dense_prediction import Backbone


class PooledBackbone(nn.Module):
    """Features (N, channels) of pictures (N, 3, H, W) in 0..1.

    Attributes:
        channels: of the features.
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        assert isinstance(backbone, nn.Module)
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.tensor(backbone.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(backbone.deviation).view(3, 1, 1), persistent=False)
        self.channels = backbone.channels[-1]
        self.backbone: nn.Module = backbone

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        last: Tensor = self.backbone((x - self.mean) / self.deviation)[-1]
        return last.mean((2, 3))
