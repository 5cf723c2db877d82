"""Dataclasses from JSON: every field has the type that it says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from scaleflow.errors import DataError
from scaleflow.json_dataclass import read_dataclass


@dataclass(frozen=True)
class Inner:
    numbers: list[float]
    size: tuple[int, int]


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner
    share: float | None
    values: dict[str, float | None]
    parts: tuple[Inner, ...] = ()
    sound: bool = True
    notes: list[str] = field(default_factory=list)


INNER = {"numbers": [1, 2.5], "size": [3, 4]}
WHOLE: dict[str, Any] = {"name": "a", "inner": INNER, "share": None, "values": {"x": None, "y": 2}}


def test_all_kinds() -> None:
    inner = Inner([1.0, 2.5], (3, 4))
    found = read_dataclass(Outer, WHOLE | {"parts": [INNER], "sound": False, "notes": ["b"]}, "file")
    assert found == Outer("a", inner, None, {"x": None, "y": 2.0}, (inner,), False, ["b"])
    assert read_dataclass(Outer, WHOLE, "file").parts == () and isinstance(found.values["y"], float)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": 3}, "file.name: expected a text, not 3"),
        ({"inner": []}, "file.inner: expected an object, not []"),
        ({"inner": {"numbers": []}}, "file.inner: has no 'size'"),
        ({"inner": INNER | {"size": [1, 2, 3]}}, "file.inner.size: expected 2 values, not 3"),
        ({"inner": INNER | {"size": [1, 2.5]}}, "file.inner.size[1]: expected a whole number, not 2.5"),
        ({"inner": INNER | {"numbers": [True]}}, "file.inner.numbers[0]: expected a number, not true"),
        ({"share": 10**400}, "file.share: 1000"),
        ({"share": float("nan")}, "file.share: NaN is outside"),
        ({"values": {"x": "1"}}, 'file.values.x: expected a number, not "1"'),
        ({"values": {"\ud800": 1}}, "halves of characters"),
        ({"sound": 1}, "file.sound: expected true or false"),
        ({"parts": {}}, "file.parts: expected a list"),
        ({"other": 1}, "'other' is not known here"),
    ],
)
def test_what_does_not_fit(change: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError) as caught:
        read_dataclass(Outer, WHOLE | change, "file")
    assert words in str(caught.value)
