"""Training on coded pictures: what is shown is what the shipped codec decodes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from scaleflow.errors import UsageError
from scaleflow.training.networks.coded_pictures import CodedPictures
from scaleflow.training.networks.configuration import NetworkDataConfig
from tests.cli.conftest import typed
from tests.cli.test_nets import camvid, weights_of
from tests.places import SHARED

__all__ = ["camvid"]


@pytest.fixture(scope="module")
def clip() -> Tensor:
    """Three successive pictures of a drive, of odd sides."""
    folder = SHARED / "data" / "camvid" / "val" / "images"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data/camvid")
    pictures = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.iterdir())[:3]]
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)[:, :, :161, :201].float() / 255


def psnr(clip: Tensor, other: Tensor) -> float:
    return float(-10 * torch.log10((clip - other).square().mean()))


def test_a_lower_quality_leaves_less(clip: Tensor) -> None:
    coded = CodedPictures((4, 40))
    seeds = {int(np.random.default_rng(seed).integers(3)): seed for seed in range(30)}
    low, high, plain = (coded(clip, np.random.default_rng(seeds[chosen])) for chosen in range(3))
    assert plain is clip
    assert all(result.shape == clip.shape and 0 <= result.min() and result.max() <= 1 for result in (low, high))
    assert 18 < psnr(clip, low) < psnr(clip, high) - 4 and psnr(clip, high) < 45
    again = CodedPictures((4, 40))(clip, np.random.default_rng(seeds[0]))
    assert torch.equal(again, low)


def test_pictures_after_the_first_are_predicted(clip: Tensor) -> None:
    coded = CodedPictures((4,))
    seed = next(seed for seed in range(9) if np.random.default_rng(seed).integers(2) == 0)
    together = coded(clip, np.random.default_rng(seed))
    alone = torch.cat([coded(picture[None], np.random.default_rng(seed)) for picture in clip])
    assert torch.equal(together[0], alone[0]) and not torch.equal(together[1], alone[1])


def test_trained_by_the_command_line(camvid: Path, tmp_path: Path) -> None:
    shared = ("--preset", "tiny", "--data", camvid, "--threads", 1)
    given = ("nets", "train", "segmentation", *shared, "training.steps=3")
    runs = {}
    for name, coded in (("plain", ()), ("coded", ("--coded", "4,20"))):
        done = typed(*given, *coded, "--out", tmp_path / name)
        assert done.code == 0, done.stderr
        runs[name] = weights_of(tmp_path / name)
    assert any(not torch.equal(value, runs["coded"][name]) for name, value in runs["plain"].items())
    assert "coded" in (tmp_path / "coded" / "config.yaml").read_text()
    refused = typed(
        "nets", "train", "restoration", "--network", "unet", *shared, "--coded", "4", "--out", tmp_path / "no"
    )
    assert refused.code == 2 and "data.coded" in refused.stderr


def test_qualities_are_checked() -> None:
    with pytest.raises(UsageError, match=r"data.coded = 64"):
        NetworkDataConfig(coded=(4, 64))
