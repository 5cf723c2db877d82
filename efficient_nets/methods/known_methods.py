"""All methods. A new one is registered here, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from scaleflow.efficient_nets.delta_distillation.finalize import finalize
from scaleflow.efficient_nets.delta_distillation.method import DeltaDistillation
from scaleflow.efficient_nets.delta_distillation.training import distillation_loss, predicts_changes
from scaleflow.efficient_nets.methods.description import MethodDescription, MethodLoss
from scaleflow.efficient_nets.registry import Registry
from scaleflow.efficient_nets.residual_quantization.calibration import calibrate
from scaleflow.efficient_nets.residual_quantization.method import ResidualQuantization
from scaleflow.efficient_nets.salisa.settings import Salisa
from scaleflow.efficient_nets.skip_convolutions.codec_gates import CodecGates
from scaleflow.efficient_nets.skip_convolutions.method import SkipConv
from scaleflow.efficient_nets.video.network import VideoNetwork

DENSE = "dense"


@dataclass(frozen=True)
class KeepDense:
    """Implements :class:`scaleflow.efficient_nets.video.conversion.VideoMethod`: costs are counted, and nothing is
    saved."""

    def convolution(self, dense: nn.Conv2d) -> None:
        """Nothing takes its place."""


def _share_of_macs(network: VideoNetwork) -> Tensor | None:
    return network.sparsity_loss() if network.clock.choices else None


def _distillation(network: VideoNetwork) -> Tensor | None:
    return distillation_loss(network) if predicts_changes(network) else None


def _take_form(network: VideoNetwork, choices: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    return finalize(network, choices) if choices or predicts_changes(network) else {}


SHARE_OF_MACS = MethodLoss("share of MACs", "weight", _share_of_macs)

METHODS: Registry[MethodDescription[Any]] = Registry(
    "method",
    [
        MethodDescription(DENSE, KeepDense, of_accelerate=()),
        MethodDescription(
            "skip-conv",
            SkipConv,
            defaults={"threshold": 0},
            added=frozenset({"gate"}),
            losses=(SHARE_OF_MACS,),
        ),
        MethodDescription("codec-gates", CodecGates, trains=False, change_maps=CodecGates.change_maps),
        MethodDescription(
            "delta-distillation",
            DeltaDistillation,
            defaults={"key_interval": 3},
            keeps_ends=True,
            added=frozenset({"students", "log_odds"}),
            losses=(MethodLoss("distillation", "distillation", _distillation), SHARE_OF_MACS),
            take_form=_take_form,
        ),
        MethodDescription(
            "residual-quantization",
            ResidualQuantization,
            defaults={"key_interval": 4},
            calibrate=calibrate,
        ),
        MethodDescription(
            "salisa",
            Salisa,
            of_accelerate=(),
            resamples=lambda settings: settings.detector_size,
            tasks=("detection",),
            added=frozenset({"resampler"}),
        ),
    ],
)
