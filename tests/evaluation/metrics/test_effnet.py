"""EfficientNet-Lite0 as a metric: identity, order, and the Fréchet distance against its equation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from scaleflow.codec.video import open_video
from scaleflow.efficient_nets.networks.efficientnet_lite import EfficientNetLiteBackbone
from scaleflow.evaluation.metrics.comparison import compare
from scaleflow.evaluation.metrics.frechet_distance import FeatureStatistics, frechet_distance

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
    assert all(np.isnan(found.frames["effnet-frechet"]))


def test_normal_distributions_have_the_distance_of_the_equation() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = FeatureStatistics(), FeatureStatistics()
    first.add(torch.randn(200, 2, 20, 20, generator=generator, dtype=torch.float64))
    second.add(3 * torch.randn(200, 2, 20, 20, generator=generator, dtype=torch.float64) + 1)
    assert frechet_distance(first, second) == pytest.approx(2 * 1 + 2 * (1 + 9 - 2 * 3), rel=0.02)
