"""Limits as options, and memory that runs out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from scaleflow.cli.main import app
from scaleflow.limits import is_out_of_memory
from tests.cli.conftest import Result
from tests.codec.decoding.test_limits import header_alone, png
from tests.codec.stand_in import StandInModel

Run = Callable[..., Result]


def test_options_are_named_in_messages(scaleflow: Run, tmp_path: Path, carphone: Path) -> None:
    large = header_alone(tmp_path / "large.sfv", 16384, 16384)
    coded, out = tmp_path / "coded.sfv", tmp_path / "out.y4m"
    assert scaleflow("encode", carphone, coded, "--frames", 2).code == 0
    small = ("--max-pixels", 88 * 72 - 1)
    for arguments in (
        ("decode", large, out),
        ("verify", large),
        ("compare", carphone, large),
        ("decode", coded, out, *small),
        ("verify", coded, *small),
        ("compare", carphone, coded, *small),
        ("compare", carphone, carphone, *small),
        ("encode", carphone, tmp_path / "b.sfv", *small),
        ("roi", "make", carphone, tmp_path / "masks.mkv", "--from", "motion", *small),
    ):
        result = scaleflow(*arguments)
        assert result.code == 1 and "more than --max-pixels" in result.stderr, arguments
    assert sorted(path.name for path in tmp_path.iterdir()) == ["coded.sfv", "large.sfv"]
    assert scaleflow("decode", coded, out, "--max-pixels", 0).code == 2


def test_giant_masks_are_refused(
    scaleflow: Run, tmp_path: Path, carphone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scaleflow.roi.mask_sources.mask_file.DEFAULT_MAX_PIXELS", 100 * 100)
    masks = tmp_path / "masks"
    masks.mkdir()
    png(masks / "0.png", 880, 720)
    result = scaleflow("encode", carphone, tmp_path / "a.sfv", "--roi", masks, "--frames", 2)
    assert result.code == 1 and "--max-pixels 10000" in result.stderr.replace("max_pixels", "--max-pixels")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"
        ),
        RuntimeError("[enforce fail] . DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
        RuntimeError("std::bad_alloc"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    ],
)
def test_failed_allocations(
    scaleflow: Run, tmp_path: Path, carphone: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(StandInModel, "encode_picture", fail)
    result = CliRunner().invoke(app, ["encode", str(carphone), str(tmp_path / "a.sfv")])
    assert result.exit_code == 1 and result.stderr.startswith("scaleflow: not enough memory: try smaller pictures")
    assert not any(tmp_path.iterdir())


def test_other_errors_are_not_called_so() -> None:
    assert not is_out_of_memory(RuntimeError("expected scalar type Float")) and not is_out_of_memory(ValueError())
    assert is_out_of_memory(MemoryError())
