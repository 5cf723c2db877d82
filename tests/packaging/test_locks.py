"""The locks belong to the requirements of ``pyproject.toml``."""

from __future__ import annotations

from collections import defaultdict

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.packaging.requirements import requirements_of
from tests.places import REPOSITORY


def pins_of(lock: str) -> dict[str, set[Version]]:
    """Versions by name; of some names, versions differ between interpreters."""
    found = defaultdict(set)
    for line in (REPOSITORY / "locks" / f"{lock}.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            (pin,) = requirement.specifier
            assert pin.operator == "=="
            found[canonicalize_name(requirement.name)].add(Version(pin.version))
    return found


@pytest.mark.parametrize("lock", ["lowest", "newest"])
def test_locks_are_of_the_requirements(lock: str) -> None:
    pins = pins_of(lock)
    for requirement in [*requirements_of("test"), *requirements_of("docs")]:
        versions = pins[canonicalize_name(requirement.name)]
        assert versions and all(map(requirement.specifier.contains, versions)), f"make locks/{lock}.txt again"


def test_the_lowest_versions_are_those_that_are_asked_for() -> None:
    pins = pins_of("lowest")
    for requirement in requirements_of(""):
        (bound,) = (Version(part.version) for part in requirement.specifier if part.operator == ">=")
        assert pins[canonicalize_name(requirement.name)] == {bound}
