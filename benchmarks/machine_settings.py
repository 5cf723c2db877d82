"""Machines and host programs under which streams are decoded for comparison, each in a process of its own.

What PyTorch and oneDNN are told in the environment is read once, when a process starts.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Setting:
    """A machine, or what a host program sets.

    Attributes:
        variables: environment of the process.
        threads: of PyTorch.
        host: name in :data:`HOSTS` or :data:`AROUND`.
    """

    variables: dict[str, str] = field(default_factory=dict)
    threads: int = 1
    host: str | None = None


def machine(onednn: str, aten: str) -> Setting:
    """A processor with older instructions than this one."""
    mkl = {"default": "SSE4_2", "avx2": "AVX2", "avx512": "AVX512"}[aten]
    return Setting({"ONEDNN_MAX_CPU_ISA": onednn, "ATEN_CPU_CAPABILITY": aten, "MKL_ENABLE_INSTRUCTIONS": mkl})


SETTINGS = {
    "as encoded": Setting(),
    "two threads": Setting(threads=2),
    "AVX-512 without bf16": machine("AVX512_CORE_VNNI", "avx512"),
    "AVX2": machine("AVX2", "avx2"),
    "SSE4.1": machine("SSE41", "default"),
    "without oneDNN": Setting(host="without oneDNN"),
    "AVX2 without oneDNN": Setting(machine("AVX2", "avx2").variables, host="without oneDNN"),
    "contiguous weights": Setting(host="contiguous"),
    'matmul precision "high"': Setting(host="high"),
    'matmul precision "medium"': Setting(host="medium"),
    "bf16 convolutions": Setting(host="bf16 convolutions"),
    "default dtype float64": Setting(host="float64"),
    "default device meta": Setting(host="meta"),
    "within autocast": Setting(host="autocast"),
    "within inference mode": Setting(host="inference mode"),
    "deterministic algorithms": Setting(host="deterministic"),
    "denormals flushed": Setting(host="flush denormals"),
    "ONEDNN_DEFAULT_FPMATH_MODE=BF16": Setting({"ONEDNN_DEFAULT_FPMATH_MODE": "BF16"}),
}


def _contiguous(model: nn.Module) -> None:
    model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


def _without_onednn(model: nn.Module) -> None:
    torch.backends.mkldnn.enabled = False


def _low_convolutions(model: nn.Module) -> None:
    torch.backends.mkldnn.conv.fp32_precision = "bf16"  # type: ignore[attr-defined]
    torch.backends.mkldnn.matmul.fp32_precision = "bf16"  # type: ignore[attr-defined]


HOSTS: dict[str, Callable[[nn.Module], object]] = {
    "contiguous": _contiguous,
    "high": lambda _: torch.set_float32_matmul_precision("high"),
    "medium": lambda _: torch.set_float32_matmul_precision("medium"),
    "bf16 convolutions": _low_convolutions,
    "without oneDNN": _without_onednn,
    "float64": lambda _: torch.set_default_dtype(torch.float64),
    "meta": lambda _: torch.set_default_device("meta"),
    "deterministic": lambda _: torch.use_deterministic_algorithms(True),
    "flush denormals": lambda _: torch.set_flush_denormal(True),
}
"""What a host program does before it decodes, by name."""

AROUND: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "inference mode": torch.inference_mode,
}
"""What a host program wraps the decoder's calls in, by name."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """What :func:`run_under` tells the program that it starts."""
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--host", choices=(*HOSTS, *AROUND))


def set_host(host: str | None, model: nn.Module) -> None:
    """Do what a host program does before it decodes; nothing where it is of :data:`AROUND`, or None."""
    if host in HOSTS:
        HOSTS[host](model)


def around_calls(host: str | None) -> Callable[[], AbstractContextManager[object]]:
    """What a host program wraps the decoder's calls in; nothing where it is of :data:`HOSTS`, or None."""
    return nullcontext if host is None else AROUND.get(host, nullcontext)


def run_under(setting: Setting, module: str, *arguments: str) -> None:
    """Run a program of this repository under a setting; it takes the options of :func:`add_options`.

    Raises:
        RuntimeError: it failed.
    """
    command = [sys.executable, "-m", module, *arguments, "--threads", str(setting.threads)]
    command += ["--host", setting.host] if setting.host else []
    place = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    variables = {**os.environ, "OMP_WAIT_POLICY": "passive", **setting.variables, "PYTHONPATH": place}
    if setting.threads > 1:
        variables["OMP_NUM_THREADS"] = str(setting.threads)
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}")
