"""The page on JSON lines, against what the quick verbs print; tests of the others compare theirs as they run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from scaleflow.cli.main import app
from scaleflow.cli.verbs import Verb
from tests.cli.conftest import Result
from tests.cli.json_page import differences, documented

Run = Callable[..., Result]


def verbs_with_json(group: Any, name: str = "") -> set[str]:
    """What is typed of verbs that take ``--json``."""
    found: set[str] = set()
    for word, command in group.commands.items():
        if not isinstance(command, Verb):
            found |= verbs_with_json(command, f"{name}{word} ")
        elif "json" in command.flags():
            found.add(f"{name}{word}")
    return found


def test_the_page_has_every_verb_with_json_and_no_other() -> None:
    assert set(documented()) == verbs_with_json(typer.main.get_command(app))
    for verb, events in documented().items():
        for event, fields in events.items():
            paths = [field.path for field in fields]
            assert fields and len(set(paths)) == len(paths), (verb, event)
            parents = {path.removesuffix("[]") for path in (field.parent for field in fields) if path}
            assert parents <= set(paths), (verb, event)


def events_of(result: Result) -> list[str]:
    """Checks every line beforehand, in :func:`tests.cli.conftest.typed`."""
    return [json.loads(line).get("event", "") for line in result.stdout.splitlines()]


def test_lines_of_the_quick_verbs(scaleflow: Run, with_audio: Path, carphone: Path, tmp_path: Path) -> None:
    coded, decoded, bad = tmp_path / "a.sfv", tmp_path / "a.mkv", tmp_path / "bad.sfv"
    encoded = scaleflow("encode", with_audio, coded, "--frames", 6, "--intra-period", 3, "--psnr", "--json")
    assert set(events_of(encoded)) == {"progress", "summary"}
    assert set(events_of(scaleflow("encode", carphone, tmp_path / "b.sfv", "--frames", 4, "--json"))) >= {"summary"}
    assert set(events_of(scaleflow("verify", coded, "--json"))) == {"progress", "summary"}
    assert events_of(scaleflow("info", coded, "--json")) == [""]
    assert json.loads(scaleflow("info", coded, "--json").stdout)["audio"]
    data = bytearray(coded.read_bytes())
    data[len(data) * 3 // 4] ^= 7
    bad.write_bytes(data)
    for verb in (("decode", bad, decoded), ("verify", bad)):
        result = scaleflow(*verb, "--json")
        assert result.code == 1 and json.loads(result.stdout.splitlines()[-1])["damage"]
    assert json.loads(scaleflow("info", bad, "--json").stdout)["damage"]
    assert scaleflow("decode", tmp_path / "b.sfv", decoded, "--overwrite", "--json").code == 0
    compared = scaleflow("compare", carphone, decoded, "--frames", 4, "--json")
    assert compared.code == 0 and events_of(compared) == [""]
    assert set(events_of(scaleflow("models", "--json"))) == {""}
    masks = scaleflow("roi", "make", carphone, tmp_path / "m.mkv", "--from", "motion", "--frames", 2, "--json")
    assert set(events_of(masks)) == {"progress", "summary"}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ({"event": "done", "points": 5, "failed": 0}, None),
        ({"event": "done", "points": 5, "failed": 0, "seconds": 2.0}, "rd done: seconds is not documented"),
        ({"event": "done", "points": 5}, "rd done: failed is missing"),
        ({"event": "done", "points": 5.5, "failed": 0}, "rd done: points is 5.5, no integer"),
        ({"event": "done", "points": True, "failed": 0}, "rd done: points is True, no integer"),
        ({"event": "over"}, "rd: event 'over' is not documented"),
    ],
)
def test_lines_that_differ_are_found(line: dict[str, Any], problem: str | None) -> None:
    assert differences("rd", line) == ([] if problem is None else [problem])


def test_differences_within_objects_are_found() -> None:
    worst = {"psnr-y": {"picture": 1, "time": 0.5}, "psnr-u": None}
    found = differences("compare", {"worst": worst, "region_areas": None, "means": {"lpips": "low"}})
    assert "compare: worst.*.value is missing" in found and not any("psnr-u" in problem for problem in found)
    assert "compare: means.* is 'low', no number or null" in found
    assert "compare: notes is missing" in found and not any("region_areas" in problem for problem in found)
