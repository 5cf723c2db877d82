"""Training steps of CompressAI's ``ssf2020``: RGB, the reference detached after the key frame.

Loss as in CompressAI's example: lambda * 255^2 * MSE + bits per pixel, means over the pictures of a clip; the quantiles
of the factorised priors have a loss of their own, added with a rate of their own. With gains
(:mod:`scaleflow.codec.models.ssf2020_gains`) the loss is that of the default model, at a random quality for each clip.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from compressai.entropy_models import EntropyBottleneck
from compressai.models.video import ScaleSpaceFlow
from torch import Tensor

from scaleflow.codec.models.ssf2020 import bits_of_likelihoods
from scaleflow.codec.models.ssf2020_codec import Ssf2020Codec
from scaleflow.codec.models.ssf2020_gains import VariableRateScaleSpaceFlow
from scaleflow.codec.models.transforms import pack_planes
from scaleflow.codec.picture import WorkingFormat
from scaleflow.codec.video.color_tensors import rgb_to_planes
from scaleflow.training.codec.configuration import LossConfig, ModelConfig, OptimizationConfig, StageConfig
from scaleflow.training.codec.losses import distortion, error_cost, rate_distortion
from scaleflow.training.codec.models.trainable import ClipBatch, DecodedClip, StepResult
from scaleflow.training.loop.parts import ParameterGroup

QUANTILES_RATE = 10.0
"""Of the learning rate, for the quantiles of the factorised priors: CompressAI's 1e-3 beside 1e-4."""


class Ssf2020Training:
    """Implements :class:`scaleflow.training.codec.models.trainable.TrainableModel`."""

    name = "ssf2020"
    working_format: WorkingFormat = "rgb"

    def __init__(self, model: ModelConfig, loss: LossConfig, optimization: OptimizationConfig) -> None:
        self.network = _empty_network(model).to(memory_format=torch.channels_last)
        self._model, self._loss, self._optimization = model, loss, optimization

    def parameter_groups(self, stage: StageConfig) -> list[ParameterGroup]:
        """All networks, and the quantiles apart."""
        intra, inter = ("img_", "gains.img."), ("motion_", "res_", "gains.motion.", "gains.res.")
        parts = {"intra": intra, "inter": inter, "all": intra + inter}[stage.trains]
        networks, quantiles = ParameterGroup([]), ParameterGroup([], QUANTILES_RATE, clipped=False)
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
        if stage.trains == "intra":
            pictures = pictures[:1]
        with torch.autocast(pictures[0].device.type, torch.bfloat16, enabled=bf16):
            if isinstance(self.network, VariableRateScaleSpaceFlow):
                coded = self.network(pictures, batch.quality)
            else:
                coded = self.network(pictures)
        decoded = [picture.float() for picture in coded["x_hat"]]
        rates = torch.stack([bits_of_likelihoods(likelihoods) for likelihoods in coded["likelihoods"]]) / batch.pixels
        errors = torch.stack(
            [distortion((ours,), (theirs,), self._loss) for ours, theirs in zip(pictures, decoded, strict=True)]
        )
        bottlenecks = [module for module in self.network.modules() if isinstance(module, EntropyBottleneck)]
        loss = self._loss_of(rates, errors, batch.quality) + sum(bottleneck.loss() for bottleneck in bottlenecks)
        scalars = {"bpp": float(rates.detach().mean()), "error": float(errors.detach().mean())}
        bits, qualities = list(rates * batch.pixels), [batch.quality] * len(pictures)
        packed = [_packed(picture) for picture in pictures], [_packed(one) for one in decoded]
        clip = DecodedClip(*packed, [], bits, [], qualities)
        return StepResult(loss, scalars, (pictures[-1],), (decoded[-1].detach().clamp(0, 1),), clip=clip)

    def _loss_of(self, rates: Tensor, errors: Tensor, quality: Tensor) -> Tensor:
        """``rates`` and ``errors`` are of each picture of each clip, (T, N)."""
        if self._model.variable_rate:
            return rate_distortion(rates, errors, quality, self._loss).mean()
        return self._loss.distortion_share * self._model.distortion_weight * errors.mean() + rates.mean()

    def error_cost(self, error: Tensor, quality: Tensor) -> Tensor:
        """See :class:`scaleflow.training.codec.models.trainable.TrainableCodec`."""
        if self._model.variable_rate:
            return error_cost(error, quality, self._loss).mean()
        return self._model.distortion_weight * error.mean()

    def freeze(self) -> Ssf2020Codec:
        """See :class:`scaleflow.training.codec.models.trainable.TrainableModel`."""
        network = _empty_network(self._model)
        network.load_state_dict({key: value.detach().cpu() for key, value in self.network.state_dict().items()})
        return Ssf2020Codec(network.eval().requires_grad_(False), name="ssf2020")


def _packed(rgb: Tensor) -> Tensor:
    """R'G'B' (N, 3, H, W) as packed 4:2:0 in BT.709, as what judges pictures takes them."""
    luma, chroma = rgb_to_planes(rgb[:, None])
    return pack_planes(luma[:, 0], chroma[:, 0])


def _empty_network(model: ModelConfig) -> ScaleSpaceFlow:
    return VariableRateScaleSpaceFlow() if model.variable_rate else ScaleSpaceFlow()
