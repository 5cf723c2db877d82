"""The wheel and the source distribution, built from a copy of the repository, and the wheel in a fresh environment."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import FOLDERS
from tests.places import REPOSITORY

PACKAGES = tuple(sorted(FOLDERS))

BUILD = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"


@dataclass(frozen=True)
class Distributions:
    """Files that a release would have."""

    wheel: Path
    source: Path
    wheel_of_source: Path


@dataclass(frozen=True)
class Environment:
    """A fresh environment that sees the packages of this one, but for ScaleFlow, which comes from the wheel."""

    folder: Path
    site_packages: Path
    new_names: frozenset[str]

    def run(self, *command: object, cwd: Path) -> str:
        """Standard output of a program of the environment that succeeds; whatever is beside the caller is not seen."""
        program, *arguments = map(str, command)
        done = subprocess.run(
            [str(self.folder / "bin" / program), *arguments], cwd=cwd, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout


def build(what: str, project: Path, output: Path) -> Path:
    """A file made by the build backend without a download; ``what`` is ``build_wheel`` or ``build_sdist``."""
    output.mkdir(exist_ok=True)
    command = [sys.executable, "-W", "ignore", "-c", BUILD, what, str(output)]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return output / done.stdout.splitlines()[-1]


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """Built once, where neither a build before nor an editable install has left anything."""
    folder = tmp_path_factory.mktemp("distributions")
    project = folder / "project"
    project.mkdir()
    unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info", ".*_cache")
    for name in (*PACKAGES, "src", "tests", "docs"):
        shutil.copytree(REPOSITORY / name, project / name, symlinks=True, ignore=unwanted)
    for path in REPOSITORY.iterdir():
        if path.is_file():
            shutil.copy(path, project)
    source = build("build_sdist", project, folder / "source")
    with tarfile.open(source) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    wheel = build("build_wheel", project, folder / "wheel")
    return Distributions(wheel, source, build("build_wheel", unpacked, folder / "wheel-of-source"))


@pytest.fixture(scope="session")
def environment(distributions: Distributions, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """As ``python -m venv`` and ``pip install WHEEL`` make it; dependencies are those that are installed here."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    shown = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    site_packages = Path(shown.stdout.strip())
    before = {path.name for path in site_packages.iterdir()}
    install = ["-m", "pip", "--python", str(python), "--disable-pip-version-check", "install", "-q"]
    done = subprocess.run(
        [sys.executable, *install, "--no-deps", "--no-index", "--no-compile", str(distributions.wheel)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    new_names = {path.name for path in site_packages.iterdir()} - before
    seen = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (site_packages / "dependencies.pth").write_text(
        "\n".join({sysconfig.get_path("purelib"): None, **dict.fromkeys(seen)})
    )
    return Environment(folder, site_packages, frozenset(new_names))


@pytest.fixture(scope="session")
def decoys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with packages of a stranger that are named as ScaleFlow's folders are."""
    folder = tmp_path_factory.mktemp("decoys")
    for name in (*PACKAGES, "tests"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(f"raise RuntimeError('the decoy {name} was imported')\n")
    return folder
