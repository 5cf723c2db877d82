"""The Python examples of the pages on networks run, in their order, on stand-ins for what the reader brings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from scaleflow.efficient_nets.frame_exit.pooled_backbone import PooledBackbone
from scaleflow.efficient_nets.networks.resnet import ResNetBackbone
from tests.docs.pages import code_blocks
from tests.places import REPOSITORY

NEEDS_MORE = ("SfvReader(", "pipeline.unet")
"""In examples that need a coded file or a pipeline of diffusers: their imports are tried alone."""


def of_methods() -> dict[str, Any]:
    frames = list(torch.rand(3, 1, 3, 64, 64).split(1, 0))
    labels = torch.zeros(2, 32, 32, dtype=torch.int64)
    return {
        "frames": [frame[0] for frame in frames],
        "clip": torch.rand(1, 2, 3, 64, 64),
        "batches": [(torch.rand(1, 3, 3, 64, 64), None)],
        "steps": 1,
        "task_loss": lambda output, labels=None: output.square().mean(),
        "classes": 3,
        "luma": torch.randint(0, 256, (2, 32, 32)).float(),
        "teacher_labels": labels,
        "student_labels": labels,
        "sample_frames": [frame[0] for frame in frames],
        "more_sample_frames": [frame[0] for frame in frames],
    }


def of_networks() -> dict[str, Any]:
    def detect(picture: Tensor) -> Tensor:
        return torch.tensor([[10.0, 10, 40, 30]])

    return {
        "pictures": torch.rand(1, 3, 64, 64),
        "boxes": torch.tensor([[100.0, 100, 160, 130]]),
        "scores": torch.ones(1),
        "height": 360,
        "width": 640,
        "frame": torch.rand(1, 3, 360, 640),
        "detect": detect,
        "backbone": PooledBackbone(ResNetBackbone(64, (1, 1, 1, 1))),
        "videos": torch.rand(2, 10, 3, 64, 64),
        "video": torch.rand(10, 3, 64, 64),
        "labels": torch.tensor([0, 1]),
    }


@pytest.mark.parametrize(
    ("page", "given"),
    [
        ("efficient-networks", of_methods),
        ("networks-that-look-less", of_networks),
        ("clockwork", dict),
    ],
)
def test_examples_run(page: str, given: Callable[[], dict[str, Any]]) -> None:
    torch.manual_seed(0)
    text = (REPOSITORY / "docs" / f"{page}.md").read_text(encoding="utf-8")
    examples = code_blocks(text, "python")
    assert examples
    names: dict[str, Any] = given()
    for example in examples:
        code = example
        if any(needed in example for needed in NEEDS_MORE):
            code = "\n".join(line for line in example.splitlines() if line.startswith(("import ", "from ")))
            assert code
        exec(compile(code, f"{page}.md", "exec"), names)
