"""What ``pyproject.toml`` requires."""

from __future__ import annotations

from packaging.requirements import Requirement
from setuptools.config.pyprojecttoml import read_configuration

from tests.places import REPOSITORY


def requirements_of(extra: str) -> list[Requirement]:
    """Requirements on others, always and with ``extra``, with those of the extras that it names; empty for none."""
    project = read_configuration(str(REPOSITORY / "pyproject.toml"), expand=False)["project"]
    found = [Requirement(text) for text in project["dependencies"]]
    waiting = [extra] if extra else []
    while waiting:
        for requirement in map(Requirement, project["optional-dependencies"][waiting.pop()]):
            if requirement.name == project["name"]:
                waiting += requirement.extras
            else:
                found.append(requirement)
    return found
