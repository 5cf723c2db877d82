"""Training on two nodes, as ``torchrun`` starts it on each: one is killed, both start again, nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.child_processes import descendants
from tests.cli.test_training_commands import run
from tests.places import REPOSITORY

CHANGES = (
    *("data.kind=shards", "data.crop=64", "data.workers=1", "log_every=1", "checkpoint_every=1"),
    *("optimization.precision=fp32", "validation.clips=[]", "stages.intra.steps=3", "stages.inter.steps=57"),
)

SECONDS = 300


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


@contextmanager
def nodes(folder: Path, *arguments: object) -> Iterator[list[subprocess.Popen[str]]]:
    """Two nodes, one process each, which find each other at an address of this machine; killed in the end."""
    address = ["--nnodes", "2", "--nproc-per-node", "1", "--master-addr", "127.0.0.1", "--master-port", free_port()]
    started = [
        subprocess.Popen(
            [
                *(sys.executable, "-W", "ignore", "-m", "torch.distributed.run", *map(str, address)),
                *("--node-rank", str(node), "-m", "scaleflow", "train", *map(str, arguments)),
            ],
            cwd=REPOSITORY,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=(folder / f"node{node}.out").open("w"),
            stderr=(folder / f"node{node}.err").open("w"),
            text=True,
        )
        for node in range(2)
    ]
    try:
        yield started
    finally:
        for node in started:
            kill(node)


def kill(node: subprocess.Popen[str]) -> None:
    """A node as it is when its power fails: all that runs on it is gone, also in sessions of their own."""
    if node.poll() is None:
        for process in (*descendants(node.pid), node.pid):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
    node.wait(60)


def train(folder: Path, *arguments: object) -> None:
    with nodes(folder, *arguments) as started:
        for node in started:
            assert node.wait(SECONDS) == 0, (folder / "node0.err").read_text() + (folder / "node1.err").read_text()


def steps_said(folder: Path) -> int:
    """Of the node that writes."""
    return len((folder / "node0.out").read_text().splitlines())


def weights(run_folder: Path) -> dict[str, Tensor]:
    state = torch.load(run_folder / "last.ckpt", weights_only=True)
    assert state["stage"] == 2
    return dict(state["network"])


@pytest.mark.slow
def test_a_lost_node_costs_no_step_that_was_kept(bikes: Path, tmp_path: Path) -> None:
    videos, shards = tmp_path / "videos", tmp_path / "shards"
    videos.mkdir()
    (videos / "bikes.mp4").symlink_to(bikes)
    run("pack", videos, shards, "--clips", 24, "--crop", 64, "--frames", 3, "--shards", 6)
    given = ("--preset", "tiny", "--threads", 1, "--json", *CHANGES, f"data.path={shards}")
    train(tmp_path, *given, "--out", tmp_path / "undisturbed")

    lost = tmp_path / "lost"
    with nodes(tmp_path, *given, "--out", lost) as (first, second):
        deadline = time.monotonic() + SECONDS
        while steps_said(tmp_path) < 5 and time.monotonic() < deadline:
            time.sleep(0.05)
        kill(second)
        assert first.wait(SECONDS) != 0
    said = (tmp_path / "node0.err").read_text()
    assert "scaleflow: another process of this run is gone: start them all again with --resume" in said
    assert said.count("scaleflow: ") == 1

    state = torch.load(lost / "last.ckpt", weights_only=True)
    assert 0 < state["stage"] * 3 + state["step"] < 60
    train(tmp_path, "--resume", "--threads", 1, "--json", "--out", lost)
    reports = [json.loads(line) for line in (tmp_path / "node0.out").read_text().splitlines()]
    assert reports[-1]["stage"] == "inter" and (tmp_path / "node1.out").read_text() == ""
    ours, theirs = weights(lost), weights(tmp_path / "undisturbed")
    assert ours.keys() == theirs.keys() and all(torch.equal(value, theirs[name]) for name, value in ours.items())
