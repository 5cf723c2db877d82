"""FFNets, U-Net and transformers from the command line: trained, resumed, measured beside each other and drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from scaleflow.cli import nets_train
from tests.cli.conftest import Result
from tests.cli.test_nets import VIDEO_FRAMES, camvid, points_in, weights_of

__all__ = ["camvid"]

Run = Callable[..., Result]

NETWORKS = ("ffnet-10s", "bottleneck-20s", "unet", "vit-tiny", "vit-tiny-skipat")


def train(scaleflow: Run, camvid: Path, out: Path, network: str, *changes: str) -> Path:
    """A run of two steps."""
    start = ("nets", "train", "segmentation", "--preset", "tiny", "--data", camvid, "--out", out)
    done = scaleflow(*start, "--network", network, "--threads", 1, "training.steps=2", *changes)
    assert done.code == 0, done.stderr
    return out


@pytest.fixture(scope="session")
def runs(camvid: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for runs, which tests fill as they need them."""
    return tmp_path_factory.mktemp("named")


def test_five_networks_beside_each_other(scaleflow: Run, camvid: Path, runs: Path, tmp_path: Path) -> None:
    folders = []
    for network in NETWORKS:
        run = train(scaleflow, camvid, runs / network, network)
        folders.append(tmp_path / network)
        done = scaleflow("nets", "eval", run, "--data", camvid, "--out", folders[-1])
        assert done.code == 0, done.stderr
        assert "network" not in done.stdout and "| dense |" in done.stdout
    rows = {row["network"].split()[0]: row for row in map(points_in, folders) for row in row}
    assert rows.keys() == set(NETWORKS)
    assert {row["frames"] for row in rows.values()} == {str(VIDEO_FRAMES)}
    assert all(0 <= float(row["miou"]) < 60 and float(row["seconds"]) > 0 for row in rows.values())
    plain, skipping = (float(rows[name]["macs"]) for name in ("vit-tiny", "vit-tiny-skipat"))
    assert skipping != plain
    assert rows["vit-tiny-skipat"]["network"] == "vit-tiny-skipat skipped=(3,8)"

    table = scaleflow("nets", "table", *folders).stdout.splitlines()
    assert table[2].startswith("| network | method | settings | size | miou |")
    assert [line.split(" | ")[0] for line in table[4:]] == [f"| {network}" for network in NETWORKS]
    assert {line.count("|") for line in table[2:]} == {14}
    figure = tmp_path / "nets.svg"
    assert scaleflow("nets", "plot", *folders, "-o", figure, "--cost", "ms").code == 0
    text = figure.read_text()
    assert all(f">{network}<" in text or network in text for network in NETWORKS) and "at several sizes" not in text
    one = tmp_path / "one.svg"
    assert scaleflow("nets", "plot", folders[0], "-o", one).code == 0 and "at several sizes" in one.read_text()


class StoppedAtOnce:
    """Stands for :class:`scaleflow.cli.interruption.StopRequest` where Ctrl-C came in the first step."""

    exit_code = 130

    def __enter__(self) -> StoppedAtOnce:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def is_set(self) -> bool:
        return True


