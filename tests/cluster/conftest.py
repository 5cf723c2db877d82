"""A Ray of two workers on this machine, and clips of a few groups."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from tests.codec.conftest import carphone, ffmpeg, with_audio
from tests.places import REPOSITORY

__all__ = ["carphone", "ffmpeg", "with_audio"]

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason='Ray is missing: pip install ".[cluster]"')


@pytest.fixture(scope="module")
def ray_of_two() -> Iterator[None]:
    """Is started once for a file of tests; what asks for a local one meanwhile uses it and leaves it."""
    from scaleflow.cluster import ClusterSettings
    from scaleflow.ray_connection import connected

    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(REPOSITORY)  # Workers import the stand-in.
    try:
        with connected(ClusterSettings("local:2"), 1):
            yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
