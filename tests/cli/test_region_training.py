"""Networks for regions of interest: trained, exported, and coded with, as a user does it."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import numpy as np
import pytest

from scaleflow.roi.networks import RegionNetworks
from tests.cli.test_regions import HEIGHT, WIDTH, Run, ellipse, forbid_maps, run
from tests.codec.conftest import packaged_clip

__all__ = ["run"]


def test_trained_networks_code_regions_in_every_mode(
    run: Run, carphone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos, mask, weights = tmp_path / "videos", tmp_path / "mask.png", tmp_path / "roi.safetensors"
    videos.mkdir()
    (videos / "carphone.mp4").symlink_to(packaged_clip("carphone_pristine.mp4"))
    ellipse().save(mask)
    changes = [f"stages.{stage}.{key}" for stage in ("steering", "widths") for key in ("steps=2", "batch=1")]
    changes += [f"data.path={videos}", "data.crop=64", "data.workers=0", "log_every=1"]
    shown = run("train", "--preset", "roi", "--threads", 1, "--json", "--out", tmp_path / "run", *changes)
    reports = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [(report["stage"], report["step"]) for report in reports] == [
        (stage, step) for stage in ("steering", "widths") for step in (1, 2)
    ]
    assert all(np.isfinite(report["loss"]) for report in reports)
    run("export", tmp_path / "run" / "last.ckpt", weights)
    assert stat.S_IMODE(weights.stat().st_mode) == stat.S_IMODE(mask.stat().st_mode)

    coded: dict[str, bytes] = {}
    for mode in ("implicit", "learned-scaling", "both"):
        path = tmp_path / f"{mode}.sfv"
        options = ("-q", 40, "--frames", 4, "--verify", "--psnr", "--json", "--roi-weights", weights)
        shown = run("encode", carphone, path, *options, "--roi", mask, "--roi-mode", mode)
        assert json.loads(shown.stdout.splitlines()[-1])["region_psnr_yuv"] > 30
        coded[mode] = path.read_bytes()
    run("encode", carphone, tmp_path / "plain.sfv", "-q", 40, "--frames", 4)
    plain = (tmp_path / "plain.sfv").read_bytes()
    # Two steps teach steering nothing yet; bins are wider from the start.
    assert coded["implicit"] != plain
    assert len(coded["both"]) < 0.8 * len(plain) and len(coded["learned-scaling"]) < 0.8 * len(plain)

    # A decoder that knows of no maps decodes the implicit mode, and no other.
    run("decode", tmp_path / "implicit.sfv", tmp_path / "before.y4m")
    forbid_maps(monkeypatch)
    run("decode", tmp_path / "implicit.sfv", tmp_path / "after.y4m")
    assert (tmp_path / "before.y4m").read_bytes() == (tmp_path / "after.y4m").read_bytes()
    assert len((tmp_path / "after.y4m").read_bytes()) > 4 * WIDTH * HEIGHT * 3 // 2
    for mode in ("learned-scaling", "both"):
        assert "no maps here" in run("decode", tmp_path / f"{mode}.sfv", tmp_path / "no.y4m", code=1).stderr


def test_networks_of_other_weights_are_refused(run: Run, carphone: Path, tmp_path: Path) -> None:

    networks = RegionNetworks({"intra": 8, "motion": 8, "residual": 8}, "ab" * 32)
    networks.save(tmp_path / "other.safetensors")
    ellipse().save(tmp_path / "mask.png")
    options = (
        "--roi",
        tmp_path / "mask.png",
        "--roi-mode",
        "implicit",
        "--roi-weights",
        tmp_path / "other.safetensors",
    )
    refused = run("encode", carphone, tmp_path / "out.sfv", *options, code=1)
    (line,) = refused.stderr.splitlines()
    assert "other.safetensors: was trained for weights abab" in line and "scaleflow train, preset roi" in line
    assert not (tmp_path / "out.sfv").exists()
