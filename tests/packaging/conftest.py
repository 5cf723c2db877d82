"""The wheel and the source distribution, built from a copy of the repository, and the wheel in a fresh environment."""

from __future__ import annotations

import email
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import distribution as metadata_of
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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
    made = _environment_of_wheel(distributions.wheel, tmp_path_factory.mktemp("environment") / "venv")
    seen = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (made.site_packages / "dependencies.pth").write_text(
        "\n".join({sysconfig.get_path("purelib"): None, **dict.fromkeys(seen)})
    )
    return made


@pytest.fixture(scope="session")
def slim_environment(distributions: Distributions, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """What ``pip install WHEEL`` makes without extras: it sees what the wheel requires, and what that requires."""
    made = _environment_of_wheel(distributions.wheel, tmp_path_factory.mktemp("slim") / "venv")
    with zipfile.ZipFile(distributions.wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        required = email.message_from_bytes(archive.read(metadata)).get_all("Requires-Dist") or []
    for place in {place for name in _with_requirements(required) for place in _places_of(name)}:
        link = made.site_packages / place.name
        if not link.exists():
            link.symlink_to(place)
    return made


def _environment_of_wheel(wheel: Path, folder: Path) -> Environment:
    """A fresh one with the wheel alone."""
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
        [sys.executable, *install, "--no-deps", "--no-index", "--no-compile", str(wheel)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    new_names = {path.name for path in site_packages.iterdir()} - before
    return Environment(folder, site_packages, frozenset(new_names))


def _with_requirements(required: Iterable[str]) -> set[str]:
    """Names of the distributions that are required here, at any distance."""
    found: set[str] = set()
    waiting = [(Requirement(text), "") for text in required]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        for wanted in ("", *requirement.extras):
            if (name := f"{canonicalize_name(requirement.name)}[{wanted}]") not in found:
                found.add(name)
                waiting += [(Requirement(text), wanted) for text in metadata_of(requirement.name).requires or []]
    return {name.partition("[")[0] for name in found}


def _places_of(name: str) -> set[Path]:
    """Files and folders of a distribution that is installed here, at the top of ``site-packages``."""
    found = metadata_of(name)
    assert found.files is not None, f"{name} does not say what its files are"
    tops = {file.parts[0] for file in found.files if file.parts[0] not in ("..", "__pycache__")}
    return {Path(str(found.locate_file(top))) for top in tops}


@pytest.fixture(scope="session")
def decoys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with packages of a stranger that are named as ScaleFlow's folders are."""
    folder = tmp_path_factory.mktemp("decoys")
    for name in (*PACKAGES, "tests"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(f"raise RuntimeError('the decoy {name} was imported')\n")
    return folder
