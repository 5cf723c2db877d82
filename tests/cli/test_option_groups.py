"""Options in groups: one object for a verb, options of its own for a person, a section of the help each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, ClassVar

import pytest
import typer
from typer.testing import CliRunner

from scaleflow.cli.main import app
from scaleflow.cli.option_groups import ungrouped
from scaleflow.cli.verbs import Verbs
from scaleflow.errors import UsageError


@dataclass(frozen=True)
class Common:
    """Of several verbs."""

    PANEL: ClassVar[str] = "What is common"

    speed: Annotated[int, typer.Option(help="How fast.")] = 3


@dataclass(frozen=True)
class Special(Common):
    """With something more."""

    PANEL: ClassVar[str] = "What is special"

    strange: Annotated[bool, typer.Option("--strange", help="Whether it is.")] = False
    names: Annotated[list[str] | None, typer.Option("--name", help="Of whom.")] = None


def go(place: str, special: Special, quick: Annotated[bool, typer.Option("--quick", help="At once.")] = False) -> None:
    """Go somewhere."""
    if special.speed < 1:
        raise UsageError(f"speed {special.speed} is too low; use names", fields=("speed", "names"))
    typer.echo(f"{place} {special} {quick}")


def stay() -> None:
    """Stay here."""


@pytest.fixture
def verbs() -> Verbs:
    """Two verbs."""
    made = Verbs("Verbs to test.")
    assert made.command()(go) is go
    made.command()(stay)
    return made


def test_a_verb_gets_its_group_as_one_object(verbs: Verbs) -> None:
    plain = CliRunner().invoke(verbs, ["go", "home"])
    assert plain.stdout.strip() == f"home {Special()} False"
    typed = CliRunner().invoke(
        verbs, ["go", "home", "--quick", "--strange", "--speed", "7", "--name", "a", "--name", "b"]
    )
    assert typed.stdout.strip() == f"home {Special(7, True, ['a', 'b'])} True"


def test_the_parameters_stay_those_of_the_function_and_of_the_fields() -> None:
    parameters = ungrouped(go).__signature__.parameters  # type: ignore[attr-defined]
    assert list(parameters) == ["place", "speed", "strange", "names", "quick"]


def test_each_group_is_a_section_of_the_help(verbs: Verbs) -> None:
    text = CliRunner().invoke(verbs, ["go", "--help"]).stdout
    assert re.findall(r"^(\w[\w ]+):$", text, re.MULTILINE) == ["Arguments", "What is special", "Options"]
    special, _, others = text.partition("\nOptions:")
    assert "--speed" in special and "--strange" in special and "--quick" in others and "--help" in others


def test_settings_in_messages_are_the_options_of_the_verb(verbs: Verbs) -> None:
    with pytest.raises(UsageError, match=r"^--speed 0 is too low; use --name$"):
        CliRunner().invoke(verbs, ["go", "home", "--speed", "0"], catch_exceptions=False)


def test_the_help_of_encode_is_in_sections_and_fits_80_columns() -> None:
    text = CliRunner().invoke(app, ["encode", "--help"], env={"COLUMNS": "80"}).stdout
    assert re.findall(r"^(\w[\w ]+):$", text, re.MULTILINE) == [
        *("Arguments", "Rate and quality", "Key frames", "Region of interest"),
        *("Input", "Model", "Machine", "Output", "Options"),
    ]
    assert max(map(len, text.splitlines())) <= 80
    assert re.findall(r"^  (\S+)", text.partition("\nOptions:")[2], re.MULTILINE) == ["--help"]
