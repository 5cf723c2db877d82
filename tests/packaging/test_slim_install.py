"""Without extras, ScaleFlow codes, and says of everything else what to install."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import pytest

from scaleflow.optional_packages import EXTRAS, what_to_install
from tests.codec.conftest import carphone, ffmpeg
from tests.packaging.conftest import PACKAGES, Environment
from tests.packaging.requirements import requirements_of
from tests.places import REPOSITORY

__all__ = ["carphone", "ffmpeg"]

DISTRIBUTIONS = {"imageio_ffmpeg": "imageio-ffmpeg", "PIL": "pillow", "yaml": "pyyaml"}
"""Names of distributions that are not those of their modules."""

BROUGHT_ALONG = {"pydantic", "typing_extensions"}
"""Modules of extras that dependencies of the slim installation may bring."""

ASKED_FOR = {"av", "compressai", "lpips", "numpy", "pytest", "scikit-image", "torch", "typer"}

WITHOUT_EXTRAS = {
    "compressai": [
        "encode clip out.sfv --model ssf2020-1",
        "encode clip out.sfv --roi-from motion --refine 1 --frames 1",
    ],
    "networks": [
        "encode clip out.sfv --roi-from segmentation --roi-network run",
        "nets table run",
        "nets make-actions folder --out actions",
    ],
    "evaluate": [
        "compare clip clip --metrics lpips",
        "compare clip clip --metrics ms-ssim",
        "rd clip --out results",
        "task-rd --data folder --out results",
        "plot results --output plot.svg",
        "report results --output report.html",
        "diffusion eval run --data folder --out results",
    ],
    "train": [
        "train --out run data.path=folder",
        "export run/last.ckpt out.safetensors",
        "pack folder packed",
        "nets train segmentation --data folder --out run",
        "diffusion train folder --out run",
    ],
    "demo": ["demo"],
}
"""Command lines, by the extra that their message names."""

IN_ONE_PROCESS = """
import json, sys
from scaleflow.cli.main import app
for line in json.loads(sys.argv[1]):
    print(f"$ {line}", file=sys.stderr, flush=True)
    try:
        app(line.split())
    except SystemExit as done:
        print(f"exit {done.code}", file=sys.stderr, flush=True)
"""


def test_it_codes(slim_environment: Environment, tmp_path: Path, carphone: Path) -> None:
    slim_environment.run("scaleflow", "encode", carphone, "coded.sfv", "--frames", 2, "--bpp", 0.2, cwd=tmp_path)
    slim_environment.run("scaleflow", "decode", "coded.sfv", "decoded.mp4", cwd=tmp_path)
    assert "no damage" in slim_environment.run("scaleflow", "verify", "coded.sfv", cwd=tmp_path)
    shown = slim_environment.run("scaleflow", "info", "coded.sfv", "--json", cwd=tmp_path)
    assert json.loads(shown)["pictures"] == 2
    shown = slim_environment.run("scaleflow", "models", cwd=tmp_path)
    assert "shipped with ScaleFlow" in shown and 'pip install ".[compressai]"' in shown


def test_extras_are_not_there(slim_environment: Environment, tmp_path: Path) -> None:
    code = "import sys; from importlib.util import find_spec; print(*[n for n in sys.argv[1:] if find_spec(n)])"
    there = slim_environment.run("python", "-c", code, *EXTRAS, cwd=tmp_path).split()
    assert set(there) <= BROUGHT_ALONG


def test_other_uses_say_in_one_line_what_to_install(
    slim_environment: Environment, tmp_path: Path, carphone: Path
) -> None:
    (tmp_path / "clip").symlink_to(carphone)
    (tmp_path / "folder").mkdir()
    extras = {line: extra for extra, lines in WITHOUT_EXTRAS.items() for line in lines}
    code = f"import sys; sys.stderr = sys.stdout\n{IN_ONE_PROCESS}"
    shown = slim_environment.run("python", "-c", code, json.dumps(list(extras)), cwd=tmp_path)
    said = {part.splitlines()[0]: part.splitlines()[1:] for part in shown.split("$ ")[1:]}
    assert said.keys() == extras.keys()
    for line, extra in extras.items():
        message, end = said[line]
        assert message.startswith("scaleflow: ") and message.endswith(f'pip install ".[{extra}]"'), line
        assert end == "exit 2", line


def test_what_a_failed_import_needs() -> None:
    error = ModuleNotFoundError("No module named 'torchvision.ops'", name="torchvision.ops")
    assert what_to_install(error, "this") == (
        'this needs a package that is not installed (torchvision): pip install ".[networks]"'
    )
    assert what_to_install(ModuleNotFoundError("of a stranger", name="stranger"), "this") is None


def names_of(extra: str) -> set[str]:
    """Of the distributions that are installed with an extra."""
    return {requirement.name for requirement in requirements_of(extra)}


@pytest.mark.parametrize("module", EXTRAS)
def test_an_extra_has_what_it_is_named_for(module: str) -> None:
    name = DISTRIBUTIONS.get(module, module.replace("_", "-"))
    assert name in names_of(EXTRAS[module])
    assert name not in names_of("")


def test_all_extras_together_are_the_whole() -> None:
    assert names_of("test") >= ASKED_FOR
    assert names_of("all") >= ASKED_FOR - {"pytest"}


def test_imports_are_required_or_of_an_extra() -> None:
    """Whatever a module of ScaleFlow imports is always installed, or a failed import is explained."""
    always = {name.replace("-", "_") for name in names_of("")} | {"scaleflow"} | sys.stdlib_module_names
    unknown = {}
    for package in (*PACKAGES, "src/scaleflow"):
        for path in (REPOSITORY / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    names = [name.name for name in node.names]
                else:
                    names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
                if wrong := {name.partition(".")[0] for name in names} - always - EXTRAS.keys():
                    unknown[path] = wrong
    assert unknown == {}
