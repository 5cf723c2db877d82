"""In which precision convolutions are trained where the configuration leaves it to the device."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeVar

import torch

from scaleflow.training.loop.configuration import RunConfig

Config = TypeVar("Config", bound=RunConfig)

FIRST_CUDA_CAPABILITY = (8, 0)
"""Of CUDA devices with units for bf16."""


def with_precision(config: Config, device: torch.device) -> Config:
    """The configuration with ``optimization.precision`` decided: bf16 where the device has instructions for it.

    What a run saves is decided, so that it is resumed as it began, on whatever machine.
    """
    if config.optimization.precision != "auto":
        return config
    precision: Literal["bf16", "fp32"] = "bf16" if computes_in_bf16(device) else "fp32"
    return replace(config, optimization=replace(config.optimization, precision=precision))


def computes_in_bf16(device: torch.device) -> bool:
    """Whether convolutions in bf16 are not emulated.

    PyTorch computes in bf16 on any processor with AVX-512. Where that lacks the instructions, each number is widened
    and rounded again, which takes longer than float32: a third more for the codec, 2.6 times for wide 3x3 convolutions.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= FIRST_CUDA_CAPABILITY
    # older versions of PyTorch do not say
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return device.type == "cpu" and any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
