"""The worked examples of CONTRIBUTING.md run as they stand."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from scaleflow.evaluation.metrics import comparison, names
from tests.codec.conftest import carphone, ffmpeg
from tests.docs.pages import code_blocks
from tests.places import REPOSITORY

__all__ = ["carphone", "ffmpeg"]
PAGE = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")


def blocks(heading: str) -> list[str]:
    """The Python blocks below a heading."""
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert section, f"CONTRIBUTING.md has no section {heading!r}"
    found = code_blocks(section[1], "python")
    assert found
    return found


def run(code: str, values: dict[str, Any] | None = None) -> dict[str, Any]:
    """Run a block as a module, on top of what an earlier one has left."""
    module = ModuleType("contributing_example")
    module.__dict__.update(values or {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, module.__name__, module)
        exec(compile(code, "CONTRIBUTING.md", "exec"), module.__dict__)
    return module.__dict__


@pytest.fixture
def videos(tmp_path: Path, carphone: Path, ffmpeg: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that the examples name, in the working directory."""
    monkeypatch.chdir(tmp_path)
    ffmpeg("-i", carphone, "-frames:v", 4, "clip.y4m")
    ffmpeg("-i", "clip.y4m", "-c:v", "libx264", "-crf", 30, "decoded.mp4")


@pytest.mark.usefixtures("videos")
def test_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    definition, use = blocks("Add a metric")
    values = run(definition)
    # What the two lines of the page add.
    lines = code_blocks(PAGE, "diff")
    assert len(lines) == 2
    group = eval(f"{{{lines[0].strip(' +').strip()}}}")
    maker = lines[1].strip("+ \n").rstrip(",")
    plain = comparison._metrics

    def metrics(wanted: tuple[str, ...], *rest: Any) -> Iterator[Any]:
        yield from plain(wanted, *rest)
        makers = eval(f"{{{maker}}}", {**values, "regions": rest[-1]})
        for name, make in makers.items():
            if chosen := tuple(metric for metric in wanted if metric in group[name]):
                yield make(chosen)

    monkeypatch.setattr(names, "GROUPS", {**names.GROUPS, **group})
    monkeypatch.setattr(names, "METRICS", (*names.METRICS, *group["mae"]))
    monkeypatch.setattr(comparison, "_metrics", metrics)
    found = run(use, values)["found"]
    assert 0 < found.means["mae-y"] < 20


@pytest.mark.usefixtures("videos")
def test_mask_source() -> None:
    (example,) = blocks("Add a mask source")
    found = run(example)["found"]
    assert found.region_areas == [0.5] * 4


def test_task() -> None:
    (example,) = blocks("Add a task")
    assert run(example)["Recall"]().measure == "recall"


def test_method() -> None:
    (example,) = blocks("Add a method for video networks")
    assert run(example)["video_network"].cost().ratio == 4


@pytest.mark.usefixtures("videos")
def test_model() -> None:
    (example,) = blocks("Add a model")
    values = run(example)
    assert values["summary"].pictures == 4
    found = values["scaleflow"].compare("clip.y4m", "decoded.mkv")
    assert found.means["psnr-y"] > 30
