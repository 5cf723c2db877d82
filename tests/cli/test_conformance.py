"""``scaleflow conformance``, from what is typed to exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from scaleflow.codec.conformance.suite import EXPECTATIONS, SUITE_FOLDER
from tests.cli.conftest import typed


def test_a_table_and_json_lines() -> None:
    result = typed("conformance", "odd-size", "bf16", "--threads", 1)
    assert result.code == 0, result.stdout
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["stream", "feature", "pictures", "symbols", "largest", "difference", "verdict"]
    assert [line.split()[0] for line in lines[1:3]] == ["odd-size", "bf16"]
    assert all(line.endswith("pass") and " equal " in line for line in lines[1:3])
    assert lines[-1].startswith("2 streams pass, 0 fail, 0 not run") and "1 threads" in lines[-1]
    result = typed("conformance", "odd-size", "weights-default-1", "--json")
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [record["event"] for record in records] == ["stream", "stream", "summary"]
    assert {record["verdict"] for record in records[:2]} == {"pass", "not run"}
    assert (records[2]["passed"], records[2]["failed"], records[2]["not_run"]) == (1, 0, 1)


def test_a_stream_that_fails_is_named(tmp_path: Path) -> None:
    suite = tmp_path / "suite"
    shutil.copytree(SUITE_FOLDER, suite)
    expected = json.loads((suite / EXPECTATIONS).read_text())
    expected["streams"] = [stream for stream in expected["streams"] if stream["name"] == "one-pixel"]
    expected["streams"][0]["symbols"][1] = "f" * 64
    (suite / EXPECTATIONS).write_text(json.dumps(expected))
    result = typed("conformance", "--suite", suite)
    assert result.code == 1
    assert "one-pixel: fail: symbols differ from picture 1 on" in result.stdout
    assert typed("conformance", "--suite", suite, "--json").code == 1


def test_what_cannot_be_chosen_is_refused(tmp_path: Path) -> None:
    assert typed("conformance", "unknown").code == 2
    assert typed("conformance", "plain", "--precision", "bf16").code == 2
    assert typed("conformance", "--suite", tmp_path).code == 2
