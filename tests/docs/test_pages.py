"""Links, paths, lines and code of the documentation."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
from pathlib import Path

import pytest

import scaleflow
from tests.docs.pages import PAGES, anchors, code_blocks, name_of, without_code
from tests.places import REPOSITORY

MOST_CHARACTERS = 99
MOST_IN_A_CELL = 120
MOST_ROWS = 6
RESULTS = ("README.md", "docs/clockwork.md", "docs/network-results.md", "docs/results.md")
GENERATED = ("docs/_build", "docs/api/", "docs/project/")
FOLDERS = ("adversarial", "benchmarks", "cli", "codec", "docs", "efficient_nets", "entropy", "evaluation", "examples")
FOLDERS += ("roi", "src", "tests", "training")

every_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


@every_page
def test_relative_links(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        other = (page.parent / name).resolve() if name else page
        if not other.exists() or (anchor and anchor not in anchors(other.read_text(encoding="utf-8"))):
            broken.append(target)
    assert not broken


@every_page
def test_prose_is_wrapped(page: Path) -> None:
    """Tables, and lines that are one link, may be longer."""
    lines = enumerate(without_code(page.read_text(encoding="utf-8")).splitlines(), 1)
    long = [
        number
        for number, line in lines
        if len(line) > MOST_CHARACTERS
        and not line.startswith("|")
        and not re.fullmatch(r"[\s*-]*!?\[.*\]\(.*\)\S*", line)
    ]
    assert not long


@every_page
def test_tables_are_short(page: Path) -> None:
    """Cells hold no paragraphs, and tables of results a few rows: complete outputs lie beside the page."""
    for table in re.findall(r"(?:^\|.*\n)+", without_code(page.read_text(encoding="utf-8")), re.MULTILINE):
        rows = table.splitlines()[2:]
        assert max(len(cell.strip()) for row in rows for cell in row.split("|")) <= MOST_IN_A_CELL
        assert name_of(page) not in RESULTS or len(rows) <= MOST_ROWS


@every_page
def test_named_paths_exist(page: Path) -> None:
    """What stands in code quotes and begins with a folder of the repository lies there."""
    missing = []
    for quoted in re.findall(r"`([^`\n]+)`", without_code(page.read_text(encoding="utf-8"))):
        if re.fullmatch(r"[\w./-]+", quoted) and quoted.split("/")[0] in FOLDERS and "/" in quoted:
            is_there = (REPOSITORY / quoted).exists() or quoted.startswith(GENERATED)
            missing += [] if is_there else [quoted]
    assert not missing


@every_page
def test_imports_of_examples(page: Path) -> None:
    """Python blocks parse, and what they import from this project is there."""
    for block in code_blocks(page.read_text(encoding="utf-8"), "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "scaleflow":
                module = importlib.import_module(node.module or "")
                assert [name.name for name in node.names if not hasattr(module, name.name)] == []


@every_page
def test_named_modules_exist(page: Path) -> None:
    """Dotted names in code quotes that begin with the package can be imported."""
    for name in re.findall(r"`(scaleflow(?:\.\w+)+)`", without_code(page.read_text(encoding="utf-8"))):
        _find(name)


def _find(name: str) -> object:
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            found = getattr(found, part)
        return found
    raise AssertionError(f"{name} cannot be imported")


def test_complete_outputs_name_their_commands() -> None:
    outputs = sorted((REPOSITORY / "docs" / "results").glob("*.txt"))
    assert outputs
    linked = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for path in outputs:
        assert re.match(r"\$ (scaleflow|python) ", path.read_text(encoding="utf-8")), path.name
        assert f"](results/{path.name})" in linked, f"no page links {path.name}"


def test_all_pages_are_in_the_index() -> None:
    index = (REPOSITORY / "docs" / "index.md").read_text(encoding="utf-8")
    names = {page.name for page in (REPOSITORY / "docs").glob("*.md")} - {"index.md"}
    assert {name for name in names if f"]({name}" not in index} == set()


def test_public_names_are_listed() -> None:
    page = (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8")
    assert {name for name in scaleflow.__all__ if f"scaleflow.{name}" not in page} == set()


def test_version_has_an_entry() -> None:
    version = re.search(r'^version = "(.*)"', (REPOSITORY / "pyproject.toml").read_text(), re.MULTILINE)
    assert version and version[1] in (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")


def test_hooks_are_local() -> None:
    """What runs before a commit comes from the environment, and fetches nothing."""
    hooks = (REPOSITORY / ".pre-commit-config.yaml").read_text()
    assert re.findall(r"repo: (\S+)", hooks) == ["local"]
    for tool in ("ruff check", "ruff format", "mypy"):
        assert f"entry: {tool}" in hooks
    ignored = subprocess.run(
        ["git", "check-ignore", "docs/_build/x", "docs/api/x", "docs/project/x"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert len(ignored.stdout.splitlines()) == 3
