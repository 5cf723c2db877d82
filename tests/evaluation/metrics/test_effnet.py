"""EfficientNet-Lite0 as a metric: identity, order, and the distances of clips against their equations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from scaleflow.codec.video import open_video
from scaleflow.efficient_nets.networks.efficientnet_lite import EfficientNetLiteBackbone
from scaleflow.evaluation.metrics.comparison import compare
from scaleflow.evaluation.metrics.frechet_distance import FeatureStatistics, frechet_distance
from scaleflow.evaluation.metrics.kernel_distance import KernelStatistics, kernel_distance

FRAMES = 2


def pictures(path: Path) -> torch.Tensor:
    with open_video(path, working_format="rgb") as reader:
        planes = [np.stack(picture.planes) for _, picture in zip(range(FRAMES), reader, strict=False)]
    return torch.from_numpy(np.stack(planes).astype(np.float32) / 255)


@torch.inference_mode()
def features(path: Path) -> tuple[torch.Tensor, ...]:
    network = EfficientNetLiteBackbone()
    network.load_imagenet()
    return tuple(network.eval()((pictures(path) - 127 / 255) / (128 / 255)))


def test_identical_pictures_have_no_distance(bikes: Path) -> None:
    found = compare(bikes, bikes, ["effnet"], frames=FRAMES)
    assert found.frames["effnet-distance"] == [0] * FRAMES
    assert found.means["effnet-distance"] == 0 and found.means["effnet-frechet"] == pytest.approx(0, abs=1e-4)
    assert found.means["effnet-kernel"] < 0  # unbiased: of identical sets only pairs of one with itself are left out


def test_values_agree_with_the_equations(bikes: Path, coded_bikes: Path) -> None:
    found = compare(bikes, coded_bikes, ["effnet"], frames=FRAMES)
    ours, theirs = features(bikes), features(coded_bikes)
    for number in range(FRAMES):
        scales = []
        for a, b in zip(ours, theirs, strict=True):
            units = [v[number] / v[number].square().sum(0).sqrt().clamp_min(1e-12) for v in (a, b)]
            scales.append(float((units[0] - units[1]).square().sum(0).mean()))
        assert found.frames["effnet-distance"][number] == pytest.approx(np.mean(scales), rel=1e-3)
    rows = [f[2].movedim(1, -1).flatten(0, 2).double().numpy() for f in (ours, theirs)]
    statistics = FeatureStatistics(), FeatureStatistics()
    for one, of_file in zip(statistics, (ours, theirs), strict=True):
        one.add(of_file[2])
    assert np.allclose(statistics[0].covariance, np.cov(rows[0].T, bias=True))
    assert found.means["effnet-frechet"] == pytest.approx(frechet_distance(*statistics), rel=1e-3)
    assert found.means["effnet-kernel"] == pytest.approx(kernel_distance_of_pairs(*rows), rel=1e-3)
    assert all(np.isnan(found.frames["effnet-frechet"])) and all(np.isnan(found.frames["effnet-kernel"]))


def kernel_distance_of_pairs(first: np.ndarray, second: np.ndarray) -> float:
    """By the definition, pair by pair."""

    def kernels(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (a @ b.T / a.shape[1] + 1) ** 3

    within = [kernels(rows, rows) for rows in (first, second)]
    means = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in within]
    return float(sum(means) - 2 * kernels(first, second).mean())


def test_the_kernel_distance_is_that_of_all_pairs_and_unbiased() -> None:
    """However many observations there are in a call, and more of one set than of the other."""
    generator = torch.Generator().manual_seed(0)
    ours = torch.randn(3, 5, 20, 11, generator=generator, dtype=torch.float64)
    theirs = ours[:2, :, :, :7] * 1.2 + 0.3
    first, second = KernelStatistics(), KernelStatistics()
    first.add(ours[:1])
    first.add(ours[1:])
    second.add(theirs)
    rows = [f.movedim(1, -1).reshape(-1, 5).numpy() for f in (ours, theirs)]
    assert kernel_distance(first, second) == pytest.approx(kernel_distance_of_pairs(*rows), rel=1e-9)
    estimates = []
    for _ in range(200):
        sets = KernelStatistics(), KernelStatistics()
        for one in sets:
            one.add(torch.randn(1, 3, 1, 6, generator=generator, dtype=torch.float64))
        estimates.append(kernel_distance(*sets))
    assert min(estimates) < 0 < max(estimates)
    assert abs(np.mean(estimates)) < 3 * np.std(estimates) / 200**0.5


def test_normal_distributions_have_the_distance_of_the_equation() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = FeatureStatistics(), FeatureStatistics()
    first.add(torch.randn(200, 2, 20, 20, generator=generator, dtype=torch.float64))
    second.add(3 * torch.randn(200, 2, 20, 20, generator=generator, dtype=torch.float64) + 1)
    assert frechet_distance(first, second) == pytest.approx(2 * 1 + 2 * (1 + 9 - 2 * 3), rel=0.02)
