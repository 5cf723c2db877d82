"""Methods that reuse the frame before, on FFNet and U-Net from the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Result
from tests.cli.test_nets import camvid
from tests.cli.test_nets_named import runs, train
from tests.cli.test_training_commands import events

__all__ = ["camvid", "runs"]

Run = Callable[..., Result]


@pytest.mark.parametrize("network", ["ffnet-10s", "unet"])
def test_convolutional_ones_skip(scaleflow: Run, camvid: Path, runs: Path, tmp_path: Path, network: str) -> None:
    run = runs / network if (runs / network).exists() else train(scaleflow, camvid, runs / network, network)
    arguments = ("nets", "eval", run, "--data", camvid, "--out", tmp_path, "--json", "--frames", 3)
    methods = ("--method", "skip-conv block=2 threshold=0,1000", "--method", "delta-distillation gamma=2")
    dense, exact, kept, _ = events(scaleflow(*arguments, *methods).stdout)
    assert exact["agreement"]["accuracy"] > 99.9
    assert kept["macs"] < 0.5 * dense["macs"]


def test_a_method_is_trained_from_a_named_network(scaleflow: Run, camvid: Path, runs: Path, tmp_path: Path) -> None:
    start = runs / "ffnet-10s"
    start = start if start.exists() else train(scaleflow, camvid, start, "ffnet-10s")
    changes = ("training.clip=2", "data.clips=moved", "--method", "skip-conv gate=learned block=2", "--start", start)
    train(scaleflow, camvid, tmp_path / "gates", "ffnet-10s", *map(str, changes))
    arguments = ("--dense", start, "--data", camvid, "--out", tmp_path / "results", "--frames", 2)
    done = scaleflow("nets", "eval", tmp_path / "gates", *arguments)
    assert done.code == 0 and "| skip-conv |" in done.stdout, done.stderr
