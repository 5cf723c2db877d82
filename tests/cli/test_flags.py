"""Messages speak of settings in the library, of options on the command line."""

from __future__ import annotations

import ast
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from scaleflow.cli.flags import OTHER_NAMES, in_flags
from scaleflow.cli.main import app
from scaleflow.cli.verbs import Verb
from scaleflow.errors import UsageError
from tests.places import REPOSITORY

PACKAGES = ("adversarial", "codec", "efficient_nets", "entropy", "evaluation", "roi", "training")

COMMAND_LINES = {
    "evaluation/rate_distortion/codecs.py": "codecs are defined by command lines",
    "evaluation/rate_distortion/codec_software.py": "shows how a codec is defined",
    "evaluation/rate_distortion/decoder_choice.py": "reads the command lines of codecs and of points",
    "training/codec/model_card.py": "says which command trained the model",
}
"""Files whose strings are command lines, and why."""

FLAG = re.compile(r"(?<![\w-])--[a-z]")


def library_files() -> Iterator[Path]:
    """Modules outside the command line."""
    for package in PACKAGES:
        yield from sorted((REPOSITORY / package).rglob("*.py"))
    yield from sorted((REPOSITORY / "src" / "scaleflow").glob("*.py"))


def strings_of(tree: ast.AST) -> Iterator[ast.Constant]:
    """String literals, f-strings' parts included, docstrings not."""
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node


def verbs(group: Any, name: str = "") -> Iterator[tuple[str, Verb]]:
    """All verbs by what is typed."""
    for word, command in group.commands.items():
        if isinstance(command, Verb):
            yield f"{name}{word}", command
        else:
            yield from verbs(command, f"{name}{word} ")


VERBS = dict(verbs(typer.main.get_command(app)))


def test_no_string_of_the_library_names_an_option() -> None:
    files = {path: path.relative_to(REPOSITORY).as_posix() for path in library_files()}
    assert len(files) > 200 and set(COMMAND_LINES) <= set(files.values())
    found = {
        f"{name}:{string.lineno}: {string.value!r}"
        for path, name in files.items()
        if name not in COMMAND_LINES
        for string in strings_of(ast.parse(path.read_text()))
        if FLAG.search(str(string.value))
    }
    assert not found, "name the setting instead, and pass it as fields of the error"


def named_fields() -> Iterator[tuple[str, str, str]]:
    """Place, message and field of each error that says by literals which settings it names."""
    for path in library_files():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                for keyword in node.keywords:
                    if keyword.arg == "fields" and isinstance(keyword.value, ast.Tuple):
                        message = (
                            " ".join(str(string.value) for string in strings_of(node.args[0])) if node.args else ""
                        )
                        for field in keyword.value.elts:
                            if isinstance(field, ast.Constant) and isinstance(
                                node.args[0], ast.Constant | ast.JoinedStr
                            ):
                                yield f"{path.name}:{node.lineno}", message, str(field.value)


def test_fields_stand_in_their_messages_and_have_an_option_somewhere() -> None:
    found = list(named_fields())
    assert len(found) > 40
    options = {parameter for verb in VERBS.values() for parameter in verb.flags()}
    for place, message, field in found:
        assert re.search(rf"\b{re.escape(field)}\b", message), f"{place}: {field} is not in {message!r}"
        assert {field, *OTHER_NAMES.get(field, ())} & options, f"{place}: no verb has an option for {field}"


def test_every_other_name_is_one_of_a_verb() -> None:
    options = {parameter for verb in VERBS.values() for parameter in verb.flags()}
    assert {name for names in OTHER_NAMES.values() for name in names} <= options


@pytest.mark.parametrize(
    ("verb", "message", "fields", "shown"),
    [
        ("encode", "quality 80 is outside 0..63", ["quality"], "--quality 80 is outside 0..63"),
        ("encode", "bits_per_pixel 0 is low", ["bits_per_pixel"], "--bpp 0 is low"),
        ("report", "bits_per_pixel 0 is low", ["bits_per_pixel"], "--bits-per-pixel 0 is low"),
        ("encode", "add two_pass=True or bitrate.", ["two_pass", "bitrate"], "add --two-pass or --bitrate."),
        ("encode", "steps 0 is low", ["steps"], "--refine 0 is low"),
        ("diffusion restore", "steps 0 is low", ["steps"], "--steps 0 is low"),
        ("info", "quality 80 is outside", ["quality"], "quality 80 is outside"),
        ("encode", "start.yuv: a/start, use start", ["start"], "start.yuv: a/start, use --start"),
        ("encode", "quality of key frames", [], "quality of key frames"),
    ],
)  # fmt: skip
def test_settings_become_the_options_of_the_verb(verb: str, message: str, fields: list[str], shown: str) -> None:
    assert in_flags(UsageError(message, fields=fields), VERBS[verb].flags()) == shown


def test_errors_of_other_processes_keep_their_settings() -> None:
    error = pickle.loads(pickle.dumps(UsageError("workers 0 is low", fields=["workers"])))
    assert (str(error), error.fields) == ("workers 0 is low", ("workers",))
