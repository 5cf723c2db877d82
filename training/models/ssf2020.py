"""Training steps of CompressAI's ``ssf2020``: RGB, one rate, the reference detached after the key frame.

Loss as in CompressAI's example: lambda * 255^2 * MSE + bits per pixel, means over the pictures of a clip; the quantiles
of the factorised priors have a loss of their own, added with a rate of their own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from compressai.entropy_models import EntropyBottleneck
from compressai.models.video import ScaleSpaceFlow
from torch import Tensor

from codec.models.ssf2020_codec import Ssf2020Codec
from codec.picture import WorkingFormat
from training.configuration import LossConfig, ModelConfig, OptimizationConfig, StageConfig
from training.losses import distortion
from training.models.trainable import ClipBatch, ParameterGroup, StepResult

QUANTILES_RATE = 10.0
"""Of the learning rate, for the quantiles of the factorised priors: CompressAI's 1e-3 beside 1e-4."""


class Ssf2020Training:
    """Implements :class:`training.models.trainable.TrainableModel`."""

    working_format: WorkingFormat = "rgb"

    def __init__(self, model: ModelConfig, loss: LossConfig, optimization: OptimizationConfig) -> None:
        self.network: ScaleSpaceFlow = ScaleSpaceFlow()
        self._model, self._loss, self._optimization = model, loss, optimization

    def parameter_groups(self, stage: StageConfig) -> list[ParameterGroup]:
        """All networks, and the quantiles apart."""
        parts = {"intra": ("img_",), "inter": ("motion_", "res_"), "all": ("img_", "motion_", "res_")}[stage.trains]
        networks, quantiles = ParameterGroup([]), ParameterGroup([], QUANTILES_RATE)
        for name, parameter in self.network.named_parameters():
            if name.startswith(parts):
                group = quantiles if name.endswith("quantiles") else networks
                group.parameters.append(parameter)
                group.names.append(name)
        return [networks, quantiles]

    def start(self, stage: StageConfig, batches: Iterator[ClipBatch]) -> None:
        """The paper's network starts at random."""

    def step(self, batch: ClipBatch, stage: StageConfig) -> StepResult:
        """Code clips as CompressAI's model does."""
        pictures = [batch.planes[0][:, t] for t in range(batch.frames)]
        bf16 = self._optimization.precision == "bf16"
        with torch.autocast(pictures[0].device.type, torch.bfloat16, enabled=bf16):
            if stage.trains == "intra":
                decoded, likelihoods = self.network.forward_keyframe(pictures[0])
                coded = {"x_hat": [decoded], "likelihoods": [likelihoods]}
                pictures = pictures[:1]
            else:
                coded = self.network(pictures)
        rates = [
            sum(map(_bits, _leaves(one)), torch.zeros(())) / batch.pixels / len(pictures[0])
            for one in coded["likelihoods"]
        ]
        decoded_pictures = [picture.float() for picture in coded["x_hat"]]
        errors = [
            distortion((picture,), (decoded,), self._loss).mean()
            for picture, decoded in zip(pictures, decoded_pictures, strict=True)
        ]
        rate, error = torch.stack(rates).mean(), torch.stack(errors).mean()
        bottlenecks = [module for module in self.network.modules() if isinstance(module, EntropyBottleneck)]
        quantiles = sum((bottleneck.loss() for bottleneck in bottlenecks), torch.zeros(()))
        loss = self._model.distortion_weight * error + rate + quantiles
        shown = decoded_pictures[-1].detach().clamp(0, 1)
        return StepResult(loss, {"bpp": float(rate), "error": float(error)}, (pictures[-1],), (shown,))

    def freeze(self) -> Ssf2020Codec:
        """See :class:`training.models.trainable.TrainableModel`."""
        network = ScaleSpaceFlow()
        network.load_state_dict({key: value.detach().cpu() for key, value in self.network.state_dict().items()})
        return Ssf2020Codec(network.eval().requires_grad_(False), name="ssf2020")


def _leaves(likelihoods: dict[str, object]) -> Iterator[Tensor]:
    for value in likelihoods.values():
        if isinstance(value, dict):
            yield from _leaves(value)
        else:
            assert isinstance(value, Tensor)
            yield value


def _bits(likelihood: Tensor) -> Tensor:
    return likelihood.float().log().sum() / -math.log(2)
