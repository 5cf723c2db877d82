"""Weights that the conformance streams were encoded with, as the second decoder reads them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from scaleflow.codec.models.released_weights import RELEASED_WEIGHTS
from tests.places import REPOSITORY
from tests.second_decoder.weights import Weights, read_weights

PLACE = "codec/weights/default.safetensors"


@pytest.fixture(scope="session")
def weights_named(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Weights]:
    """Gives the weights of a name such as ``default-3``; earlier ones come from the history of the repository."""
    shipped = read_weights(REPOSITORY / PLACE)
    known = {RELEASED_WEIGHTS[shipped.hash.hex()].name: shipped}

    def find(name: str) -> Weights:
        if name not in known:
            (commit,) = (released.commit for released in RELEASED_WEIGHTS.values() if released.name == name)
            known[name] = read_weights(_from_history(commit, tmp_path_factory.mktemp(name)))
        return known[name]

    return find


def _from_history(commit: str, folder: Path) -> Path:
    file = folder / "earlier.safetensors"
    try:
        found = subprocess.run(["git", "-C", REPOSITORY, "show", f"{commit}:{PLACE}"], capture_output=True)
    except OSError:
        pytest.skip("git, which has the earlier weights, is not installed")
    if found.returncode:
        pytest.skip(f"commit {commit} of the repository, which holds the earlier weights, is not here")
    file.write_bytes(found.stdout)
    return file
