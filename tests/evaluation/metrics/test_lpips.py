"""LPIPS against its equations, written out over torchvision's AlexNet."""

from __future__ import annotations

from pathlib import Path

import lpips as package
import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import load_file, save_file

from scaleflow.adversarial.lpips_network import CACHED_BACKBONE, find_backbone, load_lpips
from scaleflow.codec.video import open_video
from scaleflow.errors import DataError, UsageError
from scaleflow.evaluation.metrics.comparison import compare

RECTIFIED = (1, 4, 7, 9, 11)
"""Layers of torchvision's ``features`` after which LPIPS compares."""


def shares(mask: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """The mean of a mask over each of rows x columns parts of the picture; they overlap where sides do not divide."""

    def parts(side: int, count: int) -> list[slice]:
        return [slice(n * side // count, -(-(n + 1) * side // count)) for n in range(count)]

    return np.array([[mask[r, c].mean() for c in parts(mask.shape[1], columns)] for r in parts(mask.shape[0], rows)])


def written_out(first: torch.Tensor, second: torch.Tensor, backbone: Path, region: np.ndarray | None = None) -> float:
    """Equation 1 of the paper, of two pictures of shape (3, height, width) in 0..1; in a region, by the definition of
    this project."""
    region = np.ones(first.shape[1:]) if region is None else region
    second = first + torch.from_numpy(region.astype(np.float32)) * (second - first)
    network = torchvision.models.alexnet(weights=None).features
    network.load_state_dict({name.removeprefix("features."): w for name, w in load_file(backbone).items()})
    heads = torch.load(Path(package.__file__).parent / "weights" / "v0.1" / "alex.pth", "cpu", weights_only=True)
    mean, deviation = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    # The package has these constants for pictures in -1..1, to three digits.
    distance = 0.0
    with torch.no_grad():
        maps = [((picture - mean) / deviation)[None] for picture in (first, second)]
        for layer, module in enumerate(network):
            maps = [module(value) for value in maps]
            if layer in RECTIFIED:
                units = [value / value.square().sum(1, keepdim=True).sqrt().clamp_min(1e-10) for value in maps]
                head = heads[f"lin{RECTIFIED.index(layer)}.model.1.weight"]
                local = ((units[0] - units[1]).square() * head).sum(1)[0].numpy()
                distance += float(np.average(local, weights=shares(region, *local.shape)))
    return distance


def test_values_agree_with_the_equations(bikes: Path, coded_bikes: Path, lpips_backbone: Path) -> None:
    found = compare(bikes, coded_bikes, ["lpips"], frames=2, lpips_backbone=lpips_backbone)
    pictures = []
    for path in (bikes, coded_bikes):
        with open_video(path, working_format="rgb") as reader:
            pictures.append(torch.from_numpy(np.stack(next(iter(reader)).planes) / np.float32(255)))
    expected = written_out(pictures[0], pictures[1], lpips_backbone)
    assert 0.01 < expected and found.frames["lpips"][0] == pytest.approx(expected, rel=2e-3)


def test_a_region_agrees_with_the_equations(bikes: Path, coded_bikes: Path, lpips_backbone: Path) -> None:
    mask = np.zeros((224, 336), np.float32)
    mask[30:90, 200:330], mask[90:100, 200:330] = 1, 0.5

    class Masks:
        def mask_at(self, number: int, seconds: float) -> np.ndarray:
            return mask

    found = compare(
        bikes,
        coded_bikes,
        ["lpips"],
        frames=1,
        lpips_backbone=lpips_backbone,
        open_masks=lambda video, pictures: Masks(),
    )
    pictures = []
    for path in (bikes, coded_bikes):
        with open_video(path, working_format="rgb") as reader:
            pictures.append(torch.from_numpy(np.stack(next(iter(reader)).planes) / np.float32(255)))
    for name, region in (("roi", mask), ("background", 1 - mask)):
        expected = written_out(pictures[0], pictures[1], lpips_backbone, region)
        assert 0.01 < expected and found.frames[f"lpips-{name}"][0] == pytest.approx(expected, rel=2e-3)


def test_identical_pictures_have_no_distance(bikes: Path, lpips_backbone: Path) -> None:
    found = compare(bikes, bikes, ["lpips"], frames=1, lpips_backbone=lpips_backbone)
    assert found.frames["lpips"] == [0.0] and found.identical == 1


def test_loading_leaves_random_numbers_alone(lpips_backbone: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    load_lpips(lpips_backbone)
    assert torch.equal(torch.get_rng_state(), before)


def test_backbone_is_found_in_the_cache_and_never_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(UsageError, match=rf"get \S+{CACHED_BACKBONE} and give it as lpips_backbone"):
        find_backbone()
    cached = tmp_path / "hub" / "checkpoints" / CACHED_BACKBONE
    cached.parent.mkdir(parents=True)
    cached.touch()
    assert find_backbone() == cached
    with pytest.raises(UsageError, match=r"none.pth: there is no such file"):
        find_backbone(tmp_path / "none.pth")


@pytest.mark.parametrize("name", ["text.pth", "text.safetensors", "empty.pth", "other.safetensors", "list.pth"])
def test_other_files_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("" if "empty" in name else "hello, these are no weights")
    if "other" in name:
        save_file({"features.0.weight": torch.zeros(2)}, path)
    if "list" in name:
        torch.save([1, 2], path)
    with pytest.raises(DataError, match=rf"{name}: (cannot be read|holds no weights|features\.0\.weight has shape)"):
        load_lpips(path)
