"""Altered files of all kinds are read or refused, by the program that does it many times over."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

import pytest

from tests.places import REPOSITORY

CASES = 25


@pytest.fixture(scope="module")
def fuzz() -> ModuleType:
    spec = spec_from_file_location("fuzz_results", REPOSITORY / "benchmarks" / "fuzz_results.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("kind", ["points", "curves", "network points", "boxes", "settings", "compare"])
def test_no_foreign_exception(fuzz: ModuleType, kind: str) -> None:
    outcomes, foreign = fuzz.run(kind, CASES, seed=7)
    assert not foreign, foreign[0]
    assert outcomes.total() == CASES and outcomes["read"] and outcomes["read"] < CASES


def test_all_kinds_are_tried(fuzz: ModuleType) -> None:
    assert list(fuzz.KINDS) == ["points", "curves", "network points", "task points", "boxes", "settings", "compare"]
