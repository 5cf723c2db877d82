"""Shift-tolerant LPIPS against the code of the package that its weights come from."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest
import torch

from scaleflow.errors import DataError, UsageError
from scaleflow.evaluation.metrics import st_lpips
from scaleflow.evaluation.metrics.comparison import compare
from scaleflow.evaluation.metrics.st_lpips import PACKAGE, WEIGHTS, ShiftTolerantLpips
from tests.evaluation.metrics.test_effnet import pictures

installed = pytest.mark.skipif(find_spec(PACKAGE) is None, reason="stlpips-pytorch is not installed")


def packages_own(monkeypatch: pytest.MonkeyPatch) -> torch.nn.Module:
    """It imports more than it needs to measure."""
    for name, attribute in (("torchsummary", "summary"), ("IPython", "embed")):
        module = ModuleType(name)
        setattr(module, attribute, None)
        monkeypatch.setitem(sys.modules, name, module)
    from stlpips_pytorch import stlpips

    network: torch.nn.Module = stlpips.LPIPS(net="alex", variant="shift_tolerant", verbose=False)
    return network


@installed
def test_values_are_the_package_s(bikes: Path, coded_bikes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = (2 * pictures(path) - 1 for path in (bikes, coded_bikes))
    with torch.inference_mode():
        wanted = packages_own(monkeypatch)(ours, theirs).flatten()
    found = compare(bikes, coded_bikes, ["st-lpips"], frames=2)
    assert found.frames["st-lpips"] == pytest.approx(wanted.tolist(), rel=1e-3)
    assert min(found.frames["st-lpips"]) > 0.001
    assert compare(bikes, bikes, ["st-lpips"], frames=1).frames["st-lpips"] == [0]


@installed
def test_small_pictures_have_none() -> None:
    network = ShiftTolerantLpips()
    assert network(torch.zeros(2, 3, 32, 40), torch.ones(2, 3, 32, 40)).shape == (2,)


def test_what_is_missing_is_said(bikes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / WEIGHTS.name
    torch.save({"lin0.model.1.weight": torch.zeros(1, 64, 1, 1)}, path)
    with pytest.raises(DataError, match=r"holds no lin1.model.1.weight of \(1, 192, 1, 1\)"):
        ShiftTolerantLpips().load(path)
    monkeypatch.setattr(st_lpips, "PACKAGE", "no_such_package")
    with pytest.raises(UsageError, match=r'st-lpips needs a package .*no_such_package.*pip install "\.\[perceptual\]"'):
        compare(bikes, bikes, ["st-lpips"], frames=1)
