"""The worked examples of CONTRIBUTING.md run as they stand."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from scaleflow.efficient_nets.methods.description import MethodDescription
from scaleflow.efficient_nets.registry import Registry
from scaleflow.efficient_nets.tasks.description import TaskDescription, TaskSettings
from scaleflow.evaluation.metrics import comparison, names
from tests.codec.conftest import carphone, ffmpeg
from tests.docs.pages import code_blocks
from tests.places import REPOSITORY

__all__ = ["carphone", "ffmpeg"]
PAGE = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    """What stands below a heading."""
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert found, f"CONTRIBUTING.md has no section {heading!r}"
    return found[1]


def blocks(heading: str) -> list[str]:
    """The Python blocks below a heading."""
    found = code_blocks(section(heading), "python")
    assert found
    return found


def added(heading: str) -> list[str]:
    """The lines that a contributor adds elsewhere, without their marks."""
    return [block.strip().removeprefix("+").strip().rstrip(",") for block in code_blocks(section(heading), "diff")]


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
    group, makers = (eval(f"{{{line}}}", {**values, "regions": ()}) for line in added("Add a metric"))
    plain = comparison._metrics

    def metrics(wanted: tuple[str, ...], *rest: Any) -> Iterator[Any]:
        yield from plain(wanted, *rest)
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
    values = run(*blocks("Add a task"))
    description = eval(*added("Add a task"), {**values, "TaskDescription": TaskDescription})
    task = Registry("task", [description])["recall"].task(TaskSettings())
    assert task.measure == "recall"


def test_method() -> None:
    values = run(*blocks("Add a method for video networks"))
    description = eval(*added("Add a method for video networks"), {**values, "MethodDescription": MethodDescription})
    assert Registry("method", [description])["hold"].settings is values["Hold"]


@pytest.mark.usefixtures("videos")
def test_model() -> None:
    (example,) = blocks("Add a model")
    values = run(example)
    assert values["summary"].pictures == 4
    found = values["scaleflow"].compare("clip.y4m", "decoded.mkv")
    assert found.means["psnr-y"] > 30
