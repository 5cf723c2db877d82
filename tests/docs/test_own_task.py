"""The page on tasks of one's own runs as it stands; and what it defines measures what it should."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from scaleflow.evaluation.rate_distortion.codec_software import check_codecs
from scaleflow.evaluation.rate_distortion.codecs import parse_codec
from scaleflow.evaluation.rate_distortion.measure_point import MeasuringSettings
from scaleflow.evaluation.task_rate_distortion.own_task import measure_own_task
from scaleflow.evaluation.task_rate_distortion.task_point import UNCOMPRESSED, read_task_points
from tests.cli.conftest import encoders_in_this_process
from tests.codec.conftest import ffmpeg
from tests.davis_clips import davis, read_masks
from tests.docs.pages import code_blocks
from tests.places import REPOSITORY

__all__ = ["davis", "ffmpeg"]
DEFINITIONS, USE = code_blocks((REPOSITORY / "docs" / "own-task.md").read_text(encoding="utf-8"), "python")
FRAMES = 2


@pytest.fixture
def frames(davis: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pictures of a car, and its box as the masks of DAVIS have it, in the working directory."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "frames"
    folder.mkdir()
    pictures = sorted((davis / "JPEGImages/480p/car-roundabout").iterdir())[:FRAMES]
    for path, mask in zip(pictures, read_masks(davis / "Annotations/480p/car-roundabout"), strict=False):
        (folder / path.name).write_bytes(path.read_bytes())
        lines, columns = np.nonzero(mask)
        box = columns.min(), lines.min(), columns.max() + 1, lines.max() + 1
        (folder / path.name).with_suffix(".txt").write_text(" ".join(map(str, box)) + "\n")
    return folder


def run(code: str, values: dict[str, Any] | None = None) -> dict[str, Any]:
    module = ModuleType("own_task_example")
    module.__dict__.update(values or {})
    exec(compile(code, "own-task.md", "exec"), module.__dict__)
    return module.__dict__


@pytest.mark.usefixtures("frames")
def test_the_page_runs_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    with encoders_in_this_process():
        values = run(USE, run(DEFINITIONS))
    assert not values["measured"].problems
    points = read_task_points(Path("results"))
    assert len(points) == 1 + 2 + 6 and {point.network.measure for point in points} == {"recall"}
    assert all(point.network.macs > 1e8 and point.network.identity.size == (160, 96) for point in points)
    assert "recall of dense, 0.00 of uncompressed pictures" in capsys.readouterr().out
    assert (Path("results") / "tasks.csv").is_file()


class Detector(nn.Module):
    """Of the same interface as torchvision's: boxes of what a stored picture shows, where the given one is near it."""

    def __init__(self, pictures: list[Path], boxes: list[Tensor], near: float) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 1, 1)
        self.known = [torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1) for path in pictures]
        self.boxes, self.near = boxes, near

    def forward(self, pictures: list[Tensor]) -> list[dict[str, Tensor]]:
        self.layer(pictures[0][None])
        errors = [float((255 * pictures[0] - known).abs().mean()) for known in self.known]
        best = min(range(len(errors)), key=errors.__getitem__)
        score = 1.0 if errors[best] < self.near else 0.0
        return [{"boxes": self.boxes[best], "scores": torch.tensor([score])}]


def test_what_is_found_depends_on_the_rate_and_is_kept(frames: Path, tmp_path: Path) -> None:
    values = run(DEFINITIONS)
    pictures = sorted(frames.glob("*.png"))
    boxes = [values["read_boxes"](path.with_suffix(".txt")) for path in pictures]
    task = values["Objects"](Detector(pictures, boxes, near=6.0))
    codecs = [parse_codec("x264=ffmpeg -c:v libx264 -preset ultrafast -bf 0 -crf {10,50}")]
    settings = MeasuringSettings(("psnr-yuv",), ffmpeg=check_codecs(codecs, None))
    told: list[bool] = []

    def tell(progress: Any) -> None:
        if progress.point is not None:
            told.append(progress.was_there)

    for _ in range(2):
        found = measure_own_task(
            task, values["labelled"](frames), codecs, settings, tmp_path / "results", progress=tell
        )
        assert not found.problems
        by_setting = {(point.record.codec, point.record.setting): point.network for point in found.points}
        recalls = {key: point.measures["recall"] for key, point in by_setting.items()}
        assert recalls == {(UNCOMPRESSED, "as given"): 100, ("x264", "-crf 10"): 100, ("x264", "-crf 50"): 0}
        assert {point.macs for point in by_setting.values()} == {160 * 96 * 3}
        assert [(part.frames, part.value) for part in by_setting["x264", "-crf 10"].parts] == [(FRAMES, 100)]
    assert told == [False] * 3 + [True] * 3
