"""What is built and installed: one name, which works wherever it is run, and is typed."""

from __future__ import annotations

import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from scaleflow.version import scaleflow_version
from tests.codec.conftest import carphone, ffmpeg
from tests.packaging.conftest import PACKAGES, Distributions, Environment
from tests.places import REPOSITORY

__all__ = ["carphone", "ffmpeg"]

UNTYPED_OR_LARGE = "av torch numpy scipy safetensors compressai constriction PIL rich typer lpips skimage"
"""Dependencies that mypy need not read: of interest is what ScaleFlow's own names are."""


def files_of(wheel: Path) -> dict[str, str]:
    """Names and checksums of what a wheel installs."""
    with zipfile.ZipFile(wheel) as archive:
        return {entry.filename: f"{entry.CRC:08x}" for entry in archive.infolist() if "RECORD" not in entry.filename}


def test_the_wheel_adds_one_name(distributions: Distributions, environment: Environment) -> None:
    names = {name for name in environment.new_names if not name.endswith(".dist-info")}
    assert names == {"scaleflow"}
    assert {name.split("/")[0] for name in files_of(distributions.wheel) if ".dist-info/" not in name} == names


def test_the_wheel_holds_all_that_is_in_the_repository(distributions: Distributions) -> None:
    found = files_of(distributions.wheel)
    assert "scaleflow/py.typed" in found
    suffixes = {".py", ".safetensors", ".md", ".yaml", ".js", ".css", ".html", ".sfv", ".xz", ".json"}
    for package in PACKAGES:
        ours = [path for path in (REPOSITORY / package).rglob("*") if path.suffix in suffixes and path.is_file()]
        missing = {path for path in ours if f"scaleflow/{path.relative_to(REPOSITORY)}" not in found}
        assert ours and not missing
    for kind in ("codec/weights/default.safetensors", "training/codec/presets/tiny.yaml", "evaluation/report/page/"):
        assert any(name.startswith(f"scaleflow/{kind}") for name in found)


def test_the_source_distribution_makes_the_same_wheel(distributions: Distributions) -> None:
    assert files_of(distributions.wheel_of_source) == files_of(distributions.wheel)


def test_the_source_distribution_holds_tests_and_documents(distributions: Distributions) -> None:
    with tarfile.open(distributions.source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for folder in ("tests", "docs"):
        ours = {
            str(path.relative_to(REPOSITORY))
            for path in (REPOSITORY / folder).rglob("*")
            if path.suffix in (".py", ".md", ".json") and "__pycache__" not in path.parts
        }
        assert ours and ours <= names


@pytest.mark.parametrize("where", ["an empty folder", "beside packages of the same names"])
def test_it_is_imported_and_run_anywhere(
    environment: Environment, decoys: Path, tmp_path: Path, carphone: Path, where: str
) -> None:
    folder = tmp_path if where == "an empty folder" else decoys
    place, name = environment.run(
        "python",
        "-c",
        "import scaleflow, scaleflow.cli.main as m; print(scaleflow.__file__); print(m.__name__)",
        cwd=folder,
    ).split()
    assert Path(place).is_relative_to(environment.site_packages) and name == "scaleflow.cli.main"
    assert environment.run("scaleflow", "--version", cwd=folder).split()[-1] == scaleflow_version()
    assert "--quality" in environment.run("python", "-m", "scaleflow", "rd", "--help", cwd=folder)
    if folder == decoys:
        shown = environment.run(
            "scaleflow", "encode", carphone, tmp_path / "coded.sfv", "--frames", 2, "--verify", "--json", cwd=folder
        )
        assert json.loads(shown.splitlines()[-1])["pictures"] == 2


def test_a_project_of_others_sees_its_types(environment: Environment, tmp_path: Path) -> None:
    (tmp_path / "theirs.py").write_text(
        "import scaleflow\n"
        "settings = scaleflow.EncodeSettings(quality=30.0)\n"
        "reveal_type(settings)\n"
        "reveal_type(scaleflow.encode)\n"
        "reveal_type(scaleflow.load_model)\n"
    )
    sections = "".join(f"[mypy-{name}.*]\nfollow_imports = skip\n" for name in UNTYPED_OR_LARGE.split())
    (tmp_path / "mypy.ini").write_text(f"[mypy]\nstrict = True\n{sections}")
    python = environment.folder / "bin" / "python"
    shown = environment.run("python", "-m", "mypy", "--python-executable", python, "theirs.py", cwd=tmp_path)
    revealed = [line.partition("Revealed type is ")[2].strip('"') for line in shown.splitlines() if "Revealed" in line]
    assert "Success: no issues found" in shown and len(revealed) == 3
    assert revealed[0] == "scaleflow.codec.encoding.settings.EncodeSettings"
    assert revealed[1].startswith("def (") and "EncodeSettings" in revealed[1] and "EncodeSummary" in revealed[1]
    assert revealed[2].startswith("def (") and "-> Any" not in revealed[2]
