"""In the process of the tests, each file is one module, and the folders of the repository are no packages."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from importlib import import_module

import pytest

import scaleflow.cli.main
import scaleflow.codec.models.registry
import scaleflow.training.codec.run  # noqa: F401
from tests.packaging.conftest import PACKAGES
from tests.places import REPOSITORY


def test_no_file_is_loaded_under_two_names() -> None:
    # Only the project's own folders: an environment inside the checkout may load its libraries as it likes.
    folders = tuple(f"{os.path.realpath(REPOSITORY / folder)}{os.sep}" for folder in (*PACKAGES, "src", "tests"))
    names = defaultdict(set)
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name != "__main__" and file and os.path.realpath(file).startswith(folders):
            names[os.path.realpath(file)].add(name)
    assert any(name.startswith("scaleflow.codec.") for found in names.values() for name in found)
    assert {file: found for file, found in names.items() if len(found) > 1} == {}


@pytest.mark.parametrize("name", PACKAGES)
def test_folders_are_no_packages_at_the_top(name: str) -> None:
    assert name not in sys.modules
    with pytest.raises(ModuleNotFoundError, match=f"imported as scaleflow.{name}"):
        import_module(name)
    assert import_module(f"scaleflow.{name}").__name__ == f"scaleflow.{name}"
