"""YAML of anyone: what it stands for is counted before it is made."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from scaleflow.errors import UsageError
from scaleflow.training.codec.configuration import TrainingConfig
from scaleflow.training.codec.configuration_file import preset
from scaleflow.training.loop.configuration_file import checked_configuration, override, read_yaml
from scaleflow.training.yaml_text import parse_yaml, read_yaml_file


def laughs(depth: int, width: int = 10) -> str:
    """Aliases that stand for ``width`` to the power of ``depth`` values."""
    lines = [f"a0: &a0 [{','.join(['x'] * width)}]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * width)}]" for n in range(1, depth)]
    return "\n".join(lines)


def test_aliases_are_counted_as_often_as_they_are_named(tmp_path: Path) -> None:
    path = tmp_path / "laughs.yaml"
    path.write_text(laughs(60))
    start = time.monotonic()
    with pytest.raises(UsageError, match=r"laughs\.yaml: stands for more than 100000 values"):
        read_yaml(path)
    assert time.monotonic() - start < 1
    assert len(parse_yaml(laughs(3), "text")["a2"]) == 10
    assert parse_yaml("a: &a {b: 1}\nc: {<<: *a, d: 2}", "text")["c"] == {"b": 1, "d": 2}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("&a [*a]", "an alias stands for what it lies in"),
        ("[" * 200 + "]" * 200, "is nested more than 40 deep"),
        ("[" * 5000, "is nested more than 40 deep"),
        ("{a: {b: [" * 12, "is no YAML"),
        ("a: 2001-99-99", "is no YAML"),
        ("a: !!int x", "is no YAML"),
        ("a: !!timestamp x", "is no YAML"),
        ("{[]: 1}", "is no YAML"),
        ("a: !!python/object/apply:os.system [true]", "is no YAML"),
        ("a: " + "9" * 5000, "is no YAML"),
        ("\x00", "is no YAML"),
        ("- a\nb", "is no YAML"),
    ],
)
def test_what_is_refused(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=r"^text: ") as caught:
        parse_yaml(text, "text")
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"a: \xff")
    with pytest.raises(UsageError, match=r"a\.yaml: is no YAML"):
        read_yaml_file(path)
    path.write_bytes(b"# " + bytes(1 << 20))
    with pytest.raises(UsageError, match=r"a\.yaml: is larger than 1 MiB"):
        read_yaml_file(path)
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        read_yaml_file(tmp_path)


@pytest.mark.parametrize("key", ["log_every", "data.crop", "seed"])
def test_numbers_without_measure(key: str) -> None:
    values = preset("tiny")
    override(values, [f"{key}=1{'0' * 400}"])
    with pytest.raises(UsageError, match=f"{key} = a number without measure is outside"):
        checked_configuration(TrainingConfig, values, "file")


def test_lists_are_not_keys() -> None:
    with pytest.raises(UsageError, match=r"'stages\.steps=5': stages is a list: name one of its stages"):
        override(preset("tiny"), ["stages.steps=5"])
