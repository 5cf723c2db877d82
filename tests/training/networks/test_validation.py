"""Validation of networks for tasks: videos are seen as videos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from torch import nn

from scaleflow.efficient_nets.skip_convolutions.method import SkipConv
from scaleflow.efficient_nets.tasks.description import TaskSettings
from scaleflow.efficient_nets.tasks.known_tasks import make_task
from scaleflow.efficient_nets.video.conversion import accelerate
from scaleflow.training.networks.validation import validate_video


def test_a_network_for_video_starts_anew_where_another_video_begins(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(0, 255, (16, 16, 3), np.uint8)
    for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png", "b/3.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(samples).save(tmp_path / name)
    task = make_task("restoration", TaskSettings(noise=1))
    network = accelerate(nn.Conv2d(3, 3, 1), SkipConv(threshold=0))
    measures = validate_video(network, task, task.open(tmp_path, "val"), (16, 16))
    assert [frame.key for frame in network.cost().latest] == [True, False, True, False, False]
    assert measures.keys() == {"psnr", "noisy psnr", "gain"}
