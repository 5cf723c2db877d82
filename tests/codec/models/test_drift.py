"""Long chains of predicted pictures, decoded as other machines and host programs would: how far samples drift."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.drift import SETTINGS, decode_under, encode_clip, read_pictures
from benchmarks.drift_decode import Drift
from scaleflow.codec.models.registry import load_model
from scaleflow.codec.models.video_model import Precision
from tests.codec.models.conftest import packaged_clip

EQUAL: dict[Precision, tuple[str, ...]] = {
    "fp32": ("two threads", "AVX2", "contiguous weights", 'matmul precision "medium"'),
    "bf16": ("two threads", "contiguous weights", "bf16 convolutions"),
}
"""Settings under which samples are equal, on processors with AVX2."""

BOUNDED: dict[Precision, str] = {"fp32": "SSE4.1", "bf16": "AVX2"}
"""Arithmetic that adds up in another order, or rounds otherwise."""

has_avx2 = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"), reason="samples are equal from AVX2 on"
)


def drifts(folder: Path, precision: Precision, predicted: int, settings: tuple[str, ...]) -> dict[str, Drift]:
    """Of one clip, coded with one intra picture, under each setting."""
    clip = folder / "clips" / precision
    if not clip.exists():
        pictures = read_pictures(packaged_clip("carphone_pristine.mp4"), (128, 96), 1 + predicted)
        clip.mkdir(parents=True)
        encode_clip("carphone", pictures, load_model(precision=precision), 35.0).save(clip)
    return {
        name: decode_under(SETTINGS[name], clip.parent, folder / "report.json")[precision]
        for name in ("as encoded", *settings)
    }


def check(found: dict[str, Drift], precision: Precision, largest: int, lost: float) -> None:
    """Symbols are equal everywhere, samples where they can be, and within the bound elsewhere."""
    plain = found["as encoded"]
    assert max(plain.largest) == 0
    for name, drift in found.items():
        assert drift.symbols == plain.symbols, name
        assert max(drift.largest) <= (largest if name == BOUNDED[precision] else 0), name
        assert abs(drift.lost) <= lost, name


@has_avx2
@pytest.mark.parametrize(("precision", "largest", "lost"), [("fp32", 8, 0.02), ("bf16", 24, 0.3)])
def test_sixty_predicted_pictures(precision: Precision, largest: int, lost: float, tmp_path: Path) -> None:
    """Two settings for each precision, since each takes a process of its own; the others are among the slow tests."""
    settings = (EQUAL[precision][-1], BOUNDED[precision])
    check(drifts(tmp_path, precision, 60, settings), precision, largest, lost)


@has_avx2
@pytest.mark.slow
@pytest.mark.parametrize(("precision", "largest", "lost"), [("fp32", 32, 0.5), ("bf16", 128, 2.0)])
def test_three_hundred_predicted_pictures(precision: Precision, largest: int, lost: float, tmp_path: Path) -> None:
    """Bounds of this clip, about twice what was measured: docs/stability.md says how much more others drift."""
    check(drifts(tmp_path, precision, 300, (*EQUAL[precision], BOUNDED[precision])), precision, largest, lost)