@pytest.mark.parametrize("network", ["unet", "vit-tiny-skipat"])
def test_stopped_and_resumed_it_is_the_run_that_was_not(
    scaleflow: Run, camvid: Path, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: str
) -> None:
    whole = runs / network if (runs / network).exists() else train(scaleflow, camvid, runs / network, network)
    out = tmp_path / "stopped"
    start = ("nets", "train", "segmentation", "--preset", "tiny", "--data", camvid, "--out", out)
    with monkeypatch.context() as patched:
        patched.setattr(nets_train, "StopRequest", StoppedAtOnce)
        assert scaleflow(*start, "--network", network, "--threads", 1, "training.steps=2").code == 130
    assert not (out / "network.safetensors").exists()
    done = scaleflow("nets", "train", "--resume", "--out", out, "--threads", 1)
    assert done.code == 0, done.stderr
    ours, theirs = weights_of(out), weights_of(whole)
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def refused(scaleflow: Run, tmp_path: Path, *arguments: object) -> tuple[int, str]:
    """Exit code and what is said, in a line, and nothing is left."""
    result = scaleflow(*arguments)
    assert result.stderr.count("\n") == 1, result.stderr
    assert not list(tmp_path.iterdir())
    return result.code, result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (
            ("--network", "ffnet-41s"),
            2,
            "network.name = 'ffnet-41s' is unknown: use resnet, efficientnet-lite0,",
        ),
        (
            ("--network", "vit-tiny", "data.size=[100,64]"),
            2,
            "data.size: pictures of 100x64 do not fit a grid",
        ),
        (
            ("--network", "vit-tiny", "data.crop=[64,40]"),
            2,
            "data.crop: pictures of 64x40 do not fit a grid",
        ),
        (("--network", "vit-tiny", "network.patch=6", "data.size=[96,66]"), 2, "patch = 6 is no multiple of 4"),
        (
            ("--network", "vit-tiny-skipat", "network.skipped=[0,4]"),
            2,
            "skipped = (0, 4): the first and last of",
        ),
        (
            ("--network", "vit-tiny", "network.skipped=[3,8]"),
            2,
            "network.skipped: vit-tiny has no such setting",
        ),
        (
            ("--network", "ffnet-10s", "network.width=16"),
            2,
            "network.width: ffnet-10s has no such setting",
        ),
        (("--network", "ffnet-10s", "--start", "imagenet"), 2, "only efficientnet-lite0 has such weights"),
        (("--network", "unet", "network.width=0"), 2, "network.width = 0 is outside 1..512"),
    ],
)
def test_what_cannot_be_trained(
    scaleflow: Run, camvid: Path, tmp_path: Path, arguments: tuple[Any, ...], code: int, words: str
) -> None:
    start = ("nets", "train", "segmentation", "--preset", "tiny", "--data", camvid, "--out", tmp_path / "run")
    found, said = refused(scaleflow, tmp_path, *start, *arguments)
    assert (found, words in said) == (code, True), said


def test_what_a_network_is_not_for(scaleflow: Run, camvid: Path, tmp_path: Path) -> None:
    start = ("nets", "train", "--preset", "tiny", "--data", camvid / "train" / "images", "--out", tmp_path / "run")
    code, said = refused(scaleflow, tmp_path, *start, "restoration", "--network", "ffnet-10s")
    assert code == 2 and "network.name = ffnet-10s: gives no pictures: use unet, vit-tiny" in said


def test_sizes_that_do_not_fit_are_refused_before_anything_is_measured(
    scaleflow: Run, camvid: Path, runs: Path, tmp_path: Path
) -> None:
    run = runs / "vit-tiny"
    run = run if run.exists() else train(scaleflow, camvid, run, "vit-tiny")
    arguments = ("nets", "eval", run, "--data", camvid, "--out", tmp_path / "results", "--size", "96x64,96x72")
    code, said = refused(scaleflow, tmp_path, *arguments)
    assert code == 2 and "--size: pictures of 96x72 do not fit a grid of patches of 16: make them 96x64" in said


def test_sizes_that_the_data_leaves_open_are_made_to_fit(scaleflow: Run, camvid: Path, tmp_path: Path) -> None:
    """CamVid's frames, here of 96x72, give 96x64."""
    start = ("nets", "train", "segmentation", "--data", camvid, "--network", "vit-tiny", "--out", tmp_path / "run")
    done = scaleflow(*start, "--threads", 1, "training.steps=1", "training.batch=1", "validation.frames=1")
    assert done.code == 0, done.stderr
    assert "size:\n  - 96\n  - 64" in (tmp_path / "run" / "config.yaml").read_text()
