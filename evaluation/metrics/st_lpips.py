"""Shift-tolerant LPIPS (Ghildyal and Liu, "Shift-tolerant perceptual similarity metric", ECCV 2022), network alex.

A metric that people's judgements were fitted to, as LPIPS, on another backbone: AlexNet with a stride of 1 at first and
blurred subsampling after, trained by its authors. The package ``stlpips-pytorch`` brings all weights, which are read
from its folder; its code, which needs packages that measuring does not, is not run. No loss of this project sees it.
"""

from __future__ import annotations

import math
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scaleflow.codec.picture import Planes
from scaleflow.errors import DataError
from scaleflow.evaluation.metrics.metric import Metric
from scaleflow.evaluation.metrics.picture_pair import PicturePair
from scaleflow.optional_packages import require_packages
from scaleflow.torch_file import read_torch_file

PACKAGE = "stlpips_pytorch"
WEIGHTS = Path("weights", "vST0.0", "alex_shift_tolerant.pth")
"""Within the package."""

LEAST_SIDE = 32
"""As of LPIPS."""

_CONVOLUTIONS = {
    "net.slice1.0": (3, 64, 11, 2),
    "net.slice2.5": (64, 192, 5, 2),
    "net.slice3.9": (192, 384, 3, 1),
    "net.slice4.11": (384, 256, 3, 1),
    "net.slice5.13": (256, 256, 3, 1),
}
"""Inputs, outputs, side and padding of each layer, by the names of the file."""

_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Of R'G'B' in -1..1, as LPIPS has them."""


class ShiftTolerantLpips(nn.Module):
    """The distance of pictures (N, 3, H, W) in -1..1, (N,)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(inputs, outputs, side, padding=padding)
            for inputs, outputs, side, padding in _CONVOLUTIONS.values()
        )
        self.heads = nn.ParameterList(torch.zeros(1, sizes[1], 1, 1) for sizes in _CONVOLUTIONS.values())

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """See the class."""
        distances = [
            (head * (F.normalize(ours, dim=1) - F.normalize(theirs, dim=1)).square()).sum(1).mean((1, 2))
            for head, ours, theirs in zip(self.heads, self.features(first), self.features(second), strict=True)
        ]
        return torch.stack(distances).sum(0)

    def features(self, picture: Tensor) -> list[Tensor]:
        """After each of the five layers."""
        shift, scale = (torch.tensor(values, device=picture.device).view(1, 3, 1, 1) for values in (_SHIFT, _SCALE))
        first, second, third, fourth, fifth = self.layers
        found = [F.relu(_blurred(first((picture - shift) / scale)))]
        for layer in (second, third):
            found.append(F.relu(layer(_blurred(F.max_pool2d(found[-1], 3, 1)))))
        for layer in (fourth, fifth):
            found.append(F.relu(layer(found[-1])))
        return found

    def load(self, path: Path) -> None:
        """Take the package's weights. Raises :class:`DataError` where the file lacks some."""
        weights = read_torch_file(path)
        targets = {f"lin{number}.model.1.weight": head for number, head in enumerate(self.heads)}
        for name, layer in zip(_CONVOLUTIONS, self.layers, strict=True):
            assert isinstance(layer, nn.Conv2d) and layer.bias is not None
            targets |= {f"{name}.weight": layer.weight, f"{name}.bias": layer.bias}
        with torch.no_grad():
            for name, target in targets.items():
                value = weights.get(name) if isinstance(weights, dict) else None
                if not isinstance(value, Tensor) or value.shape != target.shape:
                    raise DataError(f"{path}: holds no {name} of {tuple(target.shape)}: install {PACKAGE} anew")
                target.copy_(value)


class StLpips(Metric):
    """Shift-tolerant LPIPS; 0 is identical, lower is better. NaN for pictures with a side below LEAST_SIDE.

    Raises:
        UsageError: the package with the weights is not installed.
        DataError: its file is damaged.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(names)
        require_packages("st-lpips", "perceptual", [PACKAGE])
        found = find_spec(PACKAGE)
        assert found is not None and found.submodule_search_locations
        self._network = ShiftTolerantLpips()
        self._network.load(Path(found.submodule_search_locations[0]) / WEIGHTS)
        self._network.eval().requires_grad_(False)

    @torch.inference_mode()
    def add(self, pair: PicturePair) -> None:
        """See :class:`Metric`."""
        original, decoded = (_signed(planes, pair.form.rgb_bit_depth) for planes in pair.rgb)
        large_enough = min(original.shape[-2:]) >= LEAST_SIDE
        self.frames["st-lpips"].append(float(self._network(original, decoded)) if large_enough else math.nan)


def _blurred(features: Tensor) -> Tensor:
    """At half the size, by weights 1, 2, 1 each way."""
    channels = features.shape[1]
    row = features.new_tensor((0.25, 0.5, 0.25))
    weights = torch.outer(row, row).expand(channels, 1, 3, 3)
    return F.conv2d(F.pad(features, (2, 2, 2, 2), mode="reflect"), weights, stride=2, groups=channels)


def _signed(planes: Planes, bit_depth: int) -> Tensor:
    half = np.float32(((1 << bit_depth) - 1) / 2)
    return torch.from_numpy(np.stack(planes).astype(np.float32) / half - 1)[None]
