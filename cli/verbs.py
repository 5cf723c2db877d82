"""How verbs are made of functions: options in groups, help in sections, errors in the words of the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperOption

from scaleflow.cli.flags import in_flags
from scaleflow.cli.option_groups import ungrouped
from scaleflow.errors import ScaleFlowError

Function = TypeVar("Function", bound=Callable[..., Any])

OTHER_OPTIONS = "Options"
"""Heading of options that are in no group."""


class Verb(TyperCommand):
    """A command that says its options where the library says its settings."""

    def invoke(self, ctx: Any) -> Any:
        """Run it."""
        try:
            return super().invoke(ctx)
        except ScaleFlowError as error:
            error.args = (in_flags(error, self.flags()),)
            raise

    def flags(self) -> dict[str, str]:
        """The long form of each option, by the name of the parameter."""
        options = [parameter for parameter in self.params if isinstance(parameter, TyperOption)]
        return {str(option.name): max(option.opts, key=len) for option in options}

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """A section of the help for each group, as plain text that fits a narrow terminal and a pipe."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                is_option = isinstance(parameter, TyperOption)
                heading = (getattr(parameter, "rich_help_panel", None) or OTHER_OPTIONS) if is_option else "Arguments"
                sections.setdefault(heading, []).append(record)
        for heading in sorted(sections, key=OTHER_OPTIONS.__eq__):
            with formatter.section(heading):
                formatter.write_dl(sections[heading])


class Verbs(typer.Typer):
    """Verbs of one kind, of which functions are made with :meth:`command`."""

    def __init__(self, help: str, **settings: Any) -> None:
        super().__init__(help=help, no_args_is_help=True, rich_markup_mode=None, **settings)

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Function], Function]:
        """What registers a function as a verb; its parameters that are option groups become their options."""
        register = super().command(name, cls=Verb, **settings)

        def add(function: Function) -> Function:
            register(ungrouped(function))
            return function

        return add
