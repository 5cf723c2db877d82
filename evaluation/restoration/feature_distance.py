"""What AlexNet sees in pictures: features of its last convolution, as LPIPS uses it, at every place of every picture,
so that few pictures suffice for a covariance."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


@torch.inference_mode()
def alexnet_features(network: Any, pictures: Tensor) -> Tensor:
    """Features (N, 256, H, W) of pictures (N, 3, ., .) in 0..1; ``network`` is that of LPIPS."""
    features: Tensor = network.net(network.scaling_layer(2 * pictures - 1))[-1]
    return features
