"""Where the precision is left to the device, a run has what the device computes in, and keeps it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from scaleflow.training.codec.configuration_file import configuration_of, preset
from scaleflow.training.codec.run import train
from scaleflow.training.loop import precision
from scaleflow.training.loop.configuration import LoopOptimization, RunConfig
from scaleflow.training.loop.configuration_file import override
from scaleflow.training.loop.precision import computes_in_bf16, with_precision
from tests.training.conftest import vimeo_septuplets

__all__ = ["vimeo_septuplets"]

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("capabilities", "bf16"),
    [
        ({"avx512_f": True, "avx512_bf16": False}, False),
        ({"avx512_bf16": True}, True),
        ({"amx_bf16": True}, True),
        ({}, False),
    ],
)
def test_bf16_is_for_processors_with_its_instructions(
    capabilities: dict[str, bool], bf16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert computes_in_bf16(CPU) == bf16
    assert with_precision(RunConfig(), CPU).optimization.precision == ("bf16" if bf16 else "fp32")
    for given in ("bf16", "fp32"):
        config = RunConfig(optimization=LoopOptimization(precision=given))  # type: ignore[arg-type]
        assert with_precision(config, CPU) == config


def test_a_version_that_does_not_say_means_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not computes_in_bf16(CPU)


def test_a_run_saves_the_precision_that_was_decided(
    vimeo_septuplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = preset("tiny")
    small = ["model.intra_latents=16", "model.residual_latents=16", "model.motion_latents=8"]
    steps = ["stages.intra.steps=1", "stages.inter.steps=1"]
    override(values, [f"data.path={vimeo_septuplets}", "data.kind=vimeo", "data.workers=0", *small, *steps])
    config = configuration_of(values)
    assert config.optimization.precision == "auto"
    monkeypatch.setattr(precision, "computes_in_bf16", lambda device: True)
    assert train(config, tmp_path)
    saved = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert saved["optimization"]["precision"] == "bf16"
